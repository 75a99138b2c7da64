import test from 'ava';
import { placesOf } from '../../adapters/places.js';

test('the device itself has the fixed places', (t) => {
  t.like(placesOf('/'), {
    state: '/var/lib/wherry',
    runtime: '/run/wherry',
    config: '/etc/wherry',
    cgroupParent: '/wherry',
    bridge: 'wherry0',
    subnet: '10.88.0',
  });
});

test('another root moves everything, and two roots never share', (t) => {
  const [a, b] = [placesOf('/tmp/a'), placesOf('/tmp/b')];
  t.is(a.state, '/tmp/a/var/lib/wherry');
  for (const key of ['cgroupParent', 'bridge', 'nftTable', 'subnet'] as const)
    t.not(a[key], b[key]);
  t.true(a.bridge.length <= 15);
  t.regex(a.subnet, /^10\.(89|9\d|1[01]\d|120)\.\d{1,3}$/);
});
