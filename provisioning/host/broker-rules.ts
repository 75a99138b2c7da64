// SPDX-License-Identifier: Apache-2.0
// Who may write and read which topics at any broker, as MQTT filters; each kind of broker says it in its own
// words. The embedded broker's rules are the same (docs/protocol.md).

import { operatorName, probeNames } from '../authority/identity.js';

export interface Rules {
  readonly write: readonly string[];
  readonly read: readonly string[];
}

/** `name` is the device's common name, or the broker's word for it. */
export function deviceRules(tenant: string, name: string): Rules {
  return {
    write: [`w1/${tenant}/u/+/${name}/#`],
    read: [`w1/${tenant}/d/${name}/#`, `w1/${tenant}/rel/+`, `w1/${tenant}/floor`],
  };
}

export function linkRules(tenant: string): Rules {
  return { write: [`w1/${tenant}/#`], read: [`w1/${tenant}/#`] };
}

/** What an operator writes down to devices they believe only with a signature. */
export function operatorRules(tenant: string): Rules {
  return {
    write: [`w1/${tenant}/d/+/desired`, `w1/${tenant}/rel/+`, `w1/${tenant}/probe/+`],
    read: [`w1/${tenant}/#`],
  };
}

export const operatorNames: readonly string[] = ['admin', ...probeNames].map(operatorName);
