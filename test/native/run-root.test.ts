// SPDX-License-Identifier: Apache-2.0
// The root of a container (overlay, volumes), its link, its terminal, its users.
// runs: host, lab

import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { nativeProgram } from '../../adapters/places.js';
import { annotations } from '../../protocol/keeper.js';
import { aBox, boxTest, fillRootfs, foreign } from '../kit/run-box.js';

function overlayOf(bundle: string, layers: string[], writable: boolean): Record<string, string> {
  for (const name of ['upper', 'work', ...layers])
    mkdirSync(join(bundle, name), { recursive: true });
  return {
    [annotations.overlayLower]: layers.map((name) => join(bundle, name)).join(':'),
    ...(writable
      ? {
          [annotations.overlayUpper]: join(bundle, 'upper'),
          [annotations.overlayWork]: join(bundle, 'work'),
        }
      : {}),
  };
}

boxTest(
  'the layers of the annotations are stacked, topmost first, and a whiteout hides',
  (t) => {
    const script = 'cat /etc/name; ls /etc; echo new > /etc/mine';
    const box = aBox(t, ['/bin/sh', '-c', script], (config, bundle) => {
      config.annotations = overlayOf(bundle, ['top', 'middle', 'base'], true);
      config.root.path = 'merged';
    });
    fillRootfs(join(box.bundle, 'base'));
    for (const layer of ['top', 'middle']) mkdirSync(join(box.bundle, layer, 'etc'));
    writeFileSync(join(box.bundle, 'base/etc/name'), 'base\n');
    writeFileSync(join(box.bundle, 'middle/etc/name'), 'middle\n');
    writeFileSync(join(box.bundle, 'top/etc/name'), 'top\n');
    writeFileSync(join(box.bundle, 'base/etc/gone'), 'x');
    spawnSync('mknod', [join(box.bundle, 'top/etc/gone'), 'c', '0', '0']);
    const { code, out, err } = box.run();
    t.is(code, 0, err);
    t.is(out, 'top\nname\n');
    t.is(readFileSync(join(box.bundle, 'upper/etc/mine'), 'utf8'), 'new\n');
    t.false(existsSync(join(box.bundle, 'base/etc/mine')));
  },
  { own: true },
);

boxTest(
  'a stack without an upper folder is read-only, and a hundred layers are fine',
  (t) => {
    const layers = Array.from({ length: 100 }, (_, at) => `a-layer-with-a-long-name-${at}`);
    const box = aBox(
      t,
      ['/bin/sh', '-c', 'cat /n; touch /x || echo read-only'],
      (config, bundle) => {
        config.annotations = overlayOf(bundle, [...layers, 'base'], false);
        config.root.path = 'merged';
      },
    );
    fillRootfs(join(box.bundle, 'base'));
    writeFileSync(join(box.bundle, layers[42] ?? '', 'n'), '42\n');
    const { code, out, err } = box.run();
    t.is(code, 0, err);
    t.is(out, '42\nread-only\n');
  },
  { own: true },
);

boxTest(
  'a layer that is not there is BOX_ROOTFS and names it',
  (t) => {
    const box = aBox(t, ['/bin/true'], (config, bundle) => {
      config.annotations = {
        ...overlayOf(bundle, ['top', 'base'], true),
        [annotations.overlayLower]: `${bundle}/absent:${bundle}/base`,
      };
    });
    const { code, err } = box.run();
    t.is(code, 1);
    t.regex(err, /BOX_ROOTFS.*absent/);
  },
  { own: true },
);

boxTest('volumes are bound, read-only ones cannot be written, files work as well', (t) => {
  const script =
    'cat /v/a; touch /v/b || echo ro; touch /w/b && echo rw; cat /etc/f; touch /t/x && echo t';
  const box = aBox(t, ['/bin/sh', '-c', script], (config, bundle) => {
    mkdirSync(join(bundle, 'volume'), { recursive: true });
    writeFileSync(join(bundle, 'volume/a'), 'A\n');
    writeFileSync(join(bundle, 'file'), 'F\n');
    const source = join(bundle, 'volume');
    config.mounts.push(
      { destination: '/v', source, options: ['rbind', 'ro', 'nosuid'] },
      { destination: '/w', source, options: ['bind', 'rw'] },
      { destination: '/etc/f', source: join(bundle, 'file'), options: ['bind'] },
      { destination: '/t', type: 'tmpfs', source: 'tmpfs', options: ['size=1m', 'mode=1777'] },
    );
  });
  t.is(box.run().out, 'A\nro\nrw\nF\nt\n');
});

