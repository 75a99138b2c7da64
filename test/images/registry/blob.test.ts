// SPDX-License-Identifier: Apache-2.0
// Blobs over bad links: cut, resumed, lied about, endless, slow. The reader gets the right bytes or a code.

import test, { type ExecutionContext } from 'ava';
import type { Registry } from '../../../images/registry/client.js';
import { codeOf } from '../../../protocol/error.js';
import {
  type Answer,
  aBlob,
  aRegistry,
  gather,
  serveBlobs,
  startServer,
  type TestBlob,
  type TestServer,
} from '../../kit/images-server.js';

const blob = aBlob(400_000);

async function setUp(
  t: ExecutionContext,
  answer: Answer,
  idleTimeoutMs = 10_000,
): Promise<{ server: TestServer; registry: Registry }> {
  const server = await startServer(t, answer);
  return { server, registry: aRegistry(t, { idleTimeoutMs }) };
}

const reference = (server: TestServer): { host: string; repository: string } => ({
  host: server.host,
  repository: 'web',
});

const read = async (
  registry: Registry,
  server: TestServer,
  wanted: TestBlob = blob,
): Promise<Buffer> => gather(registry.blob(reference(server), wanted));

async function codeFrom(t: ExecutionContext, answer: Answer, wanted = blob): Promise<string> {
  const { server, registry } = await setUp(t, answer);
  return codeOf(await t.throwsAsync(read(registry, server, wanted)));
}

test('a cut link goes on with Range where it stopped, and no byte is fetched twice', async (t) => {
  let count = 0;
  const { server, registry } = await setUp(t, (request, response) => {
    if (!request.url?.includes('/blobs/')) return false;
    count += 1;
    if (count > 4) return serveBlobs([blob], request, response);
    const from = Number(/(\d+)-/.exec(request.headers.range ?? '0-')?.[1]);
    response.writeHead(from === 0 ? 200 : 206, {
      'content-length': blob.size - from,
      etag: '"one"',
      ...(from === 0 ? {} : { 'content-range': `bytes ${from}-${blob.size - 1}/${blob.size}` }),
    });
    response.write(blob.bytes.subarray(from, from + 50_000), () => response.destroy());
    return true;
  });
  t.deepEqual(await read(registry, server), blob.bytes);
  t.is(count, 5);
  const resumed = server.requests.filter(({ headers }) => headers.range !== undefined);
  t.is(resumed.length, 4);
  t.is(resumed[0]?.headers['if-range'], '"one"');
  t.true(registry.bytesReceived() < blob.size + 5000);
});

test('a registry that ignores Range is read from the start, and the reader sees each byte once', async (t) => {
  let count = 0;
  const { server, registry } = await setUp(t, (request, response) => {
    if (!request.url?.includes('/blobs/')) return false;
    count += 1;
    response.writeHead(200, { 'content-length': blob.size });
    const until = count === 1 ? 123_457 : blob.size;
    response.write(blob.bytes.subarray(0, until), () =>
      count === 1 ? response.destroy() : response.end(),
    );
    return true;
  });
  t.deepEqual(await read(registry, server), blob.bytes);
  t.is(count, 2);
});

test('a body without a length that ends early is resumed too', async (t) => {
  let count = 0;
  const { server, registry } = await setUp(t, (request, response) => {
    if (!request.url?.includes('/blobs/')) return false;
    count += 1;
    if (count > 1) return serveBlobs([blob], request, response);
    response.writeHead(200);
    response.end(blob.bytes.subarray(0, 1000));
    return true;
  });
  t.deepEqual(await read(registry, server), blob.bytes);
});

test('a range that starts elsewhere than was asked for is refused', async (t) => {
  let count = 0;
  const code = await codeFrom(t, (request, response) => {
    if (!request.url?.includes('/blobs/')) return false;
    count += 1;
    const from = count === 1 ? 0 : 7;
    response.writeHead(count === 1 ? 200 : 206, {
      'content-length': blob.size - from,
      ...(count === 1 ? {} : { 'content-range': `bytes 7-${blob.size - 1}/${blob.size}` }),
    });
    response.write(blob.bytes.subarray(from, from + 1000), () => response.destroy());
    return true;
  });
  t.is(code, 'REGISTRY_PROTOCOL');
});

test('a link that is cut again and again without getting further ends in a code', async (t) => {
  const code = await codeFrom(t, (request, response) => {
    if (!request.url?.includes('/blobs/')) return false;
    response.writeHead(200, { 'content-length': blob.size });
    response.write(blob.bytes.subarray(0, 10), () => response.destroy());
    return true;
  });
  t.is(code, 'REGISTRY_CUT');
});

