// SPDX-License-Identifier: Apache-2.0
// Chooses kernel modules from depmod's list: a module with all that it needs, in the order of loading; and those
// that a device keeps. Reads modules.dep alone; copies nothing.

import { basename } from 'node:path';
import { bootModules, rootModules, softModules } from './machine.js';

export interface ModuleChoice {
  /** In the order of loading; paths below lib/modules/VERSION. */
  readonly boot: readonly string[];
  readonly root: readonly string[];
}

/** `modulesDep`: the text of modules.dep, `PATH: PATHS THAT IT NEEDS` a line. */
export function chooseModules(modulesDep: string): ModuleChoice {
  const needs = new Map<string, readonly string[]>();
  for (const line of modulesDep.split('\n')) {
    const [path = '', rest = ''] = line.split(':');
    if (path !== '')
      needs.set(
        path,
        rest.split(' ').filter((word) => word !== ''),
      );
  }
  const byName = new Map([...needs.keys()].map((path) => [nameOf(path), path]));
  const closure = (path: string): string[] => [
    // depmod lists all that a module needs, the one to be loaded first at the end.
    ...new Set([...[...(needs.get(path) ?? [])].reverse(), path]),
  ];
  const named = (names: readonly string[]): string[] =>
    names.flatMap((name) => byName.get(name) ?? []).flatMap(closure);
  const patterns = rootModules.map(patternOf);
  const kept = [...needs.keys()].filter((path) => patterns.some((pattern) => pattern.test(path)));
  const boot = [...new Set(named([...softModules, ...bootModules]))];
  return { boot, root: [...new Set([...boot, ...kept.flatMap(closure)])] };
}

function nameOf(path: string): string {
  return basename(path)
    .replace(/\.ko.*$/, '')
    .replaceAll('-', '_');
}

function patternOf(glob: string): RegExp {
  const text = glob.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*');
  return new RegExp(`^kernel/${text}$`);
}
