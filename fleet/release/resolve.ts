// SPDX-License-Identifier: Apache-2.0
// Asks registries which digest a reference has now. The fleet's own registry is asked with the operator's
// identity, others with what the host's certs.d folders hold, so that neither sees the other's.

import { formatReference, parseReference } from '../../images/oci/reference.js';
import { certDirsOf } from '../../images/registry/certs.js';
import { openRegistry } from '../../images/registry/client.js';
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
  const others = openRegistry({ certDirs: certDirsOf(config) });
  return {
    resolve: async (text) => {
      const asked = parseReference(text);
      const registry = own.hosts.includes(asked.host) ? ours : others;
      const { digest } = await registry.manifest(asked);
      const { digest: _named, ...written } = asked;
      return { reference: formatReference(written), digest };
    },
    close: () => {
      ours.close();
      others.close();
    },
  };
}