test('an endless body is stopped at the size that the descriptor names', async (t) => {
  const { server, registry } = await setUp(t, (request, response) => {
    if (!request.url?.includes('/blobs/')) return false;
    response.writeHead(200);
    const more = (): void => {
      while (response.write(Buffer.alloc(65_536)));
    };
    response.on('drain', more);
    more();
    return true;
  });
  const error = await t.throwsAsync(read(registry, server));
  t.is(codeOf(error), 'IMAGE_DIGEST');
  t.true(registry.bytesReceived() < 4 * blob.size);
});

test('a registry that announces another size is refused before the bytes are read', async (t) => {
  const code = await codeFrom(t, (request, response) => serveBlobs([blob], request, response), {
    ...blob,
    size: blob.size + 1,
  });
  t.is(code, 'IMAGE_DIGEST');
});

test('a blob that is shorter than its descriptor ends in a code, not in a loop', async (t) => {
  const code = await codeFrom(t, (request, response) => {
    if (!request.url?.includes('/blobs/')) return false;
    if (request.headers.range !== undefined) {
      response.writeHead(416).end();
      return true;
    }
    response.writeHead(200);
    response.end(blob.bytes.subarray(0, 1000));
    return true;
  });
  t.is(code, 'IMAGE_DIGEST');
});

test('a body that brings a byte now and then counts as stalled, and is asked for again', async (t) => {
  const timers: NodeJS.Timeout[] = [];
  t.teardown(() => timers.forEach(clearInterval));
  let count = 0;
  const { server, registry } = await setUp(
    t,
    (request, response) => {
      if (!request.url?.includes('/blobs/')) return false;
      count += 1;
      if (count === 3) return serveBlobs([blob], request, response);
      const from = Number(/(\d+)-/.exec(request.headers.range ?? '0-')?.[1]);
      response.writeHead(from === 0 ? 200 : 206, {
        'content-length': blob.size - from,
        ...(from === 0 ? {} : { 'content-range': `bytes ${from}-${blob.size - 1}/${blob.size}` }),
      });
      let at = from;
      const drip = (): void => {
        response.write(blob.bytes.subarray(at, at + 1));
        at += 1;
      };
      timers.push(setInterval(drip, 100));
      return true;
    },
    500,
  );
  t.deepEqual(await read(registry, server), blob.bytes);
  t.is(count, 3);
});

test('a reader that is slow does not make the link count as stalled', async (t) => {
  const large = aBlob(3_000_000);
  const { server, registry } = await setUp(
    t,
    (request, response) => serveBlobs([large], request, response),
    1000,
  );
  let length = 0;
  for await (const chunk of registry.blob(reference(server), large)) {
    if (length === 0) await new Promise((resolve) => setTimeout(resolve, 1500));
    length += chunk.length;
  }
  t.is(length, large.size);
  t.is(server.requests.filter(({ line }) => line.includes('/blobs/')).length, 1);
});

test.serial(
  'a process that was held up for longer than the time limit still reads what has come',
  async (t) => {
    let count = 0;
    const { server, registry } = await setUp(t, (request, response) => {
      if (!request.url?.includes('/blobs/')) return false;
      count += 1;
      response.writeHead(200, { 'content-length': blob.size });
      response.write(blob.bytes.subarray(0, 2000), () => {
        const until = performance.now() + 1300; // nothing else runs meanwhile, as on a starved device
        while (performance.now() < until);
        response.end(blob.bytes.subarray(2000));
      });
      return true;
    });
    t.deepEqual(await read(registry, server), blob.bytes);
    t.is(count, 1);
  },
);

test('an aborted transfer ends at once with the reason', async (t) => {
  const { server, registry } = await setUp(
    t,
    (request, response) => {
      if (!request.url?.includes('/blobs/')) return false;
      response.writeHead(200, { 'content-length': blob.size });
      response.write(blob.bytes.subarray(0, 1000));
      return true;
    },
    1000,
  );
  const stop = new AbortController();
  const reason = new Error('enough');
  setTimeout(() => stop.abort(reason), 100);
  const stream = registry.blob(reference(server), blob, { signal: stop.signal });
  t.is(await t.throwsAsync(gather(stream)), reason);
});

test('wrong bytes of a config are refused by digest', async (t) => {
  const { server, registry } = await setUp(t, (request, response) => {
    const wrong = { ...blob, bytes: Buffer.alloc(blob.size) };
    return serveBlobs([wrong], request, response);
  });
  const error = await t.throwsAsync(registry.smallBlob(reference(server), blob));
  t.is(codeOf(error), 'IMAGE_DIGEST');
});

test('a blob that the registry does not have is unknown', async (t) => {
  t.is(await codeFrom(t, () => false), 'IMAGE_UNKNOWN');
});
