// SPDX-License-Identifier: Apache-2.0
// The operators' API of variables: what is set where, what one device gets, and setting it.

import { instantOf } from '../../adapters/clock.js';
import { variablesRequest } from '../../protocol/api.js';
import { CodedError } from '../../protocol/error.js';
import { deviceId } from '../../protocol/name.js';
import { addEvent } from '../store/events.js';
import { listVariables, type Scope, setVariables, variablesFor } from '../store/variables.js';
import type { Route } from './routes.js';

export const variableRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: /^\/v1\/variables$/,
    run: async ({ db }) => ({ status: 200, body: { variables: await listVariables(db) } }),
  },
  {
    method: 'POST',
    path: /^\/v1\/variables$/,
    run: async (desk, { body, actor }) => {
      const { db, clock } = desk;
      const { device, selector, variables } = variablesRequest(body, 'body');
      const scope = scopeOf(device, selector);
      await db.transaction(async (tx) => {
        await setVariables(tx, scope, variables);
        const message = `${Object.keys(variables).join(', ')} by ${actor}`;
        const whom = 'device' in scope ? { device: scope.device } : {};
        await addEvent(tx, { type: 'variablesSet', ...whom, message, at: instantOf(clock.now()) });
      });
      desk.look();
      return { status: 200, body: { variables: await listVariables(db) } };
    },
  },
  {
    method: 'GET',
    path: /^\/v1\/devices\/([^/]+)\/variables$/,
    run: async ({ db }, { path }) => {
      const device = deviceId(path[0], 'device');
      const variables = await db.transaction((tx) => variablesFor(tx, device));
      return { status: 200, body: { device, variables } };
    },
  },
];

function scopeOf(device: string | undefined, selector: Record<string, string> | undefined): Scope {
  if (device !== undefined && selector === undefined) return { device };
  if (selector !== undefined && device === undefined) return { selector };
  throw new CodedError('SHAPE_BAD', 'body: must have device or selector, and not both');
}
