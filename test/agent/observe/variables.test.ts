// SPDX-License-Identifier: Apache-2.0
// A release completed with a device's variables: what can be said is said, what cannot stays and is refused.

import test from 'ava';
import { specOf } from '../../../agent/observe/spec.js';
import { completed, variablesOf } from '../../../agent/observe/variables.js';
import { strictPolicy } from '../../../agent/plan/observed.js';
import { refusalOf } from '../../../agent/plan/refusal.js';
import { sharedOf } from '../../../agent/run/shared.js';
import type { Release, Workload } from '../../../protocol/release.js';
import { aRelease, aWorkload } from '../../kit/agent-docs.js';

const mine = variablesOf(
  { tenant: 'acme', device: 'd-1', variables: { SITE: 'graz', EMPTY: '', WHERRY_DEVICE: 'other' } },
  'shop',
);

function one(changed: Partial<Workload>): Workload {
  const release: Release = completed(aRelease({ workloads: [aWorkload(changed)] }), mine);
  const [workload] = release.workloads;
  if (workload === undefined) throw new Error('no workload');
  return workload;
}

test('Environment, labels and host name are completed; the device’s own names win over set ones', (t) => {
  const done = one({
    environment: { PLAIN: '\u0024{SITE}' },
    environmentFrom: {
      URL: ['http://', { variable: 'WHERRY_DEVICE' }, '.', { variable: 'SITE' }, '/'],
      APP: [{ variable: 'WHERRY_APP' }],
      NONE: [{ variable: 'OTHER', default: 'x' }],
      SET: [{ variable: 'EMPTY', default: 'x' }],
      FULL: [{ variable: 'EMPTY', default: 'x', orEmpty: true }],
    },
    labelsFrom: { at: [{ variable: 'SITE' }] },
    hostnameFrom: [{ variable: 'WHERRY_DEVICE' }, '-web'],
  });
  t.deepEqual(done.environment, {
    PLAIN: '\u0024{SITE}',
    URL: 'http://d-1.graz/',
    APP: 'shop',
    NONE: 'x',
    SET: '',
    FULL: 'x',
  });
  t.deepEqual(done.labels, { at: 'graz' });
  t.is(done.hostname, 'd-1-web');
  t.false('environmentFrom' in done || 'labelsFrom' in done || 'hostnameFrom' in done);
});

test('A value that lacks its variable stays open, and the plan refuses the release by name', (t) => {
  const done = one({
    environmentFrom: { A: [{ variable: 'GONE' }], B: [{ variable: 'SITE' }] },
  });
  t.deepEqual(done.environment, { B: 'graz' });
  t.deepEqual(done.environmentFrom, { A: [{ variable: 'GONE' }] });
  t.deepEqual(refusalOf(aRelease({ workloads: [done] }), strictPolicy), {
    code: 'PLAN_VARIABLE',
    message: 'workload web: environment.A needs a variable of this device: GONE',
  });
});

test('A variable that makes no host name leaves it open', (t) => {
  const variables = { SITE: 'a b' };
  const release = completed(
    aRelease({ workloads: [aWorkload({ hostnameFrom: [{ variable: 'SITE' }] })] }),
    variables,
  );
  t.is(refusalOf(release, strictPolicy)?.code, 'PLAN_VARIABLE');
});

test('A changed variable makes another container of those workloads only that use it', (t) => {
  const release = aRelease({
    workloads: [
      aWorkload({ name: 'a', environmentFrom: { A: [{ variable: 'SITE' }] } }),
      aWorkload({ name: 'b' }),
    ],
  });
  const specs = (site: string): string[] =>
    completed(release, { SITE: site }).workloads.map((workload) => specOf(workload));
  const [before, after] = [specs('graz'), specs('linz')];
  t.not(before[0], after[0]);
  t.is(before[1], after[1]);
});

test('A changed config makes another container of those workloads only that use it', (t) => {
  const user = aWorkload({ name: 'a', configs: [{ source: 'c', target: '/c' }] });
  const other = aWorkload({ name: 'b' });
  const specs = (content: string): string[] => {
    const release: Release = aRelease({
      workloads: [user, other],
      configs: [{ name: 'c', content }],
    });
    return release.workloads.map((workload) => specOf(workload, sharedOf(release, workload)));
  };
  t.not(specs('1')[0], specs('2')[0]);
  t.is(specs('1')[1], specs('2')[1]);
  t.is(specs('1')[1], specOf(other), 'as if there were no shared parts');
});
