// SPDX-License-Identifier: Apache-2.0
// Broker addresses as people write them.

import test from 'ava';
import { brokerUrl, parseBrokerUrl } from '../../protocol/broker.js';

test('an address is read back as it was written, with the usual ports where none is given', (t) => {
  for (const url of [
    'mqtts://a.example:8884',
    'wss://a.example:443/x/mqtt',
    'mqtts://[fd00::1]:1',
  ]) {
    t.is(brokerUrl(parseBrokerUrl(url, 'url')), url);
  }
  t.deepEqual(parseBrokerUrl('mqtts://h', 'url'), { host: 'h', port: 8883 });
  t.deepEqual(parseBrokerUrl('wss://h/', 'url'), { host: 'h', port: 443, transport: 'wss' });
});

test('what is not over TLS, or would be read in two ways, is refused with its place', (t) => {
  for (const url of [
    'mqtt://h',
    'ws://h',
    'https://h',
    'h:8883',
    'mqtts://h/path',
    'mqtts://name:secret@h',
    'mqtts://h:0',
    'mqtts://h:70000',
    'wss://h/a?b',
    'wss://h/a b',
    '',
  ]) {
    t.throws(() => parseBrokerUrl(url, '--broker'), { code: 'SHAPE_BAD', message: /broker/ }, url);
  }
});
