#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// The program wherry-provision: gives a device its identity, and shows which one it has.

import { createHash, X509Certificate } from 'node:crypto';
import { instantOf } from '../adapters/clock.js';
import type { Option, Program } from '../adapters/command.js';
import { readIfThere } from '../adapters/durable.js';
import { placesOf } from '../adapters/places.js';
import { main, print, show } from '../adapters/terminal.js';
import { brokerUrl } from '../protocol/broker.js';
import { CodedError } from '../protocol/error.js';
import { oneLine } from '../protocol/text.js';
import { readCode } from './device/code.js';
import { enrolDevice } from './device/enrol.js';
import { expiryOf, loadIdentity } from './device/identity.js';
import { brokerCommand } from './host/broker-command.js';

const root: Option = {
  type: 'string',
  value: 'DIR',
  default: '/',
  about: "Where the device's files lie",
};

const program: Program = {
  name: 'wherry-provision',
  about: 'Give a device its identity in a fleet',
  options: { root },
  section: 8,
  files: {
    '/etc/wherry/wherryd.json': 'Who the device is, its broker and its registries.',
    '/etc/wherry': 'Key, certificate and the keys that it trusts.',
  },
  commands: [
    {
      name: 'enrol',
      about:
        'Enrol this device with the code of a claim. Other users of the device can see an argument: with - ' +
        'the code is read from standard input.',
      args: '[CODE|-]',
      options: {
        'code-file': { type: 'string', value: 'FILE', about: 'Read the code from a file' },
        name: { type: 'string', value: 'ID', about: 'What the device would like to be called' },
        serial: { type: 'string', value: 'S', about: "Serial number (default the board's)" },
        wait: { type: 'boolean', about: 'Go on trying while there is no network' },
        force: { type: 'boolean', about: 'Enrol again although the device is enrolled' },
      },
      run: async (parsed) => {
        const name = parsed.text('name');
        const serial = parsed.text('serial') ?? (await boardSerial());
        const { tenant, device } = await enrolDevice({
          configDir: placesOf(parsed.text('root') ?? '/').config,
          code: await readCode(parsed.args[0], parsed.text('code-file')),
          force: parsed.flag('force'),
          ...(name === undefined ? {} : { name }),
          ...(serial === undefined ? {} : { serial }),
          ...(parsed.flag('wait') ? { onWait: sayWait } : {}),
        });
        print(`enrolled as ${device} of ${tenant}`);
        return 0;
      },
    },
    {
      name: 'show',
      about: 'Show who this device is and until when its certificate is good',
      options: { json: { type: 'boolean', about: 'Print JSON' } },
      run: async (parsed) => {
        const { config } = placesOf(parsed.text('root') ?? '/');
        const identity = await loadIdentity(config);
        if (identity === undefined) {
          throw new CodedError('IDENTITY_MISSING', `${config} holds no identity`, { path: config });
        }
        const der = new X509Certificate(identity.ca).raw;
        const facts = {
          device: identity.device,
          tenant: identity.tenant,
          broker: brokerUrl(identity.mqtt),
          registries: Object.keys(identity.registries),
          expires: instantOf(expiryOf(identity)),
          pin: createHash('sha256').update(der).digest('base64url'),
        };
        show(
          [facts],
          parsed.flag('json'),
          ['DEVICE', 'TENANT', 'BROKER', 'REGISTRIES', 'EXPIRES', 'AUTHORITY'],
          (row) => [
            row.device,
            row.tenant,
            row.broker,
            row.registries.join(','),
            row.expires,
            row.pin,
          ],
        );
        return 0;
      },
    },
    brokerCommand,
  ],
};

function sayWait(error: CodedError, delayMs: number): void {
  const seconds = Math.round(delayMs / 1000);
  process.stderr.write(`${oneLine(error.message)}; trying again in ${seconds} s\n`);
}

/** What the firmware says; boards with a device tree have it. */
async function boardSerial(): Promise<string | undefined> {
  const bytes = await readIfThere('/proc/device-tree/serial-number');
  const text = bytes?.toString('utf8').replace(/\0+$/, '').trim();
  return text === undefined || text === '' ? undefined : text.slice(0, 128);
}

await main(program);
