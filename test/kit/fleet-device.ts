// SPDX-License-Identifier: Apache-2.0
// A scripted device: enrols as a real one, holds a real MQTT connection, verifies what it gets, and says what
// the test makes it say. It runs nothing.

import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { openLog } from '../../adapters/log.js';
import { type MqttLink, openMqtt } from '../../adapters/mqtt.js';
import { decodePayload } from '../../adapters/zstd.js';
import { verifyEnvelope } from '../../images/sign/envelope.js';
import { type Assignment, assignment } from '../../protocol/assignment.js';
import type { Hello, Reported } from '../../protocol/device.js';
import { payloadTypes } from '../../protocol/envelope.js';
import { commonName, type Digest } from '../../protocol/name.js';
import { desiredTopic, releaseTopic, upTopic } from '../../protocol/topic.js';
import type { Trust } from '../../protocol/trust.js';
import { enrolDevice } from '../../provisioning/device/enrol.js';
import { type DeviceIdentity, loadIdentity } from '../../provisioning/device/identity.js';
import { tempFolder } from './fleet-server.js';

/** What a device does with a new assignment. */
export type Conduct = 'good' | 'sick' | 'mute';

export class TestDevice {
  readonly name: string;
  conduct: Conduct = 'good';
  /** Every assignment that came, oldest first. */
  readonly assignments: Assignment[] = [];
  /** Payloads on rel topics by hex; '' where it was removed. */
  readonly releases = new Map<string, string>();
  readonly #trust: Trust;
  readonly #mqtt: MqttLink;
  readonly #bootId: string;
  #seq = 0;
  #good: Digest | null = null;

  constructor(
    identity: DeviceIdentity,
    mqtt: (onMessage: (topic: string, payload: Buffer) => void) => MqttLink,
    bootId: string,
  ) {
    this.name = identity.device;
    this.#trust = identity.trust;
    this.#bootId = bootId;
    this.#mqtt = mqtt((topic, payload) => {
      void this.#read(topic, payload);
    });
  }

  get mqtt(): MqttLink {
    return this.#mqtt;
  }

  async birth(): Promise<void> {
    const text = JSON.stringify({ online: true, bootId: this.#bootId, seq: 0 });
    const topic = upTopic('main', this.name, 'presence');
    await this.#mqtt.publish(topic, Buffer.from(text), { retain: true }).catch(() => undefined);
  }

  async hello(changed: Partial<Hello> = {}): Promise<void> {
    const last = this.assignments.at(-1);
    await this.say('hello', {
      epoch: last?.epoch ?? 0,
      generation: last?.generation ?? 0,
      release: last?.release?.digest ?? null,
      missing: [],
      agent: '0.1.0',
      platform: { os: 'linux', architecture: 'arm64' },
      memoryBytes: 64 * 1024 * 1024,
      ...changed,
    });
  }

  async report(changed: Partial<Reported> = {}): Promise<void> {
    const last = this.assignments.at(-1);
    await this.say('reported', {
      epoch: last?.epoch ?? 0,
      observedGeneration: last?.generation ?? 0,
      release: this.#good,
      good: this.#good,
      conditions: [],
      workloads: [],
      ...changed,
    });
  }

  /** bootId, seq and time are added. */
  async say(up: 'hello' | 'reported' | 'event', document: object): Promise<void> {
    this.#seq += 1;
    const whole = {
      bootId: this.#bootId,
      seq: this.#seq,
      at: new Date().toISOString(),
      ...document,
    };
    await this.send(up, JSON.stringify(whole));
  }

  async send(up: 'hello' | 'reported' | 'event', text: string): Promise<void> {
    await this.#mqtt.publish(upTopic('main', this.name, up), Buffer.from(text), {});
  }

  async #read(topic: string, payload: Buffer): Promise<void> {
    const text = payload.length === 0 ? '' : await decodePayload(payload);
    const rel = /\/rel\/([0-9a-f]{64})$/.exec(topic)?.[1];
    if (rel !== undefined) this.releases.set(rel, text);
    if (rel !== undefined || text === '') return;
    const bytes = verifyEnvelope(JSON.parse(text), payloadTypes.assignment, this.#trust.assignment);
    const next = assignment(JSON.parse(bytes.toString()), 'assignment');
    if (next.generation <= (this.assignments.at(-1)?.generation ?? 0)) return;
    this.assignments.push(next);
    await this.#act(next);
  }

  async #act(next: Assignment): Promise<void> {
    const release = next.release?.digest ?? null;
    if (this.conduct === 'mute' || release === null) return;
    if (this.conduct === 'good') {
      this.#good = release;
      await this.report();
      return;
    }
    const { epoch, generation } = next;
    const code = 'BOX_EXEC';
    const message = 'web: no such program';
    await this.say('event', { epoch, generation, release, type: 'failed', code, message });
    await this.report({ failed: { release, code, message } });
  }
}

let boots = 0;

/** Enrols by the claim code, connects, subscribes. */
export async function joinDevice(
  t: ExecutionContext,
  code: string,
  name: string,
  conduct: Conduct = 'good',
): Promise<TestDevice> {
  const configDir = join(await tempFolder(t), 'etc');
  await enrolDevice({ configDir, code, name });
  return connectDevice(t, configDir, conduct);
}

export async function connectDevice(
  t: ExecutionContext,
  configDir: string,
  conduct: Conduct,
): Promise<TestDevice> {
  const identity = await loadIdentity(configDir);
  if (identity === undefined) throw new Error('the device is not enrolled');
  boots += 1;
  const bootId = `boot-${boots}`;
  const presence = (online: boolean): Buffer =>
    Buffer.from(JSON.stringify({ online, bootId, seq: 0 }));
  let connected = (): void => undefined;
  const ready = new Promise<void>((resolve) => {
    connected = resolve;
  });
  let device: TestDevice | undefined;
  const made = new TestDevice(
    identity,
    (onMessage) =>
      openMqtt({
        ...identity.mqtt,
        tls: { ca: identity.ca, cert: identity.cert, key: identity.key },
        clientId: commonName(identity.tenant, identity.device),
        delayMs: { min: 20, max: 200 },
        will: {
          topic: upTopic('main', identity.device, 'presence'),
          payload: presence(false),
          retain: true,
        },
        log: openLog('device', 'silent'),
        onMessage,
        onConnect: () => {
          connected();
          void device?.birth();
        },
        onDisconnect: () => undefined,
      }),
    bootId,
  );
  device = made;
  made.conduct = conduct;
  t.teardown(() => made.mqtt.close());
  await made.mqtt.subscribe([desiredTopic('main', made.name), releaseTopic('main', '+')]);
  await ready;
  return made;
}
