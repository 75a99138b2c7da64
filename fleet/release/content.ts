// SPDX-License-Identifier: Apache-2.0
// What comes with a release beside its images, and where output goes: top-level configs and volumes, the configs
// of a service, logging.

import {
  type Config,
  type ConfigUse,
  config as configCheck,
  configUse,
  type Logging,
  logging,
  type Volume,
  volume as volumeCheck,
} from '../../protocol/content.js';
import { workloadName } from '../../protocol/name.js';
import type { Context } from './context.js';
import { fault, refuse } from './fault.js';
import {
  booleanOf,
  checked,
  entriesOf,
  type Field,
  fieldsOf,
  isMap,
  isNull,
  itemsOf,
  need,
  textOf,
  wholeOf,
} from './field.js';
import { knownOf, type Reasons, refused } from './refused.js';
import { sizeBytes } from './units.js';

const refusedConfig: Reasons = {
  external: 'a config comes with its release: give its file or its content',
  template_driver: 'write content: variables are completed in it',
  labels: 'nothing reads them',
  name: 'a config is known by its key',
};
const refusedVolume: Reasons = { labels: 'nothing reads them' };

/** @param context without its configs: these are they */
export function configsOf(
  field: Field | undefined,
  context: Pick<Context, 'read' | 'lookup'>,
): Config[] {
  if (field === undefined || isNull(field)) return [];
  return [...entriesOf(field)].map(([name, at]) => {
    const content = contentOf(at, context);
    return checked(at, configCheck, { name: checked(at, workloadName, name), content });
  });
}

function contentOf(field: Field, context: Pick<Context, 'read' | 'lookup'>): string {
  const fields = knownOf(field, ['file', 'content', 'environment'], refusedConfig);
  const [file, content, variable] = ['file', 'content', 'environment'].map((key) =>
    fields.get(key),
  );
  if ([file, content, variable].filter((one) => one !== undefined).length !== 1) {
    throw fault('COMPOSE_KEY', field, 'needs one of file, content and environment');
  }
  if (file !== undefined) return context.read(file, textOf(file)) ?? '';
  if (variable === undefined) return content === undefined ? '' : textOf(content);
  const name = textOf(variable);
  return context.lookup(name) ?? refuse(variable, `a variable that is given: --var ${name}=…`);
}

export function configUsesOf(field: Field, context: Context): ConfigUse[] {
  return itemsOf(field, 32).map((item) => {
    const fields = isMap(item)
      ? fieldsOf(item, ['source', 'target', 'uid', 'gid', 'mode'])
      : new Map([['source', item]]);
    const place = need(fields, item, 'source');
    const source = textOf(place);
    if (!context.configs.has(source)) {
      const what = `the config ${source} is not under the top-level configs`;
      throw fault('COMPOSE_REFERENCE', place, what);
    }
    const [target, uid, gid, mode] = ['target', 'uid', 'gid', 'mode'].map((key) => fields.get(key));
    return checked(item, configUse, {
      source,
      target: target === undefined ? `/${source}` : pathOf(textOf(target)),
      ...(uid === undefined ? {} : { uid: wholeOf(uid, 0, 2 ** 31 - 1) }),
      ...(gid === undefined ? {} : { gid: wholeOf(gid, 0, 2 ** 31 - 1) }),
      ...(mode === undefined ? {} : { mode: modeOf(mode) }),
    });
  });
}

/** A bare name lies at the root, as Compose has it. */
function pathOf(text: string): string {
  return text.startsWith('/') ? text : `/${text}`;
}

/** Permission bits: 0440 in YAML is a number of eight's, with its 0. */
export function modeOf(field: Field): number {
  const text = textOf(field, 'permission bits like 0440');
  const digits = /^0o?([0-7]{3,4})$/.exec(text)?.[1];
  return digits === undefined
    ? refuse(field, 'permission bits like 0440, with the 0 in front')
    : Number.parseInt(digits, 8);
}

export interface Volumes {
  /** Key in the file → name on the device. */
  readonly names: ReadonlyMap<string, string>;
  /** Those that are mounted by the kernel. */
  readonly mounted: readonly Volume[];
}

export function volumesOf(field: Field | undefined): Volumes {
  const all = field === undefined || isNull(field) ? [] : [...entriesOf(field)];
  const found = all.map(([key, at]) => [key, volumeOf(key, at)] as const);
  return {
    names: new Map(found.map(([key, { name }]) => [key, name])),
    mounted: found.flatMap(([, { mounted }]) => (mounted === undefined ? [] : [mounted])),
  };
}

function volumeOf(key: string, at: Field): { name: string; mounted?: Volume } {
  if (isNull(at)) return { name: checked(at, workloadName, key) };
  const fields = knownOf(at, ['driver', 'driver_opts', 'external', 'name'], refusedVolume);
  const [driver, options, external] = ['driver', 'driver_opts', 'external'].map((one) =>
    fields.get(one),
  );
  if (driver !== undefined && textOf(driver) !== 'local') {
    throw refused(driver, 'write local; a device has no volume plugins');
  }
  if (external !== undefined) booleanOf(external); // a device makes what is not there
  const named = fields.get('name');
  const name = checked(named ?? at, workloadName, named === undefined ? key : textOf(named));
  if (options === undefined || isNull(options)) return { name };
  return { name, mounted: mountOf(name, options) };
}

function mountOf(name: string, field: Field): Volume {
  const fields = fieldsOf(field, ['type', 'device', 'o']);
  const at = need(fields, field, 'type');
  const type = textOf(at);
  if (type !== 'nfs' && type !== 'nfs4') {
    throw refused(
      at,
      'nfs and nfs4 are mounted; for a folder of the device write a bind, for memory tmpfs',
    );
  }
  const device = textOf(need(fields, field, 'device'));
  const options = fields.get('o');
  return checked(field, volumeCheck, {
    name,
    nfs: { type, device, options: options === undefined ? '' : textOf(options) },
  });
}

const drivers = ['local', 'json-file', 'none'] as const;

export function loggingOf(field: Field): Logging {
  const fields = fieldsOf(field, ['driver', 'options']);
  const [at, options] = [fields.get('driver'), fields.get('options')];
  const driver = at === undefined ? 'local' : drivers.find((one) => one === textOf(at));
  if (driver === undefined && at !== undefined) {
    throw refused(
      at,
      'output is kept on the device and read with `wherry logs`: local, json-file or none',
    );
  }
  const known =
    options === undefined || isNull(options)
      ? undefined
      : fieldsOf(options, ['max-size', 'max-file']);
  const [size, count] = [known?.get('max-size'), known?.get('max-file')];
  return checked(field, logging, {
    driver,
    ...(size === undefined ? {} : { fileBytesMax: sizeOf(size) }),
    ...(count === undefined ? {} : { fileCountMax: wholeOf(count, 1, 100) }),
  });
}

function sizeOf(field: Field): number {
  const bytes = sizeBytes(textOf(field, 'a size like 10m'));
  const isFine = bytes !== undefined && bytes >= 4096 && bytes <= 1024 ** 3;
  return isFine ? bytes : refuse(field, 'a size like 10m, from 4k to 1g');
}
