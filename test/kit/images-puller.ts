// SPDX-License-Identifier: Apache-2.0
// A process that only pulls, to be measured alone: puller.js STATE REFERENCE DIGEST prints the bytes of buffers
// that it held at most.

import { systemClock } from '../../adapters/clock.js';
import { openLog } from '../../adapters/log.js';
import { placesOf } from '../../adapters/places.js';
import { print } from '../../adapters/terminal.js';
import { openPull } from '../../agent/pull/pull.js';
import { openStore } from '../../agent/store/open.js';
import { hostPlatform } from '../../images/oci/platform.js';
import type { Digest } from '../../protocol/name.js';

const [, , state = '', reference = '', digest = ''] = process.argv;
const log = openLog('puller', 'silent');
const { store } = await openStore(placesOf(state), log);
const pull = openPull({ store, log, clock: systemClock, platform: hostPlatform(), certDirs: [] });
let peak = 0;
await pull.image(
  { reference, digest: digest as Digest },
  {
    onProgress: () => {
      peak = Math.max(peak, process.memoryUsage().arrayBuffers);
    },
  },
);
await store.close();
print(String(peak));
