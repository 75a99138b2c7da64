// SPDX-License-Identifier: Apache-2.0
// A large layer passes through the agent without staying in it: a process of its own pulls one, and the
// buffers that it holds are counted.

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { tempFolder } from '../../kit/images-certs.js';
import { anImage } from '../../kit/images-device.js';
import { serveBlobs, startServer } from '../../kit/images-server.js';
import { needs } from '../../kit/needs.js';

const layerBytes = 150_000_000;
const bufferBytesMax = 24_000_000;
const puller = fileURLToPath(new URL('../../kit/images-puller.js', import.meta.url));

needs(['root'])('the pull of a 150 MB layer never holds more than 24 MB of buffers', async (t) => {
  const image = await anImage(t, [{ big: randomBytes(layerBytes) }], { compression: 'none' });
  const server = await startServer(t, (request, response) =>
    serveBlobs(image.blobs, request, response),
  );
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--max-semi-space-size=1',
    '--max-old-space-size=64',
    puller,
    tempFolder(t),
    `${server.host}/web:v1`,
    image.digest,
  ]);
  t.log(`${stdout.trim()} bytes`);
  t.true(Number(stdout) > 0 && Number(stdout) < bufferBytesMax);
});
