// SPDX-License-Identifier: Apache-2.0
// Codes of the MQTT link and its payloads.

import type { CodeEntry } from './entry.js';

export const linkCodes = {
  LINK_DOWN: {
    retry: 'backoff',
    blame: 'network',
    about:
      'There is no connection to the MQTT broker, or it was lost while a message was under way.',
    remedy: 'Nothing: the link reconnects by itself; see `wherry status` for the reason.',
  },
  LINK_REFUSED: {
    retry: 'backoff',
    blame: 'network',
    about:
      'The MQTT broker cannot be reached: no such host, no route, nobody listens or no answer.',
    remedy: 'Check the address in wherryd.json, the network and that the fleet server runs.',
  },
  LINK_CERTIFICATE: {
    retry: 'backoff',
    blame: 'operator',
    about:
      "The MQTT broker's certificate is not of our authority, not for its name or not valid now.",
    remedy:
      'Check the clock, the broker’s address, and that the device is enrolled with this fleet.',
  },
  LINK_AUTH: {
    retry: 'backoff',
    blame: 'operator',
    about:
      'The MQTT broker refuses our certificate: revoked, expired, of another tenant or not allowed.',
    remedy: 'Check the device with `wherry-fleet device ls`; enrol it again if it was revoked.',
  },
  LINK_PROXY: {
    retry: 'backoff',
    blame: 'network',
    about: 'The proxy on the way to the MQTT broker cannot be reached or refuses to connect.',
    remedy:
      'Check `proxy` in agent.json or HTTPS_PROXY and NO_PROXY, and that the proxy allows CONNECT to the broker’s port.',
  },
  LINK_SUBSCRIBE: {
    retry: 'backoff',
    blame: 'operator',
    about: 'The MQTT broker refuses a subscription.',
    remedy: 'Check the topic rules of the broker; docs/protocol.md lists what a device may read.',
  },
  LINK_QUEUE_FULL: {
    retry: 'soon',
    blame: 'device',
    about: 'More messages wait to be sent than the bound allows.',
    remedy: 'Send less often; the queue drains as the broker acknowledges.',
  },
  LINK_TOO_LARGE: {
    retry: 'never',
    blame: 'bug',
    about: 'A message is longer than 256 KiB.',
    remedy: 'Make the document smaller; docs/protocol.md has the bounds.',
  },
  LINK_LISTEN: {
    retry: 'backoff',
    blame: 'operator',
    about: 'The broker cannot listen on its address.',
    remedy: 'Free the port that the message names, or set another one.',
  },
  PAYLOAD_BAD: {
    retry: 'never',
    blame: 'network',
    about: 'A message payload is truncated, damaged, too long or not one of ours.',
    remedy: 'Find who sent it by the topic in the log; the payload is dropped.',
  },
} as const satisfies Record<string, CodeEntry>;
