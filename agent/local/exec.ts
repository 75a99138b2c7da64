// SPDX-License-Identifier: Apache-2.0
// `wherry exec`: runs another program in a workload's container, on our own terminal. It needs no agent: the
// container's files say where it is, and wherry-run enters it.

import { readFile } from 'node:fs/promises';
import { runAttached } from '../../adapters/exec.js';
import { nativeProgram, type Places } from '../../adapters/places.js';
import { CodedError } from '../../protocol/error.js';
import { annotations } from '../../protocol/keeper.js';
import { folderOf, layoutOf, runtimeRootOf } from '../run/layout.js';
import { lookUpUser } from '../run/user.js';
import { madeContainers } from './away.js';
import { isUp, pick } from './container.js';

export interface ExecRequest {
  readonly workload: string;
  readonly argv: readonly string[];
  readonly terminal: boolean;
  readonly interactive: boolean;
  readonly user?: string;
  readonly env: readonly string[];
  readonly cwd?: string;
}

/** The program's exit status. @throws RUN_ABSENT, RUN_USER, USAGE */
export async function execIn(places: Places, request: ExecRequest): Promise<number> {
  const made = pick(await madeContainers(places), request.workload);
  if (made.status === undefined || !isUp(made.status)) {
    throw new CodedError('RUN_ABSENT', `workload '${request.workload}' does not run`, {
      container: made.id,
    });
  }
  const bad = request.env.find((word) => word.indexOf('=') < 1);
  if (bad !== undefined) throw new CodedError('USAGE', `-e takes NAME=VALUE, not '${bad}'`);
  const args = [
    ['--root', runtimeRootOf(places), 'exec'],
    request.terminal ? ['--tty'] : [],
    request.user === undefined ? [] : await userArgs(places, made.id, request.user),
    request.env.flatMap((word) => ['--env', word]),
    request.cwd === undefined ? [] : ['--cwd', request.cwd],
    [made.id, ...request.argv],
  ].flat();
  return runAttached(nativeProgram('wherry-run'), args, {
    stdin: request.interactive ? 'inherit' : 'ignore',
  });
}

/** The name is looked up in what the container sees: its own layer above the image's. */
async function userArgs(places: Places, id: string, user: string): Promise<string[]> {
  const layout = layoutOf(folderOf(places, id));
  const config = JSON.parse(await readFile(layout.config, 'utf8')) as {
    annotations: Record<string, string>;
  };
  const lower = (config.annotations[annotations.overlayLower] ?? '').split(':');
  const { uid, gid } = await lookUpUser([layout.upper, ...lower], user);
  return ['--user', `${uid}:${gid}`];
}
