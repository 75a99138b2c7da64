// SPDX-License-Identifier: Apache-2.0
// What a request asks for as a right: which method an end point takes, which role it needs, what it is called in
// the audit log, and whether it stands there at all. Pure.

import type { Role } from '../../protocol/registry-api.js';
import type { Who } from './access.js';
import type { Route } from './route.js';
import { Refusal } from './types.js';

const methods: Readonly<Record<Route['at'], readonly string[]>> = {
  base: ['GET', 'HEAD'],
  catalog: ['GET', 'HEAD'],
  tags: ['GET', 'HEAD'],
  referrers: ['GET', 'HEAD'],
  blob: ['GET', 'HEAD', 'DELETE'],
  manifest: ['GET', 'HEAD', 'PUT', 'DELETE'],
  uploads: ['POST'],
  upload: ['GET', 'PATCH', 'PUT', 'DELETE'],
};

/** @throws Refusal UNSUPPORTED */
export function checkMethod(method: string, route: Route): void {
  const allowed = methods[route.at];
  if (allowed.includes(method)) return;
  const allow = { allow: allowed.join(', ') };
  throw new Refusal(405, 'UNSUPPORTED', `${method} is not done here`, allow);
}

/** @throws Refusal DENIED */
export function checkRight(method: string, route: Route, who: Who): void {
  if (!('name' in route)) return; // the catalog shows what may be pulled
  const role = roleFor(method, route);
  if (who.may(route.name, role)) return;
  throw new Refusal(403, 'DENIED', `${who.name} may not ${role} ${wordOf(role)}${route.name}`);
}

function wordOf(role: Role): string {
  return role === 'push' ? 'to ' : role === 'pull' ? 'from ' : '';
}

function roleFor(method: string, route: Route): Role {
  if (route.at === 'uploads' || route.at === 'upload') return 'push';
  if (method === 'DELETE') return 'admin';
  return method === 'PUT' ? 'push' : 'pull';
}

/** What changes something, what was denied, and pulls of people; a fleet's own pulls would fill the log. */
export function isNoted(
  method: string,
  route: Route | undefined,
  who: Who | undefined,
  status: number,
  isAuthorized: boolean,
): boolean {
  if (status === 401) return isAuthorized; // the question that precedes every login is no news
  if (status === 403 || status === 429) return true;
  if (status >= 400 || route === undefined) return false;
  if (route.at === 'uploads' || route.at === 'upload') return status === 201;
  if (method === 'PUT' || method === 'DELETE') return true;
  return route.at === 'manifest' && method === 'GET' && who?.isDevice === false;
}

export function actionOf(method: string, route: Route | undefined, status: number): string {
  if (status === 401 || status === 403 || status === 429) return 'denied';
  if (method === 'DELETE') return 'delete';
  if (route?.at === 'uploads' || route?.at === 'upload') return 'upload';
  return method === 'PUT' ? 'push' : 'pull';
}
