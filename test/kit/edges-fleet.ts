// SPDX-License-Identifier: Apache-2.0
// A fleet's authority in a temp folder, credentials of its devices, operators and link, and a broker: for
// tests of the fleet's edges. All of it is real; nothing listens but on 127.0.0.1.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { type Log, openLog } from '../../adapters/log.js';
import { type MqttLink, type MqttOptions, openMqtt } from '../../adapters/mqtt.js';
import { type Broker, type BrokerOptions, startBroker } from '../../fleet/link/broker.js';
import type { CodedError } from '../../protocol/error.js';
import { type Authority, openAuthority } from '../../provisioning/authority/authority.js';
import { makePrivateKey } from '../../provisioning/authority/x509.js';
import { makeRequest } from '../../provisioning/device/csr.js';
import { readKey } from '../../provisioning/device/key.js';

export const silent: Log = openLog('test', 'silent');

/** What an enrolment tells devices, where nobody goes there. */
export const localEndpoints = {
  mqtt: { host: 'localhost', port: 8883 },
  api: { host: 'localhost', port: 8443 },
  registries: ['localhost:5000'],
};

export async function tempDir(t: ExecutionContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'wherry-edges-'));
  t.teardown(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

export interface Credentials {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export interface TestFleet {
  readonly dir: string;
  readonly authority: Authority;
  device(name: string): Promise<Credentials>;
  operator(name: string): Promise<Credentials>;
  link(): Promise<Credentials>;
}

export async function aFleet(t: ExecutionContext, tenant = 'acme'): Promise<TestFleet> {
  const dir = await tempDir(t);
  const authority = await openAuthority(join(dir, 'authority'), { tenant, names: [] });
  const ca = authority.certificatePem;
  return {
    dir,
    authority,
    device: async (name) => {
      const key = await makePrivateKey();
      const privateKey = readKey(key);
      if (privateKey === undefined) throw new Error('no key');
      return { ca, key, cert: await authority.issueDevice(makeRequest(privateKey), name) };
    },
    operator: async (name) => ({ ca, ...(await authority.issueOperator(name)) }),
    link: async () => ({ ca, ...(await authority.issueLink()) }),
  };
}

export async function aBroker(
  t: ExecutionContext,
  fleet: TestFleet,
  changed: Partial<BrokerOptions> = {},
): Promise<Broker> {
  const { authority } = fleet;
  const broker = await startBroker({
    listen: '127.0.0.1',
    port: 0,
    tls: { ...authority.server, ca: authority.certificatePem },
    tenant: authority.tenant,
    isAdmitted: () => true,
    log: silent,
    ...changed,
  });
  t.teardown(() => broker.close());
  return broker;
}

export interface TestClient {
  readonly link: MqttLink;
  readonly messages: Array<{ topic: string; payload: string }>;
  readonly losses: CodedError[];
  /** Resolves when the first message comes on the topic. */
  message(topic: string): Promise<string>;
  /** Resolves with the first loss. */
  loss(): Promise<CodedError>;
  up(): Promise<void>;
}

/** A real mqtt.js client by our adapter. */
export function aClient(
  t: ExecutionContext,
  options: { port: number; tls: Credentials; clientId: string } & Partial<MqttOptions>,
): TestClient {
  const messages: Array<{ topic: string; payload: string }> = [];
  const losses: CodedError[] = [];
  let isUp = false;
  const link = openMqtt({
    host: '127.0.0.1',
    log: silent,
    delayMs: { min: 50, max: 200 },
    onMessage: (topic, payload) => messages.push({ topic, payload: payload.toString() }),
    onConnect: () => {
      isUp = true;
    },
    onDisconnect: (reason) => {
      isUp = false;
      if (reason !== undefined) losses.push(reason);
    },
    ...options,
  });
  t.teardown(() => link.close());
  return {
    link,
    messages,
    losses,
    message: (topic) => until(() => messages.find((message) => message.topic === topic)?.payload),
    loss: () => until(() => losses[0]),
    up: async () => void (await until(() => (isUp ? true : undefined))),
  };
}

/** The first value that `look` gives, asked for at most 5 s. */
export async function until<T>(look: () => T | undefined, timeoutMs = 5000): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const value = look();
    if (value !== undefined) return value;
    if (performance.now() > end) throw new Error('it did not come in time');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Long enough for a message on loopback to have come, had it been sent. */
export const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 150));
