// SPDX-License-Identifier: Apache-2.0
// Compose texts for tests: one service with the lines in question, volumes, networks and configs to name, and the
// files that lie beside it.

import { type Compose, readCompose } from '../../fleet/release/compose.js';
import { CodedError } from '../../protocol/error.js';

const files: Readonly<Record<string, string>> = {
  'web.env': 'A=1\nB="two words"\n',
  'app/base.yaml':
    'services:\n  base:\n    image: base\n    env_file: base.env\n    environment: {X: "1"}\n',
  'app/base.env': 'FROM_BASE=yes\n',
  'strict.json': JSON.stringify({
    defaultAction: 'SCMP_ACT_ERRNO',
    archMap: [{ architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] }],
    syscalls: [
      {
        name: 'read',
        action: 'SCMP_ACT_ALLOW',
        args: [],
        comment: 'x',
        includes: {},
        excludes: {},
      },
    ],
  }),
  'bad.json': '{"defaultAction": "ALLOW", "syscalls": []}',
};

const tail = `
volumes:
  data:
  shared: {driver: local, driver_opts: {type: nfs, device: ":/srv", o: "addr=10.0.0.9,ro"}}
networks:
  back: {internal: true, ipam: {config: [{subnet: 172.28.0.0/24, gateway: 172.28.0.1}]}}
configs:
  site: {content: "hello"}
`;

/** `lines` are those of services.web from line 4 on. */
export function textOf(lines: string): string {
  return `services:\n  web:\n    image: reg/web:v1\n${lines.replace(/^/gm, '    ')}${tail}`;
}

export function read(text: string, profiles: readonly string[] = []): Compose {
  return readCompose(text, 'compose.yaml', {
    variables: new Map([
      ['SIZE', '64m'],
      ['ON', 'true'],
    ]),
    profiles,
    readText: (path) => {
      const found = files[path];
      if (found === undefined) throw Object.assign(new Error('not there'), { code: 'ENOENT' });
      return found;
    },
  });
}

/** `CODE line: message` of the refusal. */
export function refusal(text: string): string {
  try {
    read(text);
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    return `${error.code} ${error.message.replace('compose.yaml:', '')}`;
  }
  return 'accepted';
}