boxTest('a tmpfs with tmpcopyup begins with what the image has there', (t) => {
  const script = 'cat /data/a/b; stat -c %a:%u /data/a/b; touch /data/x || echo ro';
  const box = aBox(t, ['/bin/sh', '-c', script], (config) => {
    config.mounts.push({
      destination: '/data',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['ro', 'tmpcopyup'],
    });
  });
  mkdirSync(join(box.rootfs, 'data/a'));
  writeFileSync(join(box.rootfs, 'data/a/b'), 'B\n', { mode: 0o604 });
  chownSync(join(box.rootfs, 'data/a/b'), 7, 7);
  t.is(box.run().out, 'B\n604:7\nro\n');
});

boxTest('an unknown option of a bind mount is refused', (t) => {
  const box = aBox(t, ['/bin/true'], (config, bundle) => {
    config.mounts.push({ destination: '/v', source: bundle, options: ['bind', 'readonyl'] });
  });
  if (foreign !== undefined) t.pass();
  else t.regex(box.run().err, /BOX_SPEC.*readonyl/);
});

boxTest('root of a user namespace is nobody of the host', (t) => {
  const box = aBox(t, ['/bin/sh', '-c', 'id -u; touch /data/made; hostname'], (config) => {
    config.linux.namespaces.push({ type: 'user' });
    const map = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
    config.linux.uidMappings = map;
    config.linux.gidMappings = map;
    const caps = ['CAP_CHOWN'];
    config.process.capabilities = { bounding: caps, effective: caps, permitted: caps };
  });
  // The folders above must let the mapped user pass.
  spawnSync('chmod', ['-R', 'a+rX', box.folder]);
  spawnSync('chown', ['-R', '100000:100000', box.rootfs, '--no-dereference']);
  const { code, out, err } = box.run();
  t.is(code, 0, err);
  t.is(out, '0\nbox\n');
  t.is(statSync(join(box.rootfs, 'data/made')).uid, 100_000);
});

boxTest('a namespace is joined by its path', (t) => {
  const first = aBox(t, ['/bin/sleep', '100'], (config) => {
    config.hostname = 'first';
  });
  t.is(first.detached('run', '-d', '--bundle', first.bundle, first.id).code, 0);
  const pid = Number(first.state()['pid']);
  const second = aBox(t, ['/bin/sh', '-c', 'hostname; ps | grep -c "sleep 100$"'], (config) => {
    config.hostname = 'first';
    config.linux.namespaces = config.linux.namespaces.map(({ type }) =>
      type === 'uts' || type === 'pid' ? { type, path: `/proc/${pid}/ns/${type}` } : { type },
    );
  });
  t.is(second.run().out, 'first\n1\n');
});

/** A network namespace of the test's own; its path. */
function aNetwork(t: ExecutionContext): string {
  const name = `wherry-test-${process.pid}`;
  t.is(spawnSync('ip', ['netns', 'add', name]).status, 0);
  t.teardown(() => {
    spawnSync('ip', ['netns', 'del', name]);
  });
  return `/run/netns/${name}`;
}

const linkOf = (address: string) => ({
  [annotations.netBridge]: 'br-test',
  [annotations.netGateway]: '10.99.0.1/24',
  [annotations.netAddress]: address,
});

