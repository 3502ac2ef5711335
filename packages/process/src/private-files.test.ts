import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { connectionSettings, secretSettings, serviceSettings } from './catalogue.js';
import { parseConfig } from './config-file.js';
import { exposedFiles } from './private-files.js';
import { KNOWN_SETTINGS } from './catalogue.js';
import { resolveSettings } from './resolve-settings.js';

const shape = { ...connectionSettings, ...secretSettings, ...serviceSettings };
const directory = mkdtempSync(join(tmpdir(), 'armature-modes-'));

function fileOf(name: string, mode: number, text = 'x'): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

function exposedBy(flags: Record<string, string>, configPath?: string, config = '{}') {
  const file =
    configPath === undefined ? undefined : { path: configPath, values: parseConfig(configPath, config, KNOWN_SETTINGS) };
  return exposedFiles(shape, resolveSettings(shape, { flags, env: {}, file }));
}

test('a file with a secret that a group or others may read or write is named, with its mode and the way to mend it', () => {
  for (const mode of [0o644, 0o640, 0o604, 0o620, 0o601]) {
    const file = fileOf(`key-${mode}`, mode);
    expect(exposedBy({ secretFile: file })).toEqual([{ file, mode: mode.toString(8), remedy: `Run: chmod 600 ${file}` }]);
  }
  for (const mode of [0o600, 0o400, 0o700]) expect(exposedBy({ secretFile: fileOf(`key-${mode}`, mode) })).toEqual([]);
});

test('each kind of file that holds a secret is looked at, and no other; one that is not there is not named', () => {
  const kinds = ['secretFile', 'creds', 'nkey', 'tlskey', 'httpTokenFile'];
  for (const kind of kinds) expect(exposedBy({ [kind]: fileOf(kind, 0o644) })).toHaveLength(1);
  for (const kind of ['tlscert', 'tlsca']) expect(exposedBy({ [kind]: fileOf(kind, 0o644) })).toEqual([]);
  expect(exposedBy({ creds: join(directory, 'none') })).toEqual([]);
});

test('the configuration file is private where it holds a secret, or a password in a URL', () => {
  const path = fileOf('armature.json', 0o644);
  expect(exposedBy({}, path, '{"natsPassword": "x"}')).toHaveLength(1);
  expect(exposedBy({}, path, '{"nats": "nats://u:p@h:1", "secret": "0123456789abcdef"}')).toHaveLength(1);
  expect(exposedBy({}, path, '{"nats": "nats://h:1"}')).toEqual([]);
});
