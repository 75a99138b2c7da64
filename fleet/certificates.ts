// SPDX-License-Identifier: Apache-2.0
// Keeps the server's own certificates good: twice a day it looks, and gives new ones to whoever holds the old.
// An outside broker is told again, since its certificate is renewed by that.

import { errorFacts, type Log } from '../adapters/log.js';
import type { Authority } from '../provisioning/authority/authority.js';
import type { Api } from './api/server.js';
import type { Broker } from './link/broker.js';
import type { LinkHolder } from './link/holder.js';
import type { Told } from './link/told.js';
import type { Loop } from './loop.js';

const renewMs = 12 * 3_600_000;

/** Looks whether a certificate is due. Gives what ends it. */
export function keepCertificates(parts: {
  authority: Authority;
  api: Api;
  broker: Broker | undefined;
  told: Told;
  link: LinkHolder;
  loop: Loop;
  log: Log;
}): () => Promise<void> {
  const { authority, api, broker, told, link, loop, log } = parts;
  const renew = async (): Promise<void> => {
    if (!(await authority.refresh())) return;
    api.renew(tlsOf(authority));
    broker?.renew(tlsOf(authority));
    await link.open(loop);
    log.info({}, 'serve: the certificates were renewed');
  };
  const timer = setInterval(() => {
    told.changed(); // an outside broker's certificate may be due
    renew().catch((error: unknown) => log.error(errorFacts(error), 'serve: renewing failed'));
  }, renewMs);
  timer.unref();
  return async () => clearInterval(timer);
}

export function tlsOf(authority: Authority): { key: string; cert: string; ca: string } {
  return { ...authority.server, ca: authority.certificatePem };
}
