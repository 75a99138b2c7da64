// SPDX-License-Identifier: Apache-2.0
// Codes of the registry client and of the embedded registry.

import type { CodeEntry } from './entry.js';

export const registryCodes = {
  REGISTRY_UNREACHABLE: {
    retry: 'backoff',
    blame: 'network',
    about: 'The registry cannot be reached: no such host, connection refused or reset.',
    remedy: 'Check the name, the port and the network; the agent tries again by itself.',
  },
  REGISTRY_PROXY: {
    retry: 'backoff',
    blame: 'network',
    about: 'The proxy on the way to the registry is away, refused, or could not reach the target.',
    remedy: 'Check the proxy in registries.json or the environment, its login, and NO_PROXY.',
  },
  REGISTRY_TIMEOUT: {
    retry: 'backoff',
    blame: 'network',
    about: 'The registry did not answer in time, or sent almost nothing for too long.',
    remedy: 'Check the link and the load of the registry; the agent tries again by itself.',
  },
  REGISTRY_CUT: {
    retry: 'backoff',
    blame: 'network',
    about: 'A transfer was cut again and again without getting further.',
    remedy: 'Check the link, proxies and time limits on the way; the agent tries again by itself.',
  },
  REGISTRY_TLS: {
    retry: 'backoff',
    blame: 'operator',
    about: "The registry's certificate is not trusted, or it refused ours.",
    remedy: 'Put ca.crt, client.cert and client.key into certs.d/HOST:PORT, and check the clock.',
  },
  REGISTRY_CERTS: {
    retry: 'backoff',
    blame: 'operator',
    about: 'The certificate files for a registry are not readable or not complete.',
    remedy: 'A client certificate needs NAME.cert and NAME.key, both readable PEM.',
  },
  REGISTRY_PLAIN: {
    retry: 'never',
    blame: 'operator',
    about: 'The registry speaks plain HTTP, which is allowed on loopback only.',
    remedy: 'Give the registry a certificate, or allow it by name with the insecure option.',
  },
  REGISTRY_AUTH: {
    retry: 'backoff',
    blame: 'operator',
    about: 'The registry wants credentials, or refused those that it got.',
    remedy: 'Check the user name and password, and that the account may use the repository.',
  },
  REGISTRY_DENIED: {
    retry: 'backoff',
    blame: 'operator',
    about: 'The registry does not allow this on this repository.',
    remedy: 'Give the account or the certificate the right to pull from or push to it.',
  },
  REGISTRY_BUSY: {
    retry: 'backoff',
    blame: 'network',
    about: 'The registry asks for fewer requests (429).',
    remedy: 'Wait: the agent tries again by itself; raise the limit at the registry if it stays.',
  },
  REGISTRY_FAILED: {
    retry: 'backoff',
    blame: 'network',
    about: 'The registry failed to serve the request (5xx).',
    remedy: 'See the log of the registry; the agent tries again by itself.',
  },
  REGISTRY_REFUSED: {
    retry: 'changed',
    blame: 'operator',
    about: 'The registry refused the request as wrong (4xx).',
    remedy: "The message holds the registry's own words; mend what they name.",
  },
  REGISTRY_PROTOCOL: {
    retry: 'backoff',
    blame: 'operator',
    about: 'What answered does not speak the distribution API as specified.',
    remedy: 'Check that host and port are those of a registry, and what proxies on the way do.',
  },
  REGISTRY_HELPER: {
    retry: 'backoff',
    blame: 'operator',
    about:
      'A credential program (docker-credential-NAME) is missing, failed or gave no credentials.',
    remedy:
      'Install the program that config.json names, or log in with another file by --authfile.',
  },
  REGISTRY_USER: {
    retry: 'never',
    blame: 'operator',
    about: 'A user of the embedded registry is unknown, or a rule for one has a wrong field.',
    remedy: 'See `wherry-fleet registry user ls`; the message names the field.',
  },
  SECRET_LIMIT: {
    retry: 'never',
    blame: 'operator',
    about: 'The fleet holds as many secrets as it may, or one of them is too long.',
    remedy: 'Remove those that no device needs, with `wherry-fleet registry logout HOST`.',
  },
  SECRET_UNKNOWN: {
    retry: 'never',
    blame: 'operator',
    about: 'The fleet holds no secret of that name.',
    remedy: 'See `wherry-fleet registry ls`.',
  },
} as const satisfies Record<string, CodeEntry>;
