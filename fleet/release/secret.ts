// SPDX-License-Identifier: Apache-2.0
// Warns of environment values that look like secrets: a release is readable by the whole tenant. It never
// prints the value, and refuses nothing.

import type { Draft } from './draft.js';
import type { Fields } from './field.js';

const names =
  /(^|_)(PASS|PASSWD|PASSWORD|PWD|SECRET|TOKEN|CREDENTIALS?|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY)(_|$)/i;
/** A path to a secret is none. */
const harmless = /_(FILE|PATH|DIR|URL_FILE)$/i;
const values = [
  /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
  /^AKIA[0-9A-Z]{16}$/,
  /^gh[pousr]_[A-Za-z0-9]{30,}$/,
  /^[a-z][a-z0-9+.-]*:\/\/[^/\s:@]+:[^/\s@]+@/i,
  /^eyJ[\w-]{10,}\.eyJ[\w-]{10,}\./,
];

export function secretNotes(draft: Draft, services: Fields): string[] {
  const { file = '', line = 1 } = services.get(draft.name) ?? {};
  return Object.entries(draft.environment ?? {})
    .filter(([name, value]) => value !== '' && looksSecret(name, value))
    .map(
      ([name]) =>
        `${file}:${line}: services.${draft.name}.environment.${name} looks like a secret; ` +
        'everybody in the tenant can read a release: mount a file of the device instead',
    );
}

function looksSecret(name: string, value: string): boolean {
  if (values.some((pattern) => pattern.test(value))) return true;
  return names.test(name) && !harmless.test(name);
}