boxTest(
  'a link has its bridge, address and default route, and delete takes the host end away',
  (t) => {
    const network = aNetwork(t);
    const inside = (...words: string[]) =>
      spawnSync('nsenter', [`--net=${network}`, ...words], { encoding: 'utf8' }).stdout;
    const script = 'ip -o -4 addr; ip route; ping -c 1 -W 2 10.99.0.1 && ping -c 1 -W 2 127.0.0.1';
    const box = aBox(t, ['/bin/sh', '-c', script], (config) => {
      config.annotations = linkOf('10.99.0.5/24');
      const caps = ['CAP_NET_RAW'];
      config.process.capabilities = { bounding: caps, effective: caps, permitted: caps };
    });
    const { code, out, err } = box.call(['run', '--bundle', box.bundle, box.id], {
      prefix: ['nsenter', `--net=${network}`],
    });
    t.is(code, 0, out + err);
    t.regex(out, /eth0.*10\.99\.0\.5\/24/);
    t.regex(out, /default via 10\.99\.0\.1 dev eth0/);
    t.regex(inside('ip', '-o', '-4', 'addr'), /br-test.*10\.99\.0\.1\/24/);
    t.is(inside('cat', '/proc/sys/net/ipv4/ip_forward').trim(), '1');
    t.is(inside('cat', '/proc/sys/net/ipv4/conf/br-test/route_localnet').trim(), '1');
    t.notRegex(inside('ip', '-o', 'link'), /wv[0-9a-f]{12}/);
  },
  { own: true },
);

boxTest(
  'two containers on one bridge reach each other, and a left-over link is replaced',
  (t) => {
    const prefix = ['nsenter', `--net=${aNetwork(t)}`];
    const caps = ['CAP_NET_RAW'];
    const server = aBox(t, ['/bin/sleep', '100'], (config) => {
      config.annotations = linkOf('10.99.0.6/24');
    });
    const start = () =>
      spawnSync(
        'nsenter',
        [prefix[1] ?? '', nativeProgram('wherry-run'), '--root', server.stateRoot].concat([
          'run',
          '-d',
          '--bundle',
          server.bundle,
          server.id,
        ]),
        { stdio: 'ignore' },
      );
    t.is(start().status, 0);
    const [link] = spawnSync('nsenter', [prefix[1] ?? '', 'ip', '-o', 'link'], {
      encoding: 'utf8',
    }).stdout.match(/wv[0-9a-f]{12}/) ?? ['no link'];
    t.is(server.call(['delete', '--force', server.id], { prefix }).code, 0);
    spawnSync('nsenter', [prefix[1] ?? '', 'ip', 'link', 'add', link, 'type', 'dummy']);
    t.is(start().status, 0);
    const client = aBox(t, ['/bin/ping', '-c', '1', '-W', '2', '10.99.0.6'], (config) => {
      config.annotations = linkOf('10.99.0.7/24');
      config.process.capabilities = { bounding: caps, effective: caps, permitted: caps };
    });
    const { code, out } = client.call(['run', '--bundle', client.bundle, client.id], { prefix });
    t.is(code, 0, out);
    t.is(server.call(['delete', '--force', server.id], { prefix }).code, 0);
  },
  { own: true },
);

boxTest(
  'a link with a broken address is refused before anything is made',
  (t) => {
    for (const address of ['10.99.0.5', '10.99.0.5/33', '10.99.0/24', 'x/24', '10.99.0.5/24x']) {
      const box = aBox(t, ['/bin/true'], (config) => {
        config.annotations = linkOf(address);
      });
      t.regex(box.run().err, /BOX_SPEC/, address);
    }
  },
  { own: true },
);

boxTest(
  'exec -t gives a terminal of its own, and so does run with process.terminal',
  (t) => {
    const box = aBox(t, ['/bin/sleep', '100']);
    t.is(box.detached('run', '-d', '--bundle', box.bundle, box.id).code, 0);
    t.is(box.call(['exec', '-t', box.id, '/bin/tty']).out, '/dev/pts/0\r\n');
    const other = aBox(t, ['/bin/sh', '-c', 'tty; tty < /dev/console; exit 5'], (config) => {
      config.process.terminal = true;
    });
    const { code, out } = other.run();
    t.is(code, 5);
    t.regex(out, /^\/dev\/pts\/0\r\n\/dev\/(console|pts\/0)\r\n$/);
    t.not(other.detached('create', '--bundle', other.bundle, other.id).code, 0);
  },
  { own: true },
);

boxTest('a container of the same bundle can be made again after delete', (t) => {
  const box = aBox(t, ['/bin/sh', '-c', 'cat /data/n 2>/dev/null; echo x >> /data/n']);
  t.is(box.run().out, '');
  t.is(box.run().out, 'x\n');
});
