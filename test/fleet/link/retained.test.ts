// SPDX-License-Identifier: Apache-2.0
// The account of retained messages: whatever is booked, its bounds hold.

import test from 'ava';
import fc from 'fast-check';
import { retainedAccount } from '../../../fleet/link/retained.js';

test('count and bytes never pass their bounds, and follow what was taken', (t) => {
  const booking = fc.tuple(
    fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    fc.integer({ min: 0, max: 40 }),
  );
  fc.assert(
    fc.property(fc.array(booking, { maxLength: 50 }), (bookings) => {
      const account = retainedAccount({ countMax: 3, bytesMax: 80 });
      const held = new Map<string, number>();
      for (const [topic, bytes] of bookings) {
        if (!account.book(topic, bytes)) continue;
        if (bytes === 0) held.delete(topic);
        else held.set(topic, bytes + topic.length);
      }
      const bytes = [...held.values()].reduce((sum, each) => sum + each, 0);
      return (
        account.count === held.size && account.bytes === bytes && held.size <= 3 && bytes <= 80
      );
    }),
  );
  t.pass();
});

test('a full account still takes a smaller message in place of a larger one, and a removal', (t) => {
  const account = retainedAccount({ countMax: 2, bytesMax: 100 });
  t.true(account.book('a', 50));
  t.true(account.book('b', 48));
  t.false(account.book('b', 49));
  t.false(account.book('c', 1));
  t.true(account.book('a', 10));
  t.true(account.book('b', 0));
  t.true(account.book('c', 60));
});
