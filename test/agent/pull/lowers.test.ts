// SPDX-License-Identifier: Apache-2.0
// Layers that wait for those below with their last step, while those below wait for room: neither waits for ever.

import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mediaTypes } from '../../../images/oci/media.js';
import { hostPlatform } from '../../../images/oci/platform.js';
import { codeOf } from '../../../protocol/error.js';
import { tempFolder } from '../../kit/images-certs.js';
import { aSmallDevice } from '../../kit/images-device.js';
import { digestFor, serveBlobs, startServer, type TestBlob } from '../../kit/images-server.js';
import { needs } from '../../kit/needs.js';

const asRoot = needs(['root']);

function blobOf(bytes: Buffer): TestBlob {
  return { bytes, digest: digestFor(bytes), size: bytes.length };
}

/** An image of plain tars, lowest first. */
function imageOf(tars: readonly Buffer[]): { digest: TestBlob['digest']; blobs: TestBlob[] } {
  const layers = tars.map(blobOf);
  const { os, architecture } = hostPlatform();
  const diffIds = layers.map(({ digest }) => digest);
  const config = blobOf(
    Buffer.from(
      JSON.stringify({ os, architecture, rootfs: { type: 'layers', diff_ids: diffIds } }),
    ),
  );
  const named = (mediaType: string, { digest, size }: TestBlob): object => ({
    mediaType,
    digest,
    size,
  });
  const manifest = blobOf(
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: mediaTypes.manifest,
        config: named(mediaTypes.config, config),
        layers: layers.map((layer) => named(mediaTypes.layerTar, layer)),
      }),
    ),
  );
  return { digest: manifest.digest, blobs: [...layers, config, manifest] };
}

/** The layer below brings /d with its mode and a large file, the one above only a file in /d. */
function twoTars(folder: string, bytes: number): [Buffer, Buffer] {
  mkdirSync(join(folder, 'd'));
  writeFileSync(join(folder, 'd/large'), Buffer.alloc(bytes));
  writeFileSync(join(folder, 'd/small'), 'small');
  chmodSync(join(folder, 'd'), 0o1777);
  const tar = (...names: string[]): Buffer =>
    execFileSync('tar', ['-C', folder, '--no-recursion', '-cf', '-', ...names], {
      maxBuffer: 2 ** 26,
    });
  return [tar('d', 'd/large'), tar('d/small')];
}

for (const [bytes, outcome] of [
  [8_000_000, 'done'],
  [12_000_000, 'NO_SPACE'],
] as const) {
  asRoot(
    `a layer waits for its folders of a lower one of ${bytes} bytes: ${outcome}`,
    async (t) => {
      const image = imageOf(twoTars(tempFolder(t), bytes));
      const server = await startServer(t, (request, response) =>
        serveBlobs(image.blobs, request, response),
      );
      const device = await aSmallDevice(t, 10_000_000);
      const wanted = { reference: `${server.host}/web:v1`, digest: image.digest };
      const pulled = await device.pull.image(wanted, {}).catch(codeOf);
      if (typeof pulled === 'string') {
        t.is<string, string>(pulled, outcome);
        return;
      }
      t.is(outcome, 'done');
      t.is(statSync(join(pulled.layers[1]?.dir ?? '', 'd')).mode & 0o7777, 0o1777);
    },
  );
}
