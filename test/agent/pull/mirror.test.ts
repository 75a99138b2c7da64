// SPDX-License-Identifier: Apache-2.0
// Pulls through mirrors: one that gives wrong bytes costs a layer once more, never the image; one that is a
// pull-through cache (Debian's docker-registry) fetches what it lacks.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseReference } from '../../../images/oci/reference.js';
import { openRegistry } from '../../../images/registry/client.js';
import { aDevice, anImage } from '../../kit/images-device.js';
import { startDockerRegistry } from '../../kit/images-docker-registry.js';
import { serveBlobs, startServer } from '../../kit/images-server.js';
import { needs } from '../../kit/needs.js';

const asRoot = needs(['root']);
const withPeer = needs(['root', 'docker-registry']);
const retry = { firstMs: 5, stepMsMax: 20 };

asRoot(
  'a mirror that gives wrong bytes of the right length is passed over for that layer',
  async (t) => {
    const image = await anImage(t, [{ a: 'x'.repeat(50_000) }, { b: 'y' }]);
    const bad = image.layers[0]?.digest;
    const origin = await startServer(t, (request, response) =>
      serveBlobs(image.blobs, request, response),
    );
    const lying = await startServer(t, (request, response) => {
      const blobs = image.blobs.map((blob) =>
        blob.digest === bad ? { ...blob, bytes: Buffer.alloc(blob.size, 7) } : blob,
      );
      return serveBlobs(blobs, request, response);
    });
    const device = await aDevice(t, { registry: { retry, mirrorsOf: () => [lying.host] } });
    const reference = `${origin.host}/web:v1`;
    const pulled = await device.pull.image({ reference, digest: image.digest }, {});
    t.is(readFileSync(join(pulled.layers[0]?.dir ?? '', 'a'), 'utf8').length, 50_000);
    const asked = origin.requests
      .map(({ line }) => line)
      .filter((line) => line.includes('/blobs/'));
    t.deepEqual(asked, [`GET /v2/web/blobs/${bad}`]);
  },
);

withPeer(
  'an image comes through a pull-through cache, also when the registry is away',
  async (t) => {
    const image = await anImage(t, [{ a: 'one' }], { compression: 'gzip' });
    const hub = await startDockerRegistry(t);
    const registry = openRegistry();
    t.teardown(() => registry.close());
    const target = parseReference(`${hub}/team/web:v1`);
    const top = image.blobs.find(({ digest }) => digest === image.digest);
    for (const blob of image.blobs.filter(({ digest }) => digest !== image.digest)) {
      const read = async function* (from: number, to: number) {
        yield blob.bytes.subarray(from, to);
      };
      await registry.pushBlob(target, { ...blob, read });
    }
    const mediaType = 'application/vnd.oci.image.manifest.v1+json';
    await registry.pushManifest(target, {
      digest: image.digest,
      mediaType,
      bytes: top?.bytes ?? Buffer.alloc(0),
    });
    const cache = await startDockerRegistry(t, { remote: `http://${hub}` });
    // The registry itself is a name that leads nowhere.
    for (let count = 0; count < 2; count += 1) {
      const device = await aDevice(t, {
        registry: { retry, mirrorsOf: (host) => (host === 'nowhere.invalid' ? [cache] : []) },
      });
      const wanted = { reference: 'nowhere.invalid/team/web:v1', digest: image.digest };
      const pulled = await device.pull.image(wanted, {});
      t.is(readFileSync(join(pulled.layers[0]?.dir ?? '', 'a'), 'utf8'), 'one');
    }
  },
);
