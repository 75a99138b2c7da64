// SPDX-License-Identifier: Apache-2.0
// The process section of config.json: what to run, as whom, with which environment and rights. Limits are limits.ts. The rules are
// Docker's, since images are made for them.

import type { ImageConfig } from '../../images/oci/config.js';
import { CodedError } from '../../protocol/error.js';
import type { Workload } from '../../protocol/release.js';
import { capabilities } from './capabilities.js';
import type { Host } from './host.js';
import { oomScoreOf, rlimitsOf } from './limits.js';
import type { OciProcess } from './oci.js';
import type { User } from './user.js';

const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export function processOf(
  workload: Workload,
  config: ImageConfig,
  user: User,
  host: Host,
  names: { readonly hostname: string; readonly init?: string | undefined } = {
    hostname: workload.name,
  },
): OciProcess {
  const caps = capabilities(workload, host.capabilities);
  const held = user.uid === 0 ? caps : [];
  return {
    terminal: false,
    user: {
      uid: user.uid,
      gid: user.gid,
      umask: 0o022,
      ...(user.additionalGids.length === 0 ? {} : { additionalGids: user.additionalGids }),
    },
    args: [...(names.init === undefined ? [] : [names.init, '--']), ...argsOf(workload, config)],
    env: envOf(workload, config, user, names.hostname),
    cwd: cwdOf(workload, config),
    // Inheritable and ambient stay empty (CVE-2022-24769): a program gets what its user and file give it.
    capabilities: {
      bounding: caps,
      effective: held,
      permitted: held,
      inheritable: [],
      ambient: [],
    },
    rlimits: rlimitsOf(workload, host),
    // As Docker: on, sudo, su and file capabilities (vault, ping) of ordinary images would stop working.
    noNewPrivileges: workload.security?.noNewPrivileges === true,
    oomScoreAdj: oomScoreOf(workload, host),
  };
}

/** An entrypoint that is given clears the image's command. @throws RUN_COMMAND */
export function argsOf(
  workload: Pick<Workload, 'name' | 'entrypoint' | 'command'>,
  config: Pick<ImageConfig, 'entrypoint' | 'cmd'>,
): string[] {
  const entrypoint = workload.entrypoint ?? config.entrypoint;
  const command = workload.command ?? (workload.entrypoint === undefined ? config.cmd : []);
  const args = [...entrypoint, ...command];
  if (args.length === 0 || args[0] === '') {
    throw new CodedError('RUN_COMMAND', `workload ${workload.name} has no command to run`, {
      workload: workload.name,
    });
  }
  return args;
}

/** Later words of a name win and keep the first one's place; without `=` a word of the image is dropped. */
export function envOf(
  workload: Pick<Workload, 'name' | 'environment'>,
  config: Pick<ImageConfig, 'env'>,
  user: Pick<User, 'home'>,
  hostname = workload.name,
): string[] {
  const own = Object.entries(workload.environment ?? {}).map(([name, value]) => `${name}=${value}`);
  const all = [defaultPath, `HOSTNAME=${hostname}`, `HOME=${user.home}`, ...config.env, ...own];
  const byName = new Map<string, string>();
  for (const word of all) {
    const at = word.indexOf('=');
    if (at > 0 && !word.includes('\0')) byName.set(word.slice(0, at), word);
  }
  return [...byName.values()];
}

function cwdOf(workload: Workload, config: ImageConfig): string {
  const wanted = workload.workingDir ?? config.workingDir ?? '/';
  if (wanted === '') return '/';
  return wanted.startsWith('/') ? wanted : `/${wanted}`;
}
