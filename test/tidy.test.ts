// SPDX-License-Identifier: Apache-2.0
// The shape of the project as tests: who may import whom, file sizes, banned names, one file a package, and the
// errors page against the table of codes.

import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';
import test from 'ava';
import { codes } from '../protocol/codes.js';

const rooms = ['protocol', 'adapters', 'images', 'provisioning', 'agent', 'fleet'];
const lineCountMax = 400;

/** Prefix of the importing file → prefixes it may import. The longest matching prefix counts. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  protocol: ['protocol'],
  adapters: ['protocol', 'adapters'],
  images: ['protocol', 'adapters', 'images'],
  'images/oci': ['protocol', 'images/oci'],
  provisioning: ['protocol', 'adapters', 'images/sign', 'provisioning'],
  'agent/plan': ['protocol', 'agent/plan'],
  'agent/store': ['protocol', 'adapters', 'agent/plan', 'agent/store'],
  'agent/observe': [
    'protocol',
    'adapters',
    'agent/plan',
    'agent/store',
    'agent/run',
    'agent/observe',
  ],
  'agent/desired': ['protocol', 'adapters', 'images/sign', 'agent/store', 'agent/desired'],
  'agent/apply': [
    'protocol',
    'adapters',
    'agent/plan',
    'agent/pull',
    'agent/store',
    'agent/run',
    'agent/apply',
  ],
  'agent/pull': ['protocol', 'adapters', 'images', 'agent/store', 'agent/pull'],
  'agent/run': ['protocol', 'adapters', 'images/oci', 'agent/store', 'agent/run'],
  'agent/report': ['protocol', 'adapters', 'agent/plan', 'agent/store', 'agent/report'],
  'agent/link': ['protocol', 'adapters', 'agent/link'],
  'agent/local': ['protocol', 'adapters', 'agent/store', 'agent/run', 'agent/plan', 'agent/local'],
  agent: ['protocol', 'adapters', 'images', 'provisioning/device', 'agent'],
  'fleet/rollout': ['protocol', 'fleet/rollout'],
  fleet: ['protocol', 'adapters', 'images', 'provisioning/authority', 'fleet'],
};

/** No node:*, no clock, no chance, no waiting: a plan is a function of its arguments. */
const pure = ['protocol', 'agent/plan', 'fleet/rollout'];

/** Names by which a thing hides that it is two things. */
const banned = [
  'manager',
  'service',
  'handler',
  'helper',
  'util',
  'utils',
  'common',
  'misc',
  'impl',
  'wrapper',
  'processor',
  'controller',
  'info',
];

function filesBelow(folder: string, ending: RegExp): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return filesBelow(path, ending);
    return ending.test(entry.name) ? [path] : [];
  });
}

const sources = rooms.flatMap((room) => filesBelow(room, /\.ts$/));

function importsOf(path: string): string[] {
  const text = readFileSync(path, 'utf8');
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] ?? '');
}

function longestPrefix(path: string): string {
  return Object.keys(mayImport)
    .filter((prefix) => path.startsWith(`${prefix}/`))
    .reduce((a, b) => (b.length > a.length ? b : a), '');
}

test('every file imports only what the import table allows its room', (t) => {
  const wrong: string[] = [];
  for (const path of sources) {
    const allowed = mayImport[longestPrefix(path)] ?? [];
    for (const name of importsOf(path).filter((word) => word.startsWith('.'))) {
      const target = normalize(join(dirname(path), name));
      if (!allowed.some((prefix) => target.startsWith(`${prefix}/`))) {
        wrong.push(`${path} imports ${target}`);
      }
    }
  }
  t.deepEqual(wrong, []);
});

test('plan, rollout and protocol are functions of their arguments', (t) => {
  const wrong: string[] = [];
  for (const path of sources.filter((file) => pure.some((room) => file.startsWith(`${room}/`)))) {
    const text = readFileSync(path, 'utf8').replace(/^\s*(\/\/|\*|\/\*).*$/gm, '');
    if (importsOf(path).some((name) => !name.startsWith('.'))) wrong.push(`${path}: a package`);
    for (const word of [
      'async ',
      'await ',
      'Math.random',
      'Date.now',
      'new Date',
      'performance.',
    ]) {
      if (text.includes(word)) wrong.push(`${path}: ${word}`);
    }
  }
  t.deepEqual(wrong, []);
});

test('a third-party package is imported from one file', (t) => {
  const users = new Map<string, Set<string>>();
  for (const path of sources) {
    for (const name of importsOf(path)) {
      if (name.startsWith('.') || name.startsWith('node:')) continue;
      users.set(name, (users.get(name) ?? new Set()).add(path));
    }
  }
  const many = [...users].filter(([, paths]) => paths.size > 1).map(([name, p]) => [name, ...p]);
  t.deepEqual(many, []);
});

test('every dependency of package.json is imported by somebody', (t) => {
  const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const imported = new Set(sources.flatMap(importsOf));
  t.deepEqual(
    Object.keys(manifest.dependencies).filter((name) => !imported.has(name)),
    [],
  );
});

test('a file does one thing: none is longer than 400 lines', (t) => {
  const all = [...sources, ...filesBelow('native', /\.[ch]$/), ...filesBelow('test', /\.(ts|c)$/)];
  const long = all
    .map((path) => ({ path, lines: readFileSync(path, 'utf8').split('\n').length - 1 }))
    .filter(({ lines }) => lines > lineCountMax);
  t.deepEqual(long, []);
});

test('no file or folder has a name that says nothing', (t) => {
  const all = [...sources, ...filesBelow('native', /\.[ch]$/)];
  const words = all.flatMap((path) =>
    path
      .split('/')
      .map((part) => ({ path, words: basename(part).replace(/\..*$/, '').split(/[-_]/) })),
  );
  const wrong = words.filter((entry) => entry.words.some((word) => banned.includes(word)));
  t.deepEqual(wrong, []);
});

test('every source file says first what it is', (t) => {
  const wrong = [...sources, ...filesBelow('native', /\.[ch]$/)].filter((path) => {
    const lines = readFileSync(path, 'utf8').split('\n').slice(0, 3).join('\n');
    return !lines.includes('SPDX-License-Identifier: Apache-2.0');
  });
  t.deepEqual(wrong, []);
});

test('docs/errors.md has a row for each code, and no other', (t) => {
  const page = readFileSync('docs/errors.md', 'utf8');
  const rows = [
    ...page.matchAll(/^\| `([A-Z0-9_]+)` \| ([^|]*) \| ([^|]*) \| (\w+) \| (\w+) \|$/gm),
  ];
  t.deepEqual(
    rows.map((row) => row.slice(1)),
    Object.entries(codes)
      .sort(([a], [b]) => a.localeCompare(b))
      .map(([code, entry]) => [code, entry.about, entry.remedy, entry.retry, entry.blame]),
  );
});

test('every code is thrown, or read, somewhere', (t) => {
  const text = [
    ...sources.filter((path) => !path.startsWith('protocol/codes/')),
    ...filesBelow('native', /\.[ch]$/),
  ]
    .map((path) => readFileSync(path, 'utf8'))
    .join('\n');
  t.deepEqual(
    Object.keys(codes).filter((code) => !new RegExp(`\\b${code}\\b`).test(text)),
    [],
  );
});

test('every top-level room has a page that says what it is', (t) => {
  const missing = [...rooms, 'native', 'test'].filter((room) => {
    return !readdirSync(room).includes('README.md');
  });
  t.deepEqual(missing, []);
});
