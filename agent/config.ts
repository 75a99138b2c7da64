// SPDX-License-Identifier: Apache-2.0
// The agent's own configuration, <config>/agent.json and <config>/policy.json, both optional, and the bounds
// of the loop. What enrolment writes (wherryd.json, the identity) is read by provisioning/device.

import { join } from 'node:path';
import { readIfThere } from '../adapters/durable.js';
import type { LogLevel } from '../adapters/log.js';
import type { Places } from '../adapters/places.js';
import { type BrokerAddress, parseBrokerUrl } from '../protocol/broker.js';
import {
  array,
  boolean,
  type Check,
  integer,
  object,
  oneOf,
  optional,
  string,
} from '../protocol/check.js';
import { CodedError, messageOf } from '../protocol/error.js';
import { capability } from '../protocol/isolation.js';
import { parseJson } from '../protocol/json.js';
import { type Policy, strictPolicy } from './plan/observed.js';

const mebi = 1024 * 1024;

/** Without a ring and without a time to wait for, the loop looks again after so long. */
export const idleMsMax = 60_000;
/** Between two looks for keepers that were killed; the socket of each is asked. */
export const pulseMs = 5000;
/** Between two reports. */
export const reportMsMin = 1000;
/** After a step that failed, before anything is tried again. */
export const failureMsMin = 1000;
/** Events that are under way to the broker at one time. */
export const eventCountMax = 8;
/** A release's document that does not come is asked for in a hello after so long, then each `idleMsMax`. */
export const missingMs = 3000;
/** Refused texts that are remembered, so that a broker that replays one does not fill the outbox. */
export const refusedCountMax = 16;
/** Turns without a wait after which the loop takes a breath: a plan that never settles is a bug. */
export const turnCountMax = 500;
/** From SIGTERM to the end of the process. */
export const closeMsMax = 4500;
/** While there is no identity, the agent looks for one this often. */
export const identityMs = 5000;
/** Patterns of the periodic reasons to wake (UTC). */
export const helloPattern = '*/15 * * * *';
export const helloJitterMsMax = 5 * 60_000;
/** Looks whether the certificate is to be renewed; a renewal that failed is tried again then. */
export const renewPattern = '41 */6 * * *';
export const renewJitterMsMax = 60 * 60_000;
export const sweepPattern = '17 3 * * *';
export const sweepJitterMsMax = 30 * 60_000;

const agentJson = object({
  logLevel: optional(oneOf('debug', 'info', 'warn', 'error', 'silent')),
  diskLowBytes: optional(integer(0, Number.MAX_SAFE_INTEGER)),
  /** Bounds of the delay between attempts to reach the broker, ms. */
  linkDelayMs: optional(object({ min: integer(10, 3_600_000), max: integer(10, 3_600_000) })),
  /** The broker, in place of the one that enrolment named: mqtts://HOST:PORT or wss://HOST:PORT/PATH. */
  mqtt: optional(
    object({
      url: optional(string({ lengthMax: 512 })),
      /** Documents go out as plain JSON, so that any MQTT tool shows them. */
      plain: optional(boolean),
    }),
  ),
  /** HTTP proxy on the way to the broker: http://[NAME:PASSWORD@]HOST:PORT; '' = none, whatever HTTPS_PROXY says. */
  proxy: optional(string({ lengthMax: 512 })),
});

const policyJson = object({
  allowPrivileged: optional(boolean),
  allowDevices: optional(boolean),
  allowHostNetwork: optional(boolean),
  allowCapabilities: optional(array(capability, 64)),
  allowSysctls: optional(boolean),
  allowSeccomp: optional(boolean),
  bindRoots: optional(
    array(
      string({ pattern: /^\/[^\0:]*$/, lengthMax: 1024, form: 'an absolute path without colon' }),
      64,
    ),
  ),
});

export interface AgentConfig {
  readonly logLevel: LogLevel | undefined;
  readonly diskLowBytes: number;
  readonly linkDelayMs: { readonly min: number; readonly max: number } | undefined;
  /** undefined = the one that enrolment named. */
  readonly broker: BrokerAddress | undefined;
  readonly plain: boolean;
  /** '' = none; undefined = as HTTPS_PROXY and NO_PROXY say. */
  readonly proxy: string | undefined;
  readonly policy: Policy;
}

/** What is not allowed in so many words is forbidden. @throws CONFIG_BAD */
export async function loadConfig(places: Places): Promise<AgentConfig> {
  const path = join(places.config, 'agent.json');
  const agent = await readFields(path, agentJson);
  const policy = await readFields(join(places.config, 'policy.json'), policyJson);
  return {
    logLevel: agent.logLevel,
    diskLowBytes: agent.diskLowBytes ?? 64 * mebi,
    linkDelayMs: agent.linkDelayMs,
    broker: agent.mqtt?.url === undefined ? undefined : brokerOf(agent.mqtt.url, path),
    plain: agent.mqtt?.plain ?? false,
    proxy: agent.proxy,
    policy: { ...strictPolicy, ...policy },
  };
}

function brokerOf(url: string, path: string): BrokerAddress {
  try {
    return parseBrokerUrl(url, `${path}: mqtt.url`);
  } catch (error) {
    throw new CodedError('CONFIG_BAD', messageOf(error), { path }, { cause: error });
  }
}

async function readFields<T>(path: string, check: Check<T>): Promise<T> {
  const bytes = await readIfThere(path);
  try {
    return check(parseJson(bytes?.toString('utf8') ?? '{}', path), path);
  } catch (error) {
    throw new CodedError('CONFIG_BAD', messageOf(error), { path }, { cause: error });
  }
}
