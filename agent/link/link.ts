// SPDX-License-Identifier: Apache-2.0
// The device's side of the MQTT topics: desired and releases come in, hello, reported, events and presence go
// out. It hands texts on and believes nothing; a message that cannot be sent is the caller's again.

import { errorFacts, type Log } from '../../adapters/log.js';
import { type MqttLink, openMqtt } from '../../adapters/mqtt.js';
import { decodePayload, encodePayload } from '../../adapters/zstd.js';
import type { BrokerAddress } from '../../protocol/broker.js';
import type { Event, Hello, Presence, Reported } from '../../protocol/device.js';
import type { CodedError } from '../../protocol/error.js';
import { commonName, type Digest, hexOf } from '../../protocol/name.js';
import {
  desiredTopic,
  parseTopic,
  releaseTopic,
  sealedTopic,
  type UpKind,
  upTopic,
} from '../../protocol/topic.js';
import { type Echo, echoOf } from './echo.js';

export interface LinkOptions {
  readonly identity: {
    readonly tenant: string;
    readonly device: string;
    readonly mqtt: BrokerAddress;
    /** PEM texts. */
    readonly ca: string;
    readonly cert: string;
    readonly key: string;
  };
  readonly bootId: string;
  /** The connection's number in this boot: the will carries it, hence birth and will agree. */
  readonly seq: number;
  readonly log: Log;
  /** In place of the address that enrolment gave. */
  readonly broker?: BrokerAddress;
  /** `http://HOST:PORT`, '' = none; default: the environment's. */
  readonly proxy?: string;
  /** Documents go out as plain JSON, however long; default: long ones are compressed. */
  readonly plain?: boolean;
  /** Default 30 s. */
  readonly echoMsMax?: number;
  /** Bounds of the delay between attempts; default 1 s and 5 min. */
  readonly delayMs?: { min: number; max: number };
  /** Neither may throw; the next message waits for them. */
  onDesired(text: string): Promise<void>;
  onRelease(text: string): Promise<void>;
  /** A document of secrets; without it they are not asked for. */
  onSealed?(text: string): Promise<void>;
  /** Told when the subscriptions are in place and the birth was said, and when the fleet must be told all again. */
  onUp(): void;
  onDown(reason: CodedError | undefined): void;
}

/** Each of the senders resolves when the broker has the message. @throws LINK_* */
export interface AgentLink {
  readonly connected: boolean;
  hello(hello: Hello): Promise<void>;
  reported(reported: Reported): Promise<void>;
  event(event: Event): Promise<void>;
  /** The documents of these releases shall come in, and no others any more. */
  want(releases: readonly Digest[]): Promise<void>;
  close(): Promise<void>;
}

/** Messages that wait to be read; more are dropped, since hello gets everything said again. */
const unreadMax = 32;
/** Pause before all is said again to a fleet that came back. */
const echoMsMax = 30_000;

export function openLink(options: LinkOptions): AgentLink {
  const { identity, bootId, seq, log, delayMs, proxy } = options;
  const { tenant, device, ca, cert, key } = identity;
  const presence = upTopic(tenant, device, 'presence');
  const presenceOf = (online: boolean): Buffer =>
    Buffer.from(JSON.stringify({ online, bootId, seq } satisfies Presence));
  const echo = echoOf(options.echoMsMax ?? echoMsMax, () => {
    if (link.connected) options.onUp();
  });
  const inbox = inboxOf(options, echo);

  const link: MqttLink = openMqtt({
    ...(options.broker ?? identity.mqtt),
    tls: { ca, cert, key },
    clientId: commonName(tenant, device),
    // What is lost on the way down is said again after a hello; some brokers pay dearly for more.
    subscribeQos: 0,
    ...(proxy === undefined ? {} : { proxy }),
    will: { topic: presence, payload: presenceOf(false), retain: true },
    log,
    ...(delayMs === undefined ? {} : { delayMs }),
    onMessage: inbox,
    onConnect: () => {
      echo.reset();
      link.publish(presence, presenceOf(true), { retain: true }).catch((error: unknown) => {
        log.info(errorFacts(error), 'link: birth not said');
      });
      options.onUp();
    },
    onDisconnect: (reason) => options.onDown(reason),
  });

  const own = options.onSealed === undefined ? [] : [sealedTopic(tenant, device)];
  link.subscribe([desiredTopic(tenant, device), ...own]).catch((error: unknown) => {
    log.warn(errorFacts(error), 'link: subscription refused');
  });
  let wanted: readonly string[] = [];
  const want = async (releases: readonly Digest[]): Promise<void> => {
    const topics = releases.map((digest) => releaseTopic(tenant, hexOf(digest)));
    const surplus = wanted.filter((topic) => !topics.includes(topic));
    const fresh = topics.filter((topic) => !wanted.includes(topic));
    wanted = topics;
    if (surplus.length > 0) await link.unsubscribe(surplus);
    if (fresh.length > 0) await link.subscribe(fresh);
  };

  const send = async (up: UpKind, document: object): Promise<void> => {
    const text = JSON.stringify(document);
    const payload = options.plain === true ? Buffer.from(text) : await encodePayload(text);
    await link.publish(upTopic(tenant, device, up), payload, {});
  };
  return {
    get connected() {
      return link.connected;
    },
    hello: (hello) => send('hello', hello),
    reported: (reported) => send('reported', reported),
    event: (event) => send('event', event),
    want,
    close: async () => {
      echo.reset();
      // Said by hand: after a proper DISCONNECT the broker does not publish the will.
      if (link.connected) {
        await link.publish(presence, presenceOf(false), { retain: true }).catch(() => undefined);
      }
      await link.close();
    },
  };
}

/** One message after the other, in the order of arrival. */
function inboxOf(options: LinkOptions, echo: Echo): (topic: string, payload: Buffer) => void {
  const { identity, log } = options;
  let unread = 0;
  let reading: Promise<void> = Promise.resolve();
  const read = async (topic: string, payload: Buffer): Promise<void> => {
    const parsed = parseTopic(topic);
    if (parsed === undefined || parsed.tenant !== identity.tenant) return;
    try {
      if (parsed.kind === 'desired') {
        const text = await decodePayload(payload);
        await options.onDesired(text);
        echo.heard(text);
      } else if (parsed.kind === 'rel') await options.onRelease(await decodePayload(payload));
      else if (parsed.kind === 'sealed') await options.onSealed?.(await decodePayload(payload));
    } catch (error) {
      log.warn({ topic, ...errorFacts(error) }, 'link: a message is dropped');
    }
  };
  return (topic, payload) => {
    if (payload.length === 0) return; // what was retained there is gone
    if (unread >= unreadMax) {
      log.warn({ topic }, 'link: too many messages wait, one is dropped');
      return;
    }
    unread += 1;
    reading = reading.then(async () => {
      await read(topic, payload);
      unread -= 1;
    });
  };
}
