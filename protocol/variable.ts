// SPDX-License-Identifier: Apache-2.0
// Values that differ from device to device. They stand apart from plain values, as lists of parts, so that no
// text of an operator can be taken for a variable by chance and a device has nothing to parse.

import {
  array,
  type Check,
  type Checked,
  object,
  optional,
  record,
  refuse,
  string,
} from './check.js';

export const variableName = string({
  pattern: /^[A-Za-z_][A-Za-z0-9_]{0,63}$/,
  form: 'a variable: letters, digits and underscore, at most 64',
});
const text = string({ lengthMax: 4096 });

/** The variables of one device, as its assignment carries them: at most 4 KiB of JSON. */
export const variables: Check<Record<string, string>> = (value, path) => {
  const found = record(variableName, text, 64)(value, path);
  if (JSON.stringify(found).length > variableBytesMax) {
    refuse(path, `at most ${variableBytesMax} bytes as JSON`);
  }
  return found;
};
export const variableBytesMax = 4096;

const reference = object({
  /** WHERRY_DEVICE, WHERRY_TENANT and WHERRY_APP are always there; others are set by the fleet. */
  variable: variableName,
  /** Where the device has no such variable; absent = the release is refused there (PLAN_VARIABLE). */
  default: optional(text),
  /** An empty value counts as none. */
  orEmpty: optional((value, path) => (value === true ? true : refuse(path, 'true'))),
});
export type Reference = Checked<typeof reference>;

const part: Check<string | Reference> = (value, path) =>
  typeof value === 'string' ? text(value, path) : reference(value, path);

/** Joined, in order. */
export const template = array(part, 32);
export type Template = Checked<typeof template>;
