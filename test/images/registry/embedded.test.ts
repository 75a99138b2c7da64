// SPDX-License-Identifier: Apache-2.0
// The fleet's own registry as the other side of our client, over mutual TLS: push in one piece and in chunks,
// pull whole and from the middle.

import test from 'ava';
import { mediaTypes } from '../../../images/oci/media.js';
import { codeOf } from '../../../protocol/error.js';
import { aRegistry as anEmbedded } from '../../kit/edges-registry.js';
import { aBlob, aManifest, aRegistry, gather } from '../../kit/images-server.js';

test('the embedded registry takes an image in pieces and gives it back', async (t) => {
  const { fleet, port, operator } = await anEmbedded(t);
  const registry = aRegistry(t, {
    identity: async () => ({ ...operator, ca: fleet.authority.certificatePem }),
    idleTimeoutMs: 10_000,
  });
  const reference = { host: `127.0.0.1:${port}`, repository: 'web', tag: 'v1' };
  const layers = [aBlob(1000), aBlob(20 * 1024 * 1024)];
  const { config, manifest } = aManifest(layers);
  for (const blob of [...layers, config]) {
    const read = async function* (from: number, to: number): AsyncGenerator<Buffer> {
      yield blob.bytes.subarray(from, to);
    };
    t.is(await registry.pushBlob(reference, { ...blob, read }), 'sent');
    t.is(await registry.pushBlob(reference, { ...blob, read }), 'there');
  }
  await registry.pushManifest(reference, { ...manifest, mediaType: mediaTypes.manifest });
  const found = await registry.manifest(reference);
  t.is(found.digest, manifest.digest);
  for (const blob of layers) {
    t.true((await gather(registry.blob(reference, blob))).equals(blob.bytes));
    const tail = await gather(registry.blob(reference, blob, { from: 900 }));
    t.true(tail.equals(blob.bytes.subarray(900)));
  }
  const stranger = aRegistry(t, {
    identity: async () => ({ ca: fleet.authority.certificatePem }),
    retry: { attemptCountMax: 1 },
  });
  const code = codeOf(await t.throwsAsync(stranger.manifest(reference)));
  t.true(code === 'REGISTRY_TLS' || code === 'REGISTRY_DENIED' || code === 'REGISTRY_AUTH', code);
});
