// SPDX-License-Identifier: Apache-2.0
// WWW-Authenticate (RFC 9110 §11.6.1) as registries send it: Basic, or Bearer with realm, service and scope.
// Bounded and without backtracking; what is not understood is no challenge.

export type Challenge =
  | { scheme: 'basic' }
  | { scheme: 'bearer'; realm: string; service?: string; scope?: string };

const lengthMax = 4096;
const parameter = /([A-Za-z0-9_-]{1,32})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/gy;

/** The first challenge that we can answer; bearer before basic. */
export function parseChallenge(header: string | undefined): Challenge | undefined {
  if (header === undefined || header.length > lengthMax) return undefined;
  const bearer = /(?:^|,)\s*bearer\s+/i.exec(header);
  if (bearer !== null) {
    const found = parametersOf(header, bearer.index + bearer[0].length);
    const { realm, service, scope } = found;
    if (realm !== undefined) {
      return {
        scheme: 'bearer',
        realm,
        ...(service === undefined ? {} : { service }),
        ...(scope === undefined ? {} : { scope }),
      };
    }
  }
  return /(?:^|,)\s*basic(?:\s|,|$)/i.test(header) ? { scheme: 'basic' } : undefined;
}

function parametersOf(header: string, from: number): Partial<Record<string, string>> {
  const found: Partial<Record<string, string>> = {};
  parameter.lastIndex = from;
  for (let match = parameter.exec(header); match !== null; match = parameter.exec(header)) {
    const name = (match[1] ?? '').toLowerCase();
    found[name] ??= match[2]?.replace(/\\(.)/g, '$1') ?? match[3] ?? '';
    const gap = /[\s,]*/y;
    gap.lastIndex = parameter.lastIndex;
    gap.exec(header);
    parameter.lastIndex = gap.lastIndex;
  }
  return found;
}
