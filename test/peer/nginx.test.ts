import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LocalContainer, LocalStats } from '../../protocol/local.js';
import { needs } from '../kit/needs.js';
import { nginxAnswers, peerRegistry, pushNginx, startPeerRegistry } from '../kit/world/nginx.js';
import { openStage } from '../kit/world/site.js';

const peer = needs(['root', 'nft', 'ip', 'buildah', 'skopeo', 'docker-registry', 'nginx']);

peer(
  'nginx built by buildah and kept in docker-registry serves under 48 MiB, by tag and by digest',
  async (t) => {
    const stage = await openStage(t, 'peer', ['a']);
    const { world, devices } = stage;
    const [device] = devices as [(typeof devices)[0]];
    const certDir = await startPeerRegistry(world);
    const digest = await pushNginx(world, certDir);
    await device.trustRegistry(peerRegistry, readFileSync(join(certDir, 'ca.crt'), 'utf8'));
    const file = join(world.root, 'nginx.yaml');
    writeFileSync(
      file,
      `services:
  tagged:
    image: ${peerRegistry}/debian/nginx:1
    ports: ["8081:80"]
    mem_limit: 48m
    cap_drop: [ALL]
    cap_add: [NET_BIND_SERVICE, SETUID, SETGID, CHOWN]
  pinned:
    image: ${peerRegistry}/debian/nginx@${digest}
    ports: ["8082:80"]
    mem_limit: 48m
    depends_on: [tagged]
x-wherry:
  gate: { bake: 1s, deadline: 30s }
`,
    );
    await world.fleet.cli(['release', 'create', '-f', file, '--app', 'nginx', '--version', '1']);
    const output = await world.fleet.cli(
      [
        'rollout',
        'start',
        'nginx:1',
        '--canary',
        '1',
        '--bake',
        '0s',
        '--deadline',
        '60s',
        '--wait',
      ],
      { mayFail: true, timeoutMs: 90_000 },
    );
    t.is(output.code, 0, output.stdout + output.stderr + device.output().slice(-2000));
    await nginxAnswers(world, device.address, 8081);
    await nginxAnswers(world, device.address, 8082);
    const containers = await device.json<LocalContainer[]>(['ps']);
    t.deepEqual(
      containers.map((each) => each.imageDigest),
      [digest, digest],
    );
    for (const stats of await device.json<LocalStats[]>(['stats'])) {
      t.is(stats.memoryMaxBytes, 48 * 1024 * 1024);
      t.true(stats.memoryBytes < 48 * 1024 * 1024);
    }
    const log = (await device.cli(['logs', 'tagged'])).stdout;
    t.regex(log, /"GET \/ HTTP\/1.1" 200/);
  },
);
