// Which tests run: SUITE picks the folder, DIST the compiled tree (default: dist). An ava glob on the
// command line cannot widen `files`, so the slow suites are chosen here.
import process from 'node:process';

const dist = process.env.WHERRY_DIST ?? 'dist';
const fast = ['tidy', 'protocol', 'adapters', 'images', 'agent', 'fleet', 'provisioning', 'native'];
const suite = process.env.SUITE ?? 'fast';
const only = process.env.T;

const roots = suite === 'fast' ? fast : [suite];
const files = roots.map((root) =>
  root === 'tidy' ? `${dist}/test/tidy.test.js` : `${dist}/test/${root}/**/*.test.js`,
);

export default {
  files: only === undefined ? files : [`${dist}/test/**/*${only}*.test.js`],
  workerThreads: false,
  concurrency: suite === 'fast' ? 2 : 1,
  timeout: suite === 'fast' ? '60s' : '10m',
  failFast: false,
  nodeArguments: ['--enable-source-maps'],
};
