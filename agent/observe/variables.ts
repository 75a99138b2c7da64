// SPDX-License-Identifier: Apache-2.0
// Completes a release with this device's variables. Pure. What cannot be completed stays as it is: a plan
// refuses to switch to such a release, and a good one that lost a variable goes on without that value.

import type { Assignment } from '../../protocol/assignment.js';
import { hostNamePattern } from '../../protocol/network.js';
import type { Release, Workload } from '../../protocol/release.js';
import type { Reference, Template } from '../../protocol/variable.js';

type Variables = Readonly<Record<string, string>>;

/** Those of the assignment and the three that are always there, which win. */
export function variablesOf(
  assignment: Pick<Assignment, 'device' | 'tenant' | 'variables'> | undefined,
  app: string,
): Variables {
  if (assignment === undefined) return { WHERRY_APP: app };
  const { device, tenant, variables } = assignment;
  return { ...variables, WHERRY_DEVICE: device, WHERRY_TENANT: tenant, WHERRY_APP: app };
}

export function completed(release: Release, variables: Variables): Release {
  return {
    ...release,
    workloads: release.workloads.map((one) => completedWorkload(one, variables)),
  };
}

function completedWorkload(workload: Workload, variables: Variables): Workload {
  const { environmentFrom, labelsFrom, hostnameFrom, ...rest } = workload;
  if (environmentFrom === undefined && labelsFrom === undefined && hostnameFrom === undefined) {
    return workload;
  }
  const environment = split(environmentFrom ?? {}, variables);
  const labels = split(labelsFrom ?? {}, variables);
  const hostname = hostnameFrom === undefined ? undefined : hostText(hostnameFrom, variables);
  return {
    ...rest,
    ...merged('environment', rest.environment, environment.values),
    ...merged('labels', rest.labels, labels.values),
    ...(hostname === undefined ? {} : { hostname }),
    ...(environment.open === undefined ? {} : { environmentFrom: environment.open }),
    ...(labels.open === undefined ? {} : { labelsFrom: labels.open }),
    ...(hostnameFrom === undefined || hostname !== undefined ? {} : { hostnameFrom }),
  };
}

function merged<K extends string>(
  key: K,
  own: Variables | undefined,
  more: Variables,
): { [P in K]?: Record<string, string> } {
  if (own === undefined && Object.keys(more).length === 0) return {};
  return { [key]: { ...own, ...more } } as { [P in K]?: Record<string, string> };
}

/** Values that can be said, and the templates that cannot. */
function split(
  templates: Readonly<Record<string, Template>>,
  variables: Variables,
): { values: Record<string, string>; open: Record<string, Template> | undefined } {
  const values: Record<string, string> = {};
  const open: Record<string, Template> = {};
  for (const [key, template] of Object.entries(templates)) {
    const value = textOf(template, variables);
    if (value === undefined) open[key] = template;
    else values[key] = value;
  }
  return { values, open: Object.keys(open).length === 0 ? undefined : open };
}

/** A name that no resolver takes is as good as none. */
function hostText(template: Template, variables: Variables): string | undefined {
  const value = textOf(template, variables);
  return value !== undefined && hostNamePattern.test(value) ? value : undefined;
}

function textOf(template: Template, variables: Variables): string | undefined {
  const parts = template.map((part) => (typeof part === 'string' ? part : found(part, variables)));
  return parts.some((part) => part === undefined) ? undefined : parts.join('');
}

function found(part: Reference, variables: Variables): string | undefined {
  const value = Object.hasOwn(variables, part.variable) ? variables[part.variable] : undefined;
  const isThere = value !== undefined && !(part.orEmpty === true && value === '');
  return isThere ? value : part.default;
}
