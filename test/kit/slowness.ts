// SPDX-License-Identifier: Apache-2.0
// How much slower than an ordinary machine this one is: an emulated device says so, and tests wait as much longer.

import process from 'node:process';

export const slowness = Number(process.env['WHERRY_TEST_SLOWNESS'] ?? 1);
