// SPDX-License-Identifier: Apache-2.0
// Who may write, ask for and get which topic. Pure: the broker asks it three times, on publish, on subscribe
// and on each delivery, since a filter that was granted may match more than its reader may see.

import { commonName } from '../../protocol/name.js';
import { parseTopic } from '../../protocol/topic.js';
import type { Identity } from '../../provisioning/authority/identity.js';

/**
 * A device writes its own uplink, in its own slot; the fleet's link writes everything of its tenant; an operator
 * what goes down to devices, which believe nothing of it without a signature.
 */
export function mayPublish(who: Identity, tenant: string, topic: string): boolean {
  if (who.kind === 'link') return who.tenant === tenant && topic.startsWith(`w1/${tenant}/`);
  if (who.kind === 'operator') return isDown(tenant, topic);
  if (who.kind !== 'device' || who.tenant !== tenant) return false;
  const parsed = parseTopic(topic);
  return parsed?.kind === 'up' && parsed.tenant === tenant && parsed.device === who.device;
}

/** A device keeps nothing on the broker but its presence: retained memory is bounded by what it may fill. */
export function mayRetain(who: Identity, topic: string): boolean {
  if (who.kind !== 'device') return true; // mayPublish() has its bounds
  const parsed = parseTopic(topic);
  return parsed?.kind === 'up' && parsed.up === 'presence';
}

export function mayReceive(who: Identity, tenant: string, topic: string): boolean {
  if (who.kind === 'operator') return topic.startsWith(`w1/${tenant}/`);
  if (who.tenant !== tenant) return false;
  if (who.kind === 'link') return topic.startsWith(`w1/${tenant}/`);
  const parsed = parseTopic(topic);
  if (parsed === undefined || parsed.tenant !== tenant) return false;
  if (parsed.kind === 'rel' || parsed.kind === 'floor') return true;
  return parsed.kind !== 'up' && parsed.device === who.device;
}

/** `filter` may end in wildcards, but what stands before them must be the reader's own. */
export function maySubscribe(who: Identity, tenant: string, filter: string): boolean {
  if (who.kind !== 'operator' && who.tenant !== tenant) return false;
  if (who.kind !== 'device') return filter.startsWith(`w1/${tenant}/`);
  return (
    filter === `w1/${tenant}/floor` ||
    filter.startsWith(`w1/${tenant}/d/${commonName(tenant, who.device)}/`) ||
    filter.startsWith(`w1/${tenant}/rel/`)
  );
}

function isDown(tenant: string, topic: string): boolean {
  const parsed = parseTopic(topic);
  return parsed?.tenant === tenant && (parsed.kind === 'desired' || parsed.kind === 'rel');
}
