// SPDX-License-Identifier: Apache-2.0
// Asks registries which digest a reference has now. The fleet's own registry is asked with the operator's
// identity, others with what the host's certs.d folders, logins and registries.json hold, so that neither sees
// the other's. Mirrors are not asked: what a tag means now, only the registry itself knows.

import { parseManifest } from '../../images/oci/manifest.js';
import { parsePlatform, pickManifest } from '../../images/oci/platform.js';
import { formatReference, parseReference } from '../../images/oci/reference.js';
import { authFilesOf, credentialsFrom } from '../../images/registry/auth-file.js';
import { certDirsOf } from '../../images/registry/certs.js';
import { openRegistry, type Registry } from '../../images/registry/client.js';
import type { FetchedManifest } from '../../images/registry/manifest.js';
import { readSettings } from '../../images/registry/settings.js';
import type { Digest } from '../../protocol/name.js';
import type { Resolve } from './release.js';

export interface Resolver {
  /** @throws IMAGE_*, REGISTRY_* */
  readonly resolve: Resolve;
  close(): void;
}

export interface ResolverOptions {
  /** /etc/wherry below the root, for its certs.d. */
  readonly config: string;
  /** The operator's folder, shown to these hosts only. */
  readonly own: { readonly folder: string; readonly hosts: readonly string[] };
}

export function openResolver(options: ResolverOptions): Resolver {
  const { own, config } = options;
  const ours = openRegistry({ certDirs: [own.folder] });
  let others: Promise<Registry> | undefined;
  const theOthers = (): Promise<Registry> => {
    others ??= openOthers(config);
    return others;
  };
  return {
    resolve: async (text, platform) => {
      const asked = parseReference(text);
      const registry = own.hosts.includes(asked.host) ? ours : await theOthers();
      const found = await registry.manifest(asked);
      const digest = platform === undefined ? found.digest : digestFor(found, platform);
      const { digest: _named, ...written } = asked;
      return { reference: formatReference(written), digest };
    },
    close: () => {
      ours.close();
      others?.then((registry) => registry.close()).catch(() => undefined); // resolve() has told it
    },
  };
}

/** @throws CONFIG_BAD */
async function openOthers(config: string): Promise<Registry> {
  const { isInsecure, proxyFor } = await readSettings(config, process.env);
  return openRegistry({
    isInsecure,
    proxyFor,
    certDirs: certDirsOf(config),
    credentials: credentialsFrom(authFilesOf(process.env)),
  });
}

/** Of the one manifest for a platform; an image of one platform is taken as it is. @throws IMAGE_PLATFORM */
function digestFor(found: FetchedManifest, platform: string): Digest {
  const read = parseManifest(found.bytes, found.mediaType);
  return read.kind === 'index' ? pickManifest(read, parsePlatform(platform)).digest : found.digest;
}
