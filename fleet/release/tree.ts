// SPDX-License-Identifier: Apache-2.0
// A Compose file as a tree whose nodes know their file, since `extends` brings parts of others in, and the
// variables that their texts are completed with when they are read.

import { parseYaml, YamlError, type YamlNode } from '../../adapters/yaml.js';
import { fault } from './fault.js';
import type { Lookup } from './interpolate.js';

interface Spot {
  readonly file: string;
  readonly line: number;
}

export interface Entry extends Spot {
  readonly key: string;
  readonly value: Node;
}

export interface MapNode extends Spot {
  readonly kind: 'map';
  readonly entries: readonly Entry[];
}

export interface ListNode extends Spot {
  readonly kind: 'list';
  readonly items: readonly Node[];
}

export interface ScalarNode extends Spot {
  readonly kind: 'scalar';
  readonly value: string | number | boolean | null;
  /** As written, variables and all. */
  readonly text: string;
  readonly lookup: Lookup;
}

export type Node = MapNode | ListNode | ScalarNode;

/** @throws COMPOSE_FILE */
export function parseTree(text: string, file: string, lookup: Lookup): Node {
  try {
    return treeOf(parseYaml(text), file, lookup);
  } catch (error) {
    if (!(error instanceof YamlError)) throw error;
    throw fault('COMPOSE_FILE', { file, line: error.line, key: '' }, error.message);
  }
}

/** Bounded by what parseYaml lets through. */
function treeOf(node: YamlNode, file: string, lookup: Lookup): Node {
  const { line } = node;
  if (node.kind === 'list') {
    return {
      kind: 'list',
      file,
      line,
      items: node.items.map((item) => treeOf(item, file, lookup)),
    };
  }
  if (node.kind === 'scalar') return { ...node, file, lookup };
  const entries = node.entries.map(({ key, line: at, value }) => {
    return { key, file, line: at, value: treeOf(value, file, lookup) };
  });
  return { kind: 'map', file, line, entries };
}
