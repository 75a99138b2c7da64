// SPDX-License-Identifier: Apache-2.0
// The Compose specification's own JSON schema, from a package that carries it: what it calls wrong is no Compose
// file, and what it knows we have to read or refuse.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Ajv } from 'ajv';
import { parse } from 'yaml';

const require = createRequire(import.meta.url);
const path = require
  .resolve('dclint/package.json')
  .replace(/package\.json$/, 'schemas/compose.schema.json');

interface Schema {
  readonly $schema?: string;
  readonly properties: Readonly<Record<string, unknown>>;
  readonly definitions?: Readonly<Record<string, Definition>>;
  readonly $defs?: Readonly<Record<string, Definition>>;
}
interface Definition {
  readonly properties?: Readonly<Record<string, unknown>>;
}

const schema = JSON.parse(readFileSync(path, 'utf8')) as Schema;
const { $schema: _dialect, ...plain } = schema;
const ajv = new Ajv({ strict: false, validateFormats: false });
const validate = ajv.compile(plain);

/** What the specification has against the text, or nothing. */
export function schemaFaults(text: string): string[] {
  const document: unknown = parse(text, { merge: true });
  if (validate(document)) return [];
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

export const topKeys: readonly string[] = Object.keys(schema.properties);

export function keysOf(definition: string): string[] {
  const found = (schema.definitions ?? schema.$defs)?.[definition]?.properties;
  if (found === undefined) throw new Error(`the schema has no ${definition}`);
  return Object.keys(found);
}
