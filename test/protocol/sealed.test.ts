// SPDX-License-Identifier: Apache-2.0
// The document of sealed secrets and its topic: what is taken, and what is not.

import test from 'ava';
import { codeOf } from '../../protocol/error.js';
import { registrySecret, sealContext, sealedDocument, secretName } from '../../protocol/sealed.js';
import { parseTopic, sealedTopic } from '../../protocol/topic.js';

const item = { name: 'registry/a.example', version: 2, sealed: 'AAAA' };
const document = {
  tenant: 'main',
  device: 'web-1',
  version: 3,
  issuedAt: '2026-01-31T12:00:00Z',
  items: [item],
};

test('a document is checked field by field, and unknown fields are refused', (t) => {
  t.deepEqual(sealedDocument(document, 'sealed'), document);
  for (const wrong of [
    { ...document, version: -1 },
    { ...document, device: '.fleet' },
    { ...document, extra: 1 },
    { ...document, items: [{ ...item, sealed: 'not base64!' }] },
    { ...document, items: Array.from({ length: 257 }, () => item) },
  ]) {
    t.is(codeOf(t.throws(() => sealedDocument(wrong, 'sealed'))), 'SHAPE_BAD');
  }
});

test('names of secrets hold registries with ports and IPv6, and nothing that could part the context', (t) => {
  for (const host of ['a', 'registry.example:5000', '[fd00::1]:5000']) {
    t.is(secretName(registrySecret(host), 'name'), `registry/${host}`);
  }
  for (const name of ['registry/a|b', 'registry/', 'a', 'registry/../x', 'registry/a b']) {
    t.throws(() => secretName(name, 'name'), undefined, name);
  }
  const context = sealContext({ tenant: 'a', device: 'b', name: 'registry/c', version: 1 });
  t.is(context, 'a|b|registry/c|1');
});

test('the topic is the device’s own', (t) => {
  t.deepEqual(parseTopic(sealedTopic('main', 'web-1')), {
    kind: 'sealed',
    tenant: 'main',
    device: 'web-1',
  });
  t.is(parseTopic(`${sealedTopic('main', 'web-1')}/x`), undefined);
});
