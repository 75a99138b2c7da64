// SPDX-License-Identifier: Apache-2.0
// The secrets that the fleet has sealed to this device: its X25519 key, made beside the TLS key at enrolment, and
// the last signed document. On the disk and on the broker they are only ever sealed; open() gives one in
// clear, into memory, to who asks. An older document never takes the place of a newer one.

import { join } from 'node:path';
import { makeFolder, readIfThere, writeDurable } from '../../adapters/durable.js';
import { verifyEnvelope } from '../../images/sign/envelope.js';
import { makeSealKey, sealKeyOf, unseal } from '../../images/sign/seal.js';
import { payloadTypes } from '../../protocol/envelope.js';
import { CodedError, codeOf } from '../../protocol/error.js';
import { parseJson } from '../../protocol/json.js';
import {
  type RegistryLogin,
  registryLogin,
  registrySecret,
  type SealedDocument,
  sealContext,
  sealedDocument,
} from '../../protocol/sealed.js';
import type { TrustedKey } from '../../protocol/trust.js';

export interface Sealed {
  /**
   * Takes a document from the broker; durable when it resolves.
   * @throws SIGN_*, SHAPE_BAD, JSON_BAD, SEALED_REFUSED, NO_SPACE
   */
  accept(text: string): Promise<'new' | 'known'>;
  /** The secret in clear; undefined where the fleet gave none of that name. @throws SEAL_BROKEN */
  open(name: string): Buffer | undefined;
  readonly names: readonly string[];
}

export interface SealOwner {
  readonly tenant: string;
  readonly device: string;
  readonly trust: { readonly assignment: readonly TrustedKey[] };
}

const textBytesMax = 160 * 1024;

const keyPath = (configDir: string): string => join(configDir, 'identity', 'seal.key');
const documentPath = (configDir: string): string => join(configDir, 'identity', 'sealed.json');

/** The login of a registry. @throws SEAL_BROKEN, SHAPE_BAD */
export function loginFrom(sealed: Sealed, host: string): RegistryLogin | undefined {
  const bytes = sealed.open(registrySecret(host));
  if (bytes === undefined) return undefined;
  return registryLogin(parseJson(bytes.toString('utf8'), 'login'), 'login');
}

/** The public half, base64; the key is made where there is none or a damaged one. @throws NO_SPACE */
export async function openSealKey(configDir: string): Promise<string> {
  const path = keyPath(configDir);
  const text = await readIfThere(path);
  if (text !== undefined) {
    try {
      return sealKeyOf(String(text));
    } catch {
      // damaged: what was sealed to it is lost, and sealed again after the enrolment that asks for this
    }
  }
  const { privateKey, publicKey } = makeSealKey();
  await makeFolder(join(configDir, 'identity'), 0o700);
  await writeDurable(path, privateKey, { mode: 0o600 });
  return publicKey;
}

/** What was kept and no longer verifies counts as absent: the fleet sends it again. */
export async function openSealed(configDir: string, owner: SealOwner): Promise<Sealed> {
  const key = String((await readIfThere(keyPath(configDir))) ?? '');
  let kept = await readKept(configDir, owner);
  return {
    accept: async (text) => {
      const document = readSealed(text, owner);
      if (kept !== undefined && document.version < kept.version) {
        const what = `the sealed document ${document.version} is older than ${kept.version}`;
        throw new CodedError('SEALED_REFUSED', what, { version: document.version });
      }
      // Sealing is never twice the same, so the version alone says whether it is news; unless the kept one is useless.
      if (kept?.version === document.version && opens(kept, key)) return 'known';
      await writeDurable(documentPath(configDir), text, { mode: 0o600 });
      kept = document;
      return 'new';
    },
    open: (name) => {
      const item = kept?.items.find((one) => one.name === name);
      return kept === undefined || item === undefined ? undefined : openItem(kept, item, key);
    },
    get names() {
      return (kept?.items ?? []).map(({ name }) => name);
    },
  };
}

function readSealed(text: string, owner: SealOwner): SealedDocument {
  const envelope = parseJson(text, 'sealed', { bytesMax: textBytesMax });
  const payload = verifyEnvelope(envelope, payloadTypes.sealed, owner.trust.assignment);
  const value = parseJson(payload.toString('utf8'), 'sealed', { bytesMax: textBytesMax });
  const document = sealedDocument(value, 'sealed');
  if (document.tenant === owner.tenant && document.device === owner.device) return document;
  const whose = `${document.tenant} ${document.device}`;
  throw new CodedError('SEALED_REFUSED', `the sealed document is for ${whose}`, { whose });
}

async function readKept(configDir: string, owner: SealOwner): Promise<SealedDocument | undefined> {
  const text = await readIfThere(documentPath(configDir));
  if (text === undefined) return undefined;
  try {
    return readSealed(String(text), owner);
  } catch {
    return undefined; // of an earlier enrolment, or damaged
  }
}

type Item = SealedDocument['items'][number];

function openItem({ tenant, device }: SealedDocument, item: Item, key: string): Buffer {
  const { name, version } = item;
  return unseal(item.sealed, key, sealContext({ tenant, device, name, version }));
}

function opens(document: SealedDocument, key: string): boolean {
  try {
    for (const item of document.items) openItem(document, item, key);
    return true;
  } catch (error) {
    if (codeOf(error) === 'BUG') throw error;
    return false;
  }
}
