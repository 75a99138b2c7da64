// SPDX-License-Identifier: Apache-2.0
// The options that say what an image runs by default. Entrypoint, command and health check are a JSON list of
// words, or plain words: those of the first two are split at blanks, those of a check go to the shell.

import type { Option, Parsed } from '../../adapters/command.js';
import { CodedError } from '../../protocol/error.js';
import type { RunDefaults } from '../oci/write.js';

const text = (value: string, about: string): Option => ({ type: 'string', value, about });
const list = (value: string, about: string, short?: string): Option => ({
  ...text(value, about),
  multiple: true,
  ...(short === undefined ? {} : { short }),
});

export const runOptions: Readonly<Record<string, Option>> = {
  entrypoint: text('WORDS|JSON', 'What is started'),
  cmd: text('WORDS|JSON', 'Its arguments, or what is started where there is no entrypoint'),
  env: list('NAME=VALUE', 'A variable', 'e'),
  user: { ...text('USER[:GROUP]', 'Who runs it'), short: 'u' },
  workdir: { ...text('DIR', 'Where it runs'), short: 'w' },
  expose: list('PORT[/tcp|/udp]', 'A port that it listens on'),
  volume: list('DIR', 'A folder that outlives the container'),
  label: list('KEY=VALUE', 'A label', 'l'),
  'stop-signal': text('SIGNAL', 'What asks it to stop'),
  'healthcheck-cmd': text('WORDS|JSON|none', 'How its health is checked'),
  'healthcheck-interval': text('TIME', 'Between checks: 30s, 1m30s'),
  'healthcheck-timeout': text('TIME', 'After which a check has failed'),
  'healthcheck-start-period': text('TIME', 'In which a failed check does not count'),
  'healthcheck-retries': text('N', 'Failed checks in a row that make it unhealthy'),
};

/** @throws USAGE */
export function runDefaultsOf(parsed: Parsed): RunDefaults {
  const entrypoint = parsed.text('entrypoint');
  const cmd = parsed.text('cmd');
  return {
    env: parsed.list('env').map((word) => pair('env', word).join('=')),
    labels: Object.fromEntries(parsed.list('label').map((word) => pair('label', word))),
    ports: parsed.list('expose').map(portOf),
    volumes: parsed.list('volume').map((dir) => absolute('volume', dir)),
    ...(entrypoint === undefined ? {} : { entrypoint: wordsOf('entrypoint', entrypoint) }),
    ...(cmd === undefined ? {} : { cmd: wordsOf('cmd', cmd) }),
    ...given('user', parsed.text('user')),
    ...given('stopSignal', parsed.text('stop-signal')),
    ...workdirOf(parsed),
    ...healthOf(parsed),
  };
}

function given<K extends string>(name: K, value: string | undefined): { [P in K]?: string } {
  return value === undefined ? {} : ({ [name]: value } as { [P in K]?: string });
}

function workdirOf(parsed: Parsed): { workingDir?: string } {
  const dir = parsed.text('workdir');
  return dir === undefined ? {} : { workingDir: absolute('workdir', dir) };
}

function absolute(option: string, dir: string): string {
  if (dir.startsWith('/')) return dir;
  throw new CodedError('USAGE', `--${option} takes an absolute path, not '${dir}'`);
}

function pair(option: string, word: string): [string, string] {
  const at = word.indexOf('=');
  if (at > 0) return [word.slice(0, at), word.slice(at + 1)];
  throw new CodedError('USAGE', `--${option} takes NAME=VALUE, not '${word}'`);
}

function portOf(word: string): string {
  const match = /^(\d{1,5})(?:\/(tcp|udp))?$/.exec(word);
  const port = Number(match?.[1] ?? 0);
  if (port > 0 && port < 65_536) return `${port}/${match?.[2] ?? 'tcp'}`;
  throw new CodedError('USAGE', `--expose takes PORT or PORT/udp, not '${word}'`);
}

function wordsOf(option: string, word: string): string[] {
  if (!word.trimStart().startsWith('[')) return word.split(/\s+/).filter((part) => part !== '');
  let value: unknown;
  try {
    value = JSON.parse(word);
  } catch (error) {
    throw new CodedError('USAGE', `--${option}: not a JSON list: ${word}`, {}, { cause: error });
  }
  if (Array.isArray(value) && value.every((part) => typeof part === 'string')) return value;
  throw new CodedError('USAGE', `--${option}: must be a JSON list of words: ${word}`);
}

function healthOf(parsed: Parsed): { healthcheck?: NonNullable<RunDefaults['healthcheck']> } {
  const word = parsed.text('healthcheck-cmd');
  if (word === undefined) return {};
  const retries = parsed.integer('healthcheck-retries', { min: 1, max: 1000 });
  return {
    healthcheck: {
      test: testOf(word),
      ...ms('intervalMs', parsed, 'healthcheck-interval'),
      ...ms('timeoutMs', parsed, 'healthcheck-timeout'),
      ...ms('startPeriodMs', parsed, 'healthcheck-start-period'),
      ...(retries === undefined ? {} : { retries }),
    },
  };
}

function testOf(word: string): string[] {
  if (word === 'none') return ['NONE'];
  if (!word.trimStart().startsWith('[')) return ['CMD-SHELL', word];
  const words = wordsOf('healthcheck-cmd', word);
  return words[0] === 'CMD' || words[0] === 'CMD-SHELL' ? words : ['CMD', ...words];
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Go's durations, as Docker takes them. */
function ms<K extends string>(name: K, parsed: Parsed, option: string): { [P in K]?: number } {
  const word = parsed.text(option);
  if (word === undefined) return {};
  if (!/^(\d{1,9}(ms|s|m|h))+$/.test(word)) {
    throw new CodedError('USAGE', `--${option} takes a time like 30s or 1m30s, not '${word}'`);
  }
  let sum = 0;
  for (const [, count, unit] of word.matchAll(/(\d+)(ms|s|m|h)/g)) {
    sum += Number(count) * (unitMs[unit ?? ''] ?? 0);
  }
  return { [name]: sum } as { [P in K]?: number };
}
