#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Writes NOTICES.md: every third-party package that is shipped, with its licence, and its licence text.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Locked {
  readonly version?: string;
  readonly license?: string;
  readonly dev?: boolean;
}

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
  packages: Record<string, Locked>;
};
const shipped = Object.entries(lock.packages)
  .filter(([path, entry]) => path.startsWith('node_modules/') && entry.dev !== true)
  .map(([path, entry]) => ({ path, name: path.replace(/^.*node_modules\//, ''), ...entry }))
  .sort((a, b) => a.name.localeCompare(b.name));

function licenceText(path: string): string {
  if (!existsSync(path)) return '';
  const file = readdirSync(path).find((name) => /^(licen[cs]e|copying)(\.|-|$)/i.test(name));
  return file === undefined ? '' : readFileSync(join(path, file), 'utf8').trim();
}

const rows = shipped.map(
  (each) => `| ${each.name} | ${each.version} | ${each.license ?? 'see text'} |`,
);
const texts = new Map<string, string[]>();
for (const each of shipped) {
  const text = licenceText(each.path);
  if (text !== '') texts.set(text, [...(texts.get(text) ?? []), each.name]);
}
const native = [
  '| musl | Debian 12 | MIT |',
  '| zlib | Debian 12 | Zlib |',
  '| Zstandard (libzstd) | Debian 12 | BSD-3-Clause |',
];
process.stdout.write(`# Third-party notices

Wherry itself is under the Apache License 2.0 (\`LICENSE\`). It is shipped with these; written by \`make docs\`.

## Linked into the native programs

| name | version | licence |
|---|---|---|
${native.join('\n')}

## npm packages

| name | version | licence |
|---|---|---|
${rows.join('\n')}

${[...texts].map(([text, names]) => `## ${names.join(', ')}\n\n\`\`\`\n${text}\n\`\`\``).join('\n\n')}
`);
