import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { connectionSettings, KNOWN_SETTINGS, nodeSettings, secretSettings, serviceSettings } from './catalogue.js';
import { readServiceCommand, unknownVariables, type CommandOutcome } from './service-command.js';
import { shownValue } from './setting.js';

const shape = { ...nodeSettings, ...connectionSettings, ...secretSettings, ...serviceSettings };
const spec = { command: 'armature-node', version: '1.2.3', description: 'A node.', shape, examples: ['armature-node --name n1'] };

const read = (args: string[], env: Record<string, string> = {}): CommandOutcome<typeof shape> =>
  readServiceCommand(spec, args, env, false);

function ended(outcome: CommandOutcome<typeof shape>) {
  if (outcome.kind !== 'exit') throw new Error('the process was to run');
  return outcome;
}

describe('running', () => {
  test('flags, variables and defaults make one configuration', () => {
    const outcome = read(['--name', 'n1', '--seeds', 'a,b'], { ARMATURE_HTTP_PORT: '0', NATS_URL: 'nats://h:1' });
    expect(outcome).toMatchObject({
      kind: 'run',
      values: {
        name: 'n1',
        seeds: ['a', 'b'],
        httpPort: 0,
        httpHost: '127.0.0.1',
        nats: 'nats://h:1',
        cluster: 'local',
        storage: 'level',
      },
    });
  });

  test('the file named by --config or ARMATURE_CONFIG is read', () => {
    const path = join(mkdtempSync(join(tmpdir(), 'armature-config-')), 'c.json');
    writeFileSync(path, '{"name": "n7", "timeout": 100}'); // a setting of the command line is no mistake here
    expect(read(['--config', path])).toMatchObject({ kind: 'run', values: { name: 'n7' } });
    expect(read([], { ARMATURE_CONFIG: path })).toMatchObject({ kind: 'run', values: { name: 'n7' } });
  });
});

test('the values are read again when they are asked for', () => {
  const path = join(mkdtempSync(join(tmpdir(), 'armature-config-')), 'c.json');
  writeFileSync(path, '{"name": "n1", "natsPassword": "old"}');
  const outcome = read(['--config', path]);
  writeFileSync(path, '{"name": "n1", "natsPassword": "new"}');
  expect(outcome.kind === 'run' && [outcome.values.natsPassword, outcome.readAgain().natsPassword]).toEqual(['old', 'new']);
});

describe('ending', () => {
  test('wrong usage and wrong configuration end with 2 and words on standard error', () => {
    for (const args of [['--frob'], ['extra'], ['--name'], [], ['--name', 'a b'], ['--config', '/nonexistent.json']]) {
      const { code, stdout, stderr } = ended(read(args));
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toMatch(/^error: /);
      expect(stderr).not.toContain('    at ');
    }
  });

  test('help and version end with 0, on standard output', () => {
    const told = `armature-node 1.2.3, Node ${process.versions.node}\n`;
    for (const flag of ['--version', '-V']) expect(ended(read([flag]))).toMatchObject({ code: 0, stdout: told, stderr: '' });
    const { code, stdout } = ended(read(['--help']));
    expect(code).toBe(0);
    for (const word of [
      '--http-port <port>',
      'ARMATURE_HTTP_PORT',
      'ARMATURE_SECRET ',
      'Exit codes:',
      '$ armature-node --name n1',
    ]) {
      expect(stdout).toContain(word);
    }
    expect(stdout).not.toContain('--server');
  });

  test('--show-config tells each value with its origin, and no secret', () => {
    const env = { ARMATURE_SECRET: 'hush-hush', NATS_PASSWORD: 'psst', NATS_URL: 'nats://ann:word@h:4222' };
    const { code, stdout } = ended(read(['--name', 'n1', '--show-config'], env));
    expect(code).toBe(0);
    expect(stdout).toMatch(/^name +n1 +--name$/m);
    expect(stdout).toMatch(/^httpPort +7600 +default$/m);
    expect(stdout).toMatch(/^secret +\*{8} +ARMATURE_SECRET$/m);
    expect(stdout).toMatch(/^nats +nats:\/\/\*{8}@h:4222 +NATS_URL$/m);
    for (const secret of ['hush', 'psst', 'word@']) expect(stdout).not.toContain(secret);
  });
});

describe('passwords', () => {
  const PASSWORDS = ['g3/heim', 'g3 heim', 'g3,heim', 'g3@heim', 'g3#heim', 'g3?heim', '%g3heim'];

  test.each(PASSWORDS)('of a URL are not shown by --show-config: %s', (password) => {
    const args = ['--name', 'n1', '--nats', `nats://u:${password}@h:1`, '--redis-url', `redis://:${password}@h:2`];
    const { stdout } = ended(read([...args, '--show-config']));
    expect(stdout).toMatch(/^nats +nats:\/\/\*{8}@h:1 /m);
    expect(stdout).toMatch(/^redisUrl +redis:\/\/\*{8}@h:2 /m);
    expect(stdout).not.toMatch(/g3|heim/);
  });

  test('are not shown by the refusal of a value, of a file or of a flag', () => {
    const path = join(mkdtempSync(join(tmpdir(), 'armature-config-')), 'c.json');
    for (const text of [
      '{"name": "n1", "nats": ["nats://u:g3heim@h:1"]}',
      '{"name": "n1", "natsPassword": 345}',
      '{"name": "n1", "natsPassword": "g3heim" "more": 1}',
      '{"natsPassword": g3heim}',
    ]) {
      writeFileSync(path, text);
      expect(ended(read(['--config', path])).stderr).not.toMatch(/g3|heim|345/);
    }
    expect(ended(read(['--natss=nats://u:g3heim@h:1'])).stderr).not.toMatch(/g3|heim/);
  });

  test('in other settings an "@" is nothing special', () => {
    expect(shownValue(shape.data, '/srv/a@b')).toBe('/srv/a@b');
  });
});

test('variables that look like settings and are none are found', () => {
  expect(unknownVariables({ ARMATURE_HTPP_PORT: '1', ARMATURE_NATS: 'x', PATH: '' }, new Set(['ARMATURE_NATS']))).toEqual([
    'ARMATURE_HTPP_PORT',
  ]);
});

test('every setting of every process is known to the configuration file, once', () => {
  expect(new Set(KNOWN_SETTINGS).size).toBe(KNOWN_SETTINGS.length);
  for (const name of Object.keys(shape)) expect(KNOWN_SETTINGS).toContain(name);
});
