import test from 'ava';
import { formatClaimCode, parseClaimCode } from '../../protocol/enrol.js';
import { CodedError } from '../../protocol/error.js';
import { commonName, deviceId, digest, parseCommonName, tenant } from '../../protocol/name.js';
import {
  cmdTopic,
  desiredTopic,
  parseTopic,
  releaseTopic,
  slotOf,
  upTopic,
} from '../../protocol/topic.js';

test('the slot is crc32 of the device id modulo 64', (t) => {
  t.is(slotOf('123456789'), 0xcbf43926 % 64); // the check value of CRC-32/ISO-HDLC
});

test('every topic is read back as what it was built from', (t) => {
  const hex = 'a'.repeat(64);
  t.deepEqual(parseTopic(desiredTopic('main', 'dev-a')), {
    kind: 'desired',
    tenant: 'main',
    device: 'dev-a',
  });
  t.deepEqual(parseTopic(cmdTopic('main', 'dev-a', 'r1')), {
    kind: 'cmd',
    tenant: 'main',
    device: 'dev-a',
    requestId: 'r1',
  });
  t.deepEqual(parseTopic(releaseTopic('main', hex)), { kind: 'rel', tenant: 'main', hex });
  t.like(parseTopic(upTopic('main', 'dev-a', 'hello')), {
    kind: 'up',
    device: 'dev-a',
    up: 'hello',
  });
  t.like(parseTopic(upTopic('main', 'dev-a', 'res', 'q')), { up: 'res', requestId: 'q' });
});

test('a topic that is not of our form, or in a wrong slot, is nobody', (t) => {
  const slot = (slotOf('dev-a') + 1) % 64;
  for (const topic of [
    '',
    'w1',
    'w2/main/floor',
    'w1/main/floor/x',
    'w1/main/d/main--dev-a',
    'w1/main/d/dev-a/desired',
    'w1/main/d/other--dev-a/desired',
    'w1/main/d/+/desired',
    'w1/main/rel/abc',
    'w1/ma.in/floor',
    `w1/main/u/${slot}/main--dev-a/hello`,
    `w1/main/u/0${slotOf('dev-a')}/main--dev-a/hello`,
    `${upTopic('main', 'dev-a', 'hello')}/x`,
    'w1/main/d/main--dev-a/cmd/a b',
  ]) {
    t.is(parseTopic(topic), undefined, topic);
  }
});

test('a common name splits one way only', (t) => {
  t.deepEqual(parseCommonName('main--a--b'), { tenant: 'main', device: 'a--b' });
  t.is(parseCommonName('--a'), undefined);
  t.is(parseCommonName('main'), undefined);
  t.is(parseCommonName('main--'), undefined);
  t.is(parseCommonName('Main--a'), undefined);
  t.throws(() => tenant('a--b', 'tenant'), { instanceOf: CodedError });
});

test('names outside the form are refused with the field and what is allowed', (t) => {
  const error = t.throws(() => deviceId('a.b', 'hello.device'), { instanceOf: CodedError });
  t.is(error?.code, 'SHAPE_BAD');
  t.regex(error?.message ?? '', /^hello\.device: must be lower-case letters/);
  t.throws(() => digest(`sha256:${'A'.repeat(64)}`, 'd'), { instanceOf: CodedError });
  t.throws(() => digest(`md5:${'a'.repeat(32)}`, 'd'), { instanceOf: CodedError });
});

test('a claim code is read back, and a cut one is refused', (t) => {
  const claim = { host: 'fleet.example', port: 8443, secret: 's'.repeat(22), pin: 'p'.repeat(43) };
  const code = formatClaimCode(claim);
  t.deepEqual(parseClaimCode(` ${code}\n`), claim);
  t.deepEqual(parseClaimCode(formatClaimCode({ ...claim, host: '10.0.0.1' })).host, '10.0.0.1');
  t.deepEqual(parseClaimCode(formatClaimCode({ ...claim, host: '[fd00::1]' })).host, '[fd00::1]');
  for (const bad of [
    code.slice(0, -1),
    code.replace('8443', '0'),
    code.replace('wherry1', 'wherry2'),
    '',
  ]) {
    t.is(t.throws(() => parseClaimCode(bad), { instanceOf: CodedError })?.code, 'CLAIM_BAD');
  }
});

test('attack: a tenant whose common names would split another way is refused', (t) => {
  for (const bad of ['a-', '-a', 'a--b', 'a'.repeat(32), '']) {
    t.throws(() => tenant(bad, 'tenant'), { code: 'SHAPE_BAD' } as never, bad);
  }
  for (const good of ['a', 'a-b', 'a'.repeat(31)]) {
    const name = commonName(tenant(good, 'tenant'), 'dev-1');
    t.deepEqual(parseCommonName(name), { tenant: good, device: 'dev-1' });
  }
});
