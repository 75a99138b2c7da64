// SPDX-License-Identifier: Apache-2.0
// What a service waits for: depends_on in both its forms, and the check that nobody waits for himself in the end.

import type { Workload } from '../../protocol/release.js';
import type { Context } from './context.js';
import { fault, refuse } from './fault.js';
import {
  booleanOf,
  entriesOf,
  type Field,
  type Fields,
  fieldsOf,
  isList,
  textOf,
  textsOf,
} from './field.js';

type DependsOn = NonNullable<Workload['dependsOn']>;
interface Waiting {
  readonly name: string;
  readonly dependsOn?: Workload['dependsOn'];
  readonly networkMode?: Workload['networkMode'];
}

const conditions = [
  'service_started',
  'service_healthy',
  'service_completed_successfully',
] as const;

/** One that is not required and not in the release (another profile, say) is left out. */
export function dependsOf(field: Field, context: Context): DependsOn {
  if (isList(field)) {
    return Object.fromEntries(textsOf(field).map((name) => [name, conditions[0]]));
  }
  const pairs = [...entriesOf(field)].flatMap(([name, at]) => {
    const fields = fieldsOf(at, ['condition', 'required', 'restart']);
    const [condition, required, again] = ['condition', 'required', 'restart'].map((key) =>
      fields.get(key),
    );
    if (again !== undefined && booleanOf(again)) {
      context.note(again, 'a device starts only what has changed; without effect');
    }
    const isLoose = required !== undefined && !booleanOf(required);
    if (isLoose && !context.services.has(name)) return [];
    const wanted = condition === undefined ? conditions[0] : textOf(condition);
    const word = conditions.find((one) => one === wanted);
    return [[name, word ?? refuse(condition ?? at, conditions.join(', '))] as const];
  });
  return Object.fromEntries(pairs);
}

/** A workload in the network of another one starts after it, whatever the file says. */
export function withSharer<T extends Waiting>(draft: T): T {
  const [mode, other] = (draft.networkMode ?? '').split(':');
  if (mode !== 'service' || other === undefined || draft.dependsOn?.[other] !== undefined)
    return draft;
  return { ...draft, dependsOn: { ...draft.dependsOn, [other]: conditions[0] } };
}

/** Every dependency is a service of the file, and none waits for itself in the end. @throws COMPOSE_REFERENCE */
export function checkOrder(drafts: readonly Waiting[], places: Fields): void {
  const waiting = new Map(drafts.map((draft) => [draft.name, Object.keys(draft.dependsOn ?? {})]));
  for (const [name, needs] of waiting) {
    const place = places.get(name);
    const absent = needs.find((need) => !waiting.has(need));
    if (absent !== undefined && place !== undefined) {
      const what = `depends_on names ${absent}, which is no service here`;
      throw fault('COMPOSE_REFERENCE', place, what);
    }
  }
  for (let progress = true; progress; ) {
    progress = false;
    for (const [name, needs] of waiting) {
      if (needs.some((need) => waiting.has(need))) continue;
      waiting.delete(name);
      progress = true;
    }
  }
  const [ring] = waiting.keys();
  const place = ring === undefined ? undefined : places.get(ring);
  if (place !== undefined) {
    throw fault('COMPOSE_REFERENCE', place, `waits in a ring: ${[...waiting.keys()].join(', ')}`);
  }
}
