// SPDX-License-Identifier: Apache-2.0
// Variables of devices: set for one device or for all that have some labels. What a device gets is the sum: more
// labels over fewer, its own over all. Devices whose sum may have changed are noted as due until the loop has
// given them their next assignment.

import type { Tx } from '../../adapters/sqlite.js';
import type { Labels } from '../../protocol/api.js';
import { CodedError } from '../../protocol/error.js';
import { variables as variablesCheck } from '../../protocol/variable.js';
import { type Device, matches, needDevice, selectDevices } from './devices.js';

export const variableTables = `
CREATE TABLE variables (
  device TEXT NOT NULL DEFAULT '',
  selector TEXT NOT NULL DEFAULT '',
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (device, selector, name)
);
CREATE TABLE variables_due (device TEXT PRIMARY KEY REFERENCES devices(device));
`;

/** One device, or all in service that have the labels; no labels = all. */
export type Scope = { readonly device: string } | { readonly selector: Labels };

export interface Variable {
  readonly scope: Scope;
  readonly name: string;
  readonly value: string;
}

interface Row {
  readonly device: string;
  readonly selector: string;
  readonly name: string;
  readonly value: string;
}

/** The same selector is the same text, in whatever order it was written. */
function selectorText(selector: Labels): string {
  return JSON.stringify(Object.entries(selector).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function scopeOf({ device, selector }: Row): Scope {
  if (device !== '') return { device };
  return { selector: Object.fromEntries(JSON.parse(selector) as Array<[string, string]>) };
}

/** null removes. @throws DEVICE_UNKNOWN, VARIABLE_UNKNOWN, VARIABLE_LARGE */
export async function setVariables(
  tx: Tx,
  scope: Scope,
  changes: Readonly<Record<string, string | null>>,
): Promise<void> {
  const device = 'device' in scope ? scope.device : '';
  const selector = 'device' in scope ? '' : selectorText(scope.selector);
  if ('device' in scope) await needDevice(tx, device);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) await unset(tx, device, selector, name);
    else {
      await tx.run(
        `INSERT INTO variables (device, selector, name, value) VALUES (?, ?, ?, ?)
         ON CONFLICT (device, selector, name) DO UPDATE SET value = excluded.value`,
        [device, selector, name, value],
      );
    }
  }
  const touched =
    'device' in scope ? [await needDevice(tx, device)] : await selectDevices(tx, scope.selector);
  const rules = await listVariables(tx);
  for (const one of touched) {
    checkSum(one.device, sumFor(one, rules));
    await markDue(tx, one.device);
  }
}

async function unset(tx: Tx, device: string, selector: string, name: string): Promise<void> {
  const key = [device, selector, name];
  const where = 'WHERE device = ? AND selector = ? AND name = ?';
  if ((await tx.get(`SELECT name FROM variables ${where}`, key)) === undefined) {
    throw new CodedError('VARIABLE_UNKNOWN', `the variable ${name} is not set there`, { name });
  }
  await tx.run(`DELETE FROM variables ${where}`, key);
}

function checkSum(device: string, sum: Readonly<Record<string, string>>): void {
  try {
    variablesCheck(sum, 'variables');
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    throw new CodedError(
      'VARIABLE_LARGE',
      `device ${device}: ${what}`,
      { device },
      { cause: error },
    );
  }
}

export async function listVariables(tx: Tx): Promise<Variable[]> {
  const rows = await tx.all<Row>('SELECT * FROM variables ORDER BY device, selector, name');
  return rows.map((row) => ({ scope: scopeOf(row), name: row.name, value: row.value }));
}

/** What a device gets. */
export async function variablesFor(tx: Tx, device: string): Promise<Record<string, string>> {
  return sumFor(await needDevice(tx, device), await listVariables(tx));
}

function sumFor(device: Device, rules: readonly Variable[]): Record<string, string> {
  const meant = rules.filter(({ scope }) =>
    'device' in scope ? scope.device === device.device : matches(device.labels, scope.selector),
  );
  const weight = ({ scope }: Variable): number =>
    'device' in scope ? Number.POSITIVE_INFINITY : Object.keys(scope.selector).length;
  const ordered = [...meant].sort((a, b) => (weight(a) === weight(b) ? 0 : weight(a) - weight(b)));
  const sum = new Map(ordered.map(({ name, value }) => [name, value]));
  return Object.fromEntries([...sum].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Its next assignment may have other variables. */
export async function markDue(tx: Tx, device: string): Promise<void> {
  await tx.run('INSERT OR IGNORE INTO variables_due (device) VALUES (?)', [device]);
}

/** Takes up to `countMax` of those that are due; the caller gives them what they need in the same transaction. */
export async function takeDue(tx: Tx, countMax: number): Promise<string[]> {
  const rows = await tx.all<{ device: string }>(
    'SELECT device FROM variables_due ORDER BY device LIMIT ?',
    [countMax],
  );
  for (const { device } of rows)
    await tx.run('DELETE FROM variables_due WHERE device = ?', [device]);
  return rows.map(({ device }) => device);
}
