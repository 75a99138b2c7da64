// SPDX-License-Identifier: Apache-2.0
// What a service may do: ulimits, sysctls, security_opt with its seccomp file, devices, capabilities. Whether a
// device lets it is that device's policy.

import { string } from '../../protocol/check.js';
import { CodedError } from '../../protocol/error.js';
import {
  capability,
  type Device,
  device,
  type Security,
  sysctls,
  type Ulimits,
  ulimits,
} from '../../protocol/isolation.js';
import type { Context } from './context.js';
import { fault, refuse } from './fault.js';
import {
  checked,
  entriesOf,
  type Field,
  fieldsOf,
  isMap,
  itemsOf,
  need,
  textOf,
  wholeOf,
} from './field.js';
import { textPairsOf } from './pairs.js';
import { readSeccomp } from './seccomp.js';

const word = string({ pattern: /^(ALL|CAP_[A-Z_]{2,32})$/, form: 'ALL or like NET_ADMIN' });
const limitMax = Number.MAX_SAFE_INTEGER;

export function capabilitiesOf(field: Field): string[] {
  return itemsOf(field, 64).map((item) => {
    const name = textOf(item).toUpperCase();
    const whole = name === 'ALL' || name.startsWith('CAP_') ? name : `CAP_${name}`;
    return checked(item, capability, checked(item, word, whole));
  });
}

export function ulimitsOf(field: Field): Ulimits {
  const pairs = [...entriesOf(field)].map(([name, at]) => [name, limitOf(at)] as const);
  for (const [name, place] of entriesOf(field)) {
    checked(place, ulimits, { [name]: { soft: 0, hard: 0 } });
  }
  return checked(field, ulimits, Object.fromEntries(pairs));
}

function limitOf(field: Field): { soft: number; hard: number } {
  if (!isMap(field)) {
    const both = wholeOf(field, -1, limitMax);
    return { soft: both, hard: both };
  }
  const fields = fieldsOf(field, ['soft', 'hard']);
  const soft = wholeOf(need(fields, field, 'soft'), -1, limitMax);
  const hard = wholeOf(need(fields, field, 'hard'), -1, limitMax);
  const isAbove = hard !== -1 && (soft === -1 || soft > hard);
  return isAbove ? refuse(field, 'a soft limit that is not above the hard one') : { soft, hard };
}

export function sysctlsOf(field: Field): Record<string, string> {
  const pairs = textPairsOf(field);
  for (const [key, value, place] of pairs) checked(place, sysctls, { [key]: value });
  return Object.fromEntries(pairs.map(([key, value]) => [key, value]));
}

/** `SOURCE[:TARGET[:rwm]]` or the long form. */
export function devicesOf(field: Field): Device[] {
  return itemsOf(field, 32).map((item) => {
    const found = isMap(item) ? longDevice(item) : shortDevice(item);
    return checked(item, device, found);
  });
}

function longDevice(field: Field): Device {
  const fields = fieldsOf(field, ['source', 'target', 'permissions']);
  const source = textOf(need(fields, field, 'source'));
  const [target, permissions] = [fields.get('target'), fields.get('permissions')];
  return {
    source,
    target: target === undefined ? source : textOf(target),
    permissions: permissions === undefined ? 'rwm' : textOf(permissions),
  };
}

function shortDevice(field: Field): Device {
  const form = '/dev/NAME[:/dev/NAME[:rwm]]';
  const text = textOf(field, form);
  if (!text.startsWith('/')) {
    refuse(field, `${form}; devices by vendor name (CDI) are not known on a device`);
  }
  const [source = '', second, third, ...more] = text.split(':');
  if (more.length > 0) refuse(field, form);
  const isMode = third === undefined && second !== undefined && /^[rwm]+$/.test(second);
  const target = second === undefined || isMode ? source : second;
  return { source, target, permissions: (isMode ? second : third) ?? 'rwm' };
}

export function securityOf(field: Field, context: Context): Security {
  return Object.assign({}, ...itemsOf(field, 16).map((item) => optionOf(item, context)));
}

function optionOf(item: Field, context: Context): Security {
  const text = textOf(item);
  const [, name = '', value] = /^([a-z-]+)(?:[:=](.*))?$/s.exec(text) ?? [];
  if (name === 'no-new-privileges') return { noNewPrivileges: flagOf(item, value) };
  if (name === 'seccomp' && value !== undefined) return seccompOf(item, value, context);
  const isOff = text.replace('=', ':') === 'apparmor:unconfined' || text === 'label:disable';
  if (isOff) return {}; // neither is ever on
  throw fault(
    'COMPOSE_VALUE',
    item,
    'must be no-new-privileges, seccomp:unconfined or seccomp:FILE; there is no AppArmor or SELinux profile of ours',
  );
}

function flagOf(item: Field, value = 'true'): boolean {
  return (
    value === 'true' ||
    (value === 'false' ? false : refuse(item, 'no-new-privileges:true or :false'))
  );
}

function seccompOf(item: Field, value: string, context: Context): Security {
  if (value === 'unconfined') return { seccomp: 'unconfined' };
  try {
    return { seccomp: readSeccomp(context.read(item, value) ?? '', value) };
  } catch (error) {
    if (!(error instanceof CodedError) || error.code.startsWith('COMPOSE_')) throw error;
    throw fault('COMPOSE_FILE', item, `${value}: ${error.message}`);
  }
}
