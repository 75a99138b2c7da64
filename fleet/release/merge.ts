// SPDX-License-Identifier: Apache-2.0
// Lays one service over another as Compose's merge rules have it: maps by key, lists one behind the other, a
// command as a whole, mounts and devices by their target. Pure.

import type { Entry, ListNode, MapNode, Node, ScalarNode } from './tree.js';

/** Lists of KEY=VALUE that may also be maps. */
const pairKeys: readonly string[] = ['environment', 'labels', 'sysctls'];
/** Lists of names that may also be maps. */
const nameKeys: readonly string[] = ['depends_on', 'networks'];
/** What counts whole. */
const wholeKeys: readonly string[] = ['command', 'entrypoint', 'test'];
/** One string or a list of them. */
const listKeys: readonly string[] = ['dns', 'dns_search', 'dns_opt', 'tmpfs', 'env_file'];
/** Lists whose items lie at a target. */
const targetKeys: readonly string[] = ['volumes', 'devices', 'configs', 'tmpfs'];

export function mergeNodes(base: Node, over: Node, key = ''): Node {
  if (wholeKeys.includes(key)) return over;
  const [a, b] = [formOf(base, key), formOf(over, key)];
  if (a.kind === 'map' && b.kind === 'map') return mergeMaps(a, b);
  if (a.kind === 'list' && b.kind === 'list') return mergeLists(a, b, key);
  return over;
}

function mergeMaps(base: MapNode, over: MapNode): MapNode {
  const all = new Map<string, Entry>(base.entries.map((entry) => [entry.key, entry]));
  for (const entry of over.entries) {
    const before = all.get(entry.key);
    const value =
      before === undefined ? entry.value : mergeNodes(before.value, entry.value, entry.key);
    all.set(entry.key, { ...entry, value });
  }
  return { ...over, entries: [...all.values()] };
}

function mergeLists(base: ListNode, over: ListNode, key: string): ListNode {
  const nameOf = targetKeys.includes(key) ? targetOf : textIn;
  const later = new Set(over.items.map(nameOf));
  const kept = base.items.filter((item) => {
    const name = nameOf(item);
    return name === undefined || !later.has(name);
  });
  return { ...over, items: [...kept, ...over.items] };
}

function textIn(node: Node): string | undefined {
  return node.kind === 'scalar' ? node.text : undefined;
}

function targetOf(node: Node): string | undefined {
  if (node.kind === 'map') {
    const target = node.entries.find(({ key }) => key === 'target')?.value;
    return target === undefined ? undefined : textIn(target);
  }
  const [source, target] = textIn(node)?.split(':') ?? [];
  return target ?? source;
}

/** Different forms of one thing in the form that merges. */
function formOf(node: Node, key: string): Node {
  if (node.kind === 'scalar' && listKeys.includes(key) && node.value !== null) {
    return { kind: 'list', file: node.file, line: node.line, items: [node] };
  }
  if (node.kind !== 'list') return node;
  if (pairKeys.includes(key)) return mapOf(node, pairOf);
  return nameKeys.includes(key) ? mapOf(node, (item) => nameOf(item, key)) : node;
}

function mapOf(list: ListNode, each: (item: ScalarNode) => Entry): Node {
  const scalars = list.items.filter((item): item is ScalarNode => item.kind === 'scalar');
  if (scalars.length < list.items.length) return list; // refused where it is read
  return { kind: 'map', file: list.file, line: list.line, entries: scalars.map(each) };
}

function pairOf(item: ScalarNode): Entry {
  const { file, line, text } = item;
  const at = text.indexOf('=');
  const [key, rest] = at < 0 ? [text, null] : [text.slice(0, at), text.slice(at + 1)];
  return { key, file, line, value: { ...item, value: rest, text: rest ?? '' } };
}

function nameOf(item: ScalarNode, key: string): Entry {
  const { file, line, text } = item;
  const none: ScalarNode = { ...item, value: null, text: '' };
  const started: ScalarNode = { ...item, value: 'service_started', text: 'service_started' };
  const entries = [{ key: 'condition', file, line, value: started }];
  const value: Node = key === 'networks' ? none : { kind: 'map', file, line, entries };
  return { key: text, file, line, value };
}
