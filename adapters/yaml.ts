// SPDX-License-Identifier: Apache-2.0
// YAML with positions: a tree of maps, lists and scalars where every node knows its line, so that an error
// can name it. Anchors, aliases and merge keys are followed here; what comes out has none. Bounded in size,
// depth and node count, so an alias bomb ends as an error. It knows nothing of Compose.

import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type Scalar,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';

export const yamlBytesMax = 256 * 1024;
const depthMax = 32;
const nodeCountMax = 20_000;

export interface YamlEntry {
  readonly key: string;
  /** Of the key. */
  readonly line: number;
  readonly value: YamlNode;
}

export type YamlNode =
  | { readonly kind: 'map'; readonly line: number; readonly entries: readonly YamlEntry[] }
  | { readonly kind: 'list'; readonly line: number; readonly items: readonly YamlNode[] }
  | {
      readonly kind: 'scalar';
      readonly line: number;
      readonly value: string | number | boolean | null;
      /** As written: `0.50` stays `0.50`; of a quoted scalar, its content. */
      readonly text: string;
    };

/** What is wrong with a document, and where. */
export class YamlError extends Error {
  override readonly name = 'YamlError';
  readonly line: number;

  constructor(message: string, line: number) {
    super(message);
    this.line = line;
  }
}

/** One document, YAML 1.2 core schema; an unknown tag is an error. @throws YamlError */
export function parseYaml(text: string): YamlNode {
  if (Buffer.byteLength(text) > yamlBytesMax) {
    throw new YamlError(`the file is longer than ${yamlBytesMax} bytes`, 1);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const lineAt = (offset: number): number => Math.max(1, lines.linePos(offset).line);
  const fault = document.errors[0] ?? document.warnings[0];
  if (fault !== undefined) throw new YamlError(fault.message, lineAt(fault.pos[0]));
  return new Reader(document, lineAt).read(document.contents, 0, 1);
}

class Reader {
  readonly #document: Document;
  readonly #lineAt: (offset: number) => number;
  #count = 0;

  constructor(document: unknown, lineAt: (offset: number) => number) {
    this.#document = document as Document;
    this.#lineAt = lineAt;
  }

  read(node: unknown, depth: number, lineAbove: number): YamlNode {
    const line = this.#lineOf(node, lineAbove);
    this.#count += 1;
    if (this.#count > nodeCountMax) throw new YamlError(`more than ${nodeCountMax} values`, line);
    if (depth > depthMax) throw new YamlError(`nested deeper than ${depthMax}`, line);
    const target = this.#resolve(node, line);
    if (isMap(target)) return { kind: 'map', line, entries: this.#entries(target, depth, line) };
    if (isSeq(target)) return { kind: 'list', line, items: this.#items(target, depth, line) };
    return scalarOf(target, line);
  }

  #items(list: YAMLSeq, depth: number, line: number): YamlNode[] {
    return list.items.map((item) => this.read(item, depth + 1, line));
  }

  /** Own keys come first; a merged key counts only where it is not there yet. */
  #entries(map: YAMLMap, depth: number, line: number): YamlEntry[] {
    const own = new Map<string, YamlEntry>();
    const merged: YamlEntry[] = [];
    for (const pair of map.items) {
      const keyLine = this.#lineOf(pair.key, line);
      const key = keyOf(pair.key, keyLine);
      if (key === '<<' && (pair.key as Scalar).type === 'PLAIN') {
        merged.push(...this.#merged(pair.value, depth, keyLine));
      } else {
        own.set(key, { key, line: keyLine, value: this.read(pair.value, depth + 1, keyLine) });
      }
    }
    for (const entry of merged) if (!own.has(entry.key)) own.set(entry.key, entry);
    return [...own.values()];
  }

  #merged(value: unknown, depth: number, line: number): YamlEntry[] {
    const node = this.read(value, depth + 1, line);
    const maps = node.kind === 'list' ? node.items : [node];
    return maps.flatMap((map) => {
      if (map.kind !== 'map') throw new YamlError('<< merges a map or a list of maps', line);
      return map.entries;
    });
  }

  #resolve(node: unknown, line: number): unknown {
    if (!isAlias(node)) return node;
    const target = (node as Alias).resolve(this.#document as never);
    if (target === undefined) {
      throw new YamlError(`the alias *${(node as Alias).source} has no anchor above it`, line);
    }
    return target;
  }

  #lineOf(node: unknown, fallback: number): number {
    const start = (node as Node | null)?.range?.[0];
    return start === undefined ? fallback : this.#lineAt(start);
  }
}

function keyOf(node: unknown, line: number): string {
  if (!isScalar(node) || node.value === null) throw new YamlError('a key must be a word', line);
  return typeof node.value === 'string' ? node.value : (node.source ?? String(node.value));
}

function scalarOf(node: unknown, line: number): YamlNode {
  if (node === null || node === undefined) return { kind: 'scalar', line, value: null, text: '' };
  const { value, source } = node as Scalar;
  if (typeof value === 'string') return { kind: 'scalar', line, value, text: value };
  if (value === null || typeof value === 'number' || typeof value === 'boolean') {
    return { kind: 'scalar', line, value, text: source ?? String(value) };
  }
  throw new YamlError(`a value of a kind that is not supported: ${String(value)}`, line);
}
