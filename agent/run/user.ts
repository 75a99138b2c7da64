// SPDX-License-Identifier: Apache-2.0
// Who the container's program runs as: user[:group] by Docker's rules, from the image's own /etc/passwd and
// /etc/group. A name that is not there is an error: it never falls back to root.

import { CodedError } from '../../protocol/error.js';
import { readFileIn } from './layered.js';

const fileBytesMax = 1024 * 1024;
const idMax = 2 ** 31 - 1; // what Docker takes; (uid_t) -1 means "leave it" to the kernel
const groupCountMax = 256;

export interface User {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
  readonly home: string;
}

interface PasswdLine {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

interface GroupLine {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/**
 * @param layers topmost first; `wanted` empty or undefined = root; `more`: groups beside the image's.
 * @throws RUN_USER, RUN_IMAGE_PATH
 */
export async function lookUpUser(
  layers: readonly string[],
  wanted: string | undefined,
  more: readonly string[] = [],
): Promise<User> {
  const passwd = parsePasswd((await readFileIn(layers, '/etc/passwd', fileBytesMax)) ?? '');
  const group = parseGroup((await readFileIn(layers, '/etc/group', fileBytesMax)) ?? '');
  const user = resolveUser(wanted ?? '', passwd, group);
  const added = more.map((name) => groupOf(name, group, name));
  const additionalGids = [...new Set([...user.additionalGids, ...added])].slice(0, groupCountMax);
  return { ...user, additionalGids };
}

export function resolveUser(
  wanted: string,
  passwd: readonly PasswdLine[],
  groups: readonly GroupLine[],
): User {
  const [userPart = '', groupPart, ...more] = wanted.split(':');
  if (more.length > 0) throw bad(wanted, 'is not user[:group]');
  const name = userPart === '' ? '0' : userPart;
  const line =
    passwd.find((entry) => entry.name === name) ??
    passwd.find((entry) => entry.uid === numberOf(name));
  const uid = line?.uid ?? numberOf(name);
  if (uid === undefined) throw bad(wanted, `names a user that the image has not: ${name}`);
  const home = line?.home === undefined || line.home === '' ? '/' : line.home;
  if (groupPart !== undefined && groupPart !== '') {
    return { uid, gid: groupOf(groupPart, groups, wanted), additionalGids: [], home };
  }
  const gid = line?.gid ?? 0;
  const additionalGids = groups
    .filter((entry) => line !== undefined && entry.members.includes(line.name))
    .map((entry) => entry.gid)
    .filter((id, at, all) => id !== gid && all.indexOf(id) === at)
    .slice(0, groupCountMax);
  return { uid, gid, additionalGids, home };
}

function groupOf(wanted: string, groups: readonly GroupLine[], whole: string): number {
  const gid = groups.find((entry) => entry.name === wanted)?.gid ?? numberOf(wanted);
  if (gid === undefined) throw bad(whole, `names a group that the image has not: ${wanted}`);
  return gid;
}

/** Plain decimal digits in range; anything else is a name. */
function numberOf(word: string): number | undefined {
  if (!/^\d{1,10}$/.test(word)) return undefined;
  const value = Number(word);
  return value <= idMax ? value : undefined;
}

export function parsePasswd(text: string): PasswdLine[] {
  return lines(text).flatMap((fields) => {
    const [name = '', , uidText = '', gidText = '', , home = ''] = fields;
    const uid = numberOf(uidText);
    const gid = numberOf(gidText);
    return name === '' || uid === undefined || gid === undefined ? [] : [{ name, uid, gid, home }];
  });
}

export function parseGroup(text: string): GroupLine[] {
  return lines(text).flatMap((fields) => {
    const [name = '', , gidText = '', members = ''] = fields;
    const gid = numberOf(gidText);
    return name === '' || gid === undefined
      ? []
      : [{ name, gid, members: members.split(',').filter((member) => member !== '') }];
  });
}

function lines(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .map((line) => line.trim().split(':'));
}

function bad(wanted: string, what: string): CodedError {
  return new CodedError('RUN_USER', `user '${wanted}' ${what}`, { user: wanted });
}
