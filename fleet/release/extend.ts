// SPDX-License-Identifier: Apache-2.0
// Compose `extends`: a service takes what another one has, of this file or of another one, and its own keys lie
// over it. Rings and long chains are refused.

import { fault } from './fault.js';
import { entriesOf, type Field, type Fields, fieldsOf, isMap, need, textOf } from './field.js';
import { mergeNodes } from './merge.js';
import type { Node } from './tree.js';

/** The services of another file, by its path as written and the place that names it. @throws COMPOSE_* */
export type LoadServices = (path: Field, text: string) => Fields;

const chainMax = 16;

/** Each service whole. @throws COMPOSE_* */
export function extendAll(services: Fields, load: LoadServices): Fields {
  return new Map(
    [...services].map(([name, field]) => [
      name,
      { ...field, node: extendedOf(field, services, load, []) },
    ]),
  );
}

function extendedOf(
  field: Field,
  services: Fields,
  load: LoadServices,
  trail: readonly string[],
): Node {
  const { node } = field;
  if (node.kind !== 'map') return node;
  const wanted = entriesOf(field).get('extends');
  if (wanted === undefined) return node;
  const here = `${field.file}: ${field.key}`;
  if (trail.includes(here) || trail.length >= chainMax) {
    throw fault(
      'COMPOSE_REFERENCE',
      wanted,
      `extends itself in the end: ${[...trail, here].join(' > ')}`,
    );
  }
  const { name, others } = sourceOf(wanted, services, load);
  const base = others.get(name);
  if (base === undefined) {
    throw fault('COMPOSE_REFERENCE', wanted, `names ${name}, which is no service there`);
  }
  const own = { ...node, entries: node.entries.filter(({ key }) => key !== 'extends') };
  return mergeNodes(extendedOf(base, others, load, [...trail, here]), own);
}

function sourceOf(
  wanted: Field,
  services: Fields,
  load: LoadServices,
): { name: string; others: Fields } {
  if (!isMap(wanted)) return { name: textOf(wanted, 'the name of a service'), others: services };
  const fields = fieldsOf(wanted, ['service', 'file']);
  const file = fields.get('file');
  const name = textOf(need(fields, wanted, 'service'));
  return { name, others: file === undefined ? services : load(file, textOf(file)) };
}
