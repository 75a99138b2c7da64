// SPDX-License-Identifier: Apache-2.0
// What an outside broker can do, tried and not believed: the MQTT level it takes, whether a retained message
// comes to a second connection, how long a message may be. Nothing of the fleet depends on the answer: MQTT 3.1.1
// is enough, and the database is the truth. It tells an operator early what will not fit.

import { randomBytes } from 'node:crypto';
import { systemClock } from '../../adapters/clock.js';
import { errorFacts, type Log } from '../../adapters/log.js';
import { type MqttLink, openMqtt } from '../../adapters/mqtt.js';
import { type DialOptions, dial } from '../../adapters/mqtt-dial.js';
import { lossOf } from '../../adapters/mqtt-loss.js';
import type { BrokerAddress } from '../../protocol/broker.js';
import type { CodedError } from '../../protocol/error.js';
import { probeTopic } from '../../protocol/topic.js';
import type { Authority } from '../../provisioning/authority/authority.js';
import { operatorName, probeNames } from '../../provisioning/authority/identity.js';

export interface Capabilities {
  /** The highest level that it takes; we speak 3.1.1. */
  readonly mqtt: '3.1.1' | '5';
  /** A retained message came back on another connection. */
  readonly retained: boolean;
  /** The longest payload of `sizes` that came through; 0 = none did. */
  readonly payloadBytes: number;
}

/** The longest that we send comes first. */
const sizes = [256 * 1024, 128 * 1024, 64 * 1024, 16 * 1024] as const;
const connectMs = 10_000;
const answerMs = 5000;
const againMs = 10_000;

/** @throws LINK_* where it does not let us in */
export async function probeBroker(
  address: BrokerAddress,
  authority: Authority,
  log: Log,
): Promise<Capabilities> {
  const { tenant, certificatePem: ca } = authority;
  // Two names of their own: a broker that takes the name for the client's id lets each in once.
  const [writer, reader] = await Promise.all(
    probeNames.map(async (name) => ({
      ...address,
      clientId: operatorName(name),
      tls: { ca, ...(await authority.issueOperator(name)) },
    })),
  );
  if (writer === undefined || reader === undefined) throw new Error('there are two names');
  const mqtt = await highestLevel(writer);
  const inbox = new Map<string, () => void>();
  const writing = await connected(writer, log, inbox);
  try {
    const topic = probeTopic(tenant, `retained-${word()}`);
    await writing.publish(topic, Buffer.from('probe'), { retain: true });
    const reading = await connected(reader, log, inbox);
    try {
      const retained = await comes(inbox, topic, () => reading.subscribe([topic]));
      await writing.publish(topic, Buffer.alloc(0), { retain: true });
      return { mqtt, retained, payloadBytes: await longest(writing, reading, tenant, inbox) };
    } finally {
      await reading.close();
    }
  } finally {
    await writing.close();
  }
}

type Seat = DialOptions & { readonly clientId: string };

const word = (): string => randomBytes(4).toString('hex');

async function connected(
  at: Seat,
  log: Log,
  inbox: ReadonlyMap<string, () => void>,
): Promise<MqttLink> {
  let settle: (reason: CodedError | undefined) => void = () => undefined;
  const first = new Promise<CodedError | undefined>((resolve) => {
    settle = resolve;
  });
  const link = openMqtt({
    ...at,
    log,
    delayMs: { min: 100, max: 500 },
    subscribeQos: 0,
    onMessage: (topic, payload) => {
      if (payload.length > 0) inbox.get(topic)?.();
    },
    onConnect: () => settle(undefined),
    onDisconnect: (reason) => settle(reason),
  });
  const reason = await first;
  if (reason === undefined) return link;
  await link.close();
  throw reason;
}

/** Whether a message comes on the topic after `cause`. */
async function comes(
  inbox: Map<string, () => void>,
  topic: string,
  cause: () => Promise<void>,
): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const arrived = new Promise<boolean>((resolve) => {
    inbox.set(topic, () => resolve(true));
    timer = setTimeout(() => resolve(false), answerMs);
  });
  try {
    await cause();
    return await arrived;
  } catch {
    return false; // refused, or cut: that is the answer
  } finally {
    clearTimeout(timer);
    inbox.delete(topic);
  }
}

async function longest(
  writing: MqttLink,
  reading: MqttLink,
  tenant: string,
  inbox: Map<string, () => void>,
): Promise<number> {
  for (const size of sizes) {
    const topic = probeTopic(tenant, `size-${size}`);
    await backUp(writing); // an oversize message costs the connection
    const came = await comes(inbox, topic, async () => {
      await reading.subscribe([topic]);
      await writing.publish(topic, Buffer.alloc(size, 'x'), {});
    });
    if (came) return size;
  }
  return 0;
}

async function backUp(link: MqttLink): Promise<void> {
  for (let waited = 0; !link.connected && waited < answerMs; waited += 50) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Asks with one CONNECT of MQTT 5 (§3.1) and looks at the CONNACK's reason code alone. */
async function highestLevel(at: Seat): Promise<'3.1.1' | '5'> {
  const signal = new AbortController().signal;
  const { stream, socket } = await dial(at, connectMs, signal, () => undefined).catch(
    (error: unknown) => {
      throw lossOf(error, 'handshake', at);
    },
  );
  const id = Buffer.from(at.clientId);
  const body = Buffer.concat([
    Buffer.from([0, 4, 0x4d, 0x51, 0x54, 0x54, 5, 2, 0, 30, 0, 0, id.length]),
    id,
  ]);
  stream.on('error', () => undefined);
  try {
    return await new Promise((resolve) => {
      const timer = setTimeout(() => socket.destroy(), answerMs);
      stream.once('data', (chunk: Buffer) => {
        resolve(chunk[0] === 0x20 && chunk[3] === 0 && (chunk[1] ?? 0) > 2 ? '5' : '3.1.1');
      });
      socket.once('close', () => {
        clearTimeout(timer);
        resolve('3.1.1');
      });
      stream.write(Buffer.concat([Buffer.from([0x10, body.length]), body]));
    });
  } finally {
    socket.destroy();
  }
}

/** Asks until there is an answer, and writes it into the log for the operator. Never throws. */
export async function logProbe(
  address: BrokerAddress,
  authority: Authority,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const found = await probeBroker(address, authority, log.child({ room: 'probe' }));
      const isEnough = found.retained && found.payloadBytes === sizes[0];
      if (isEnough) log.info({ ...found }, 'broker: what it can do');
      else log.warn({ ...found }, 'broker: it can do less than the fleet would like');
      return;
    } catch (error) {
      log.info(errorFacts(error), 'broker: what it can do is not known yet');
    }
    await systemClock.sleep(againMs, signal).catch(() => undefined);
  }
}
