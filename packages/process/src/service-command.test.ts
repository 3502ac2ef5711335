import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { connectionSettings, KNOWN_SETTINGS, nodeSettings, secretSettings, serviceSettings } from './catalogue.js';
import { readServiceCommand, unknownVariables, type CommandOutcome } from './service-command.js';
import { redactUrls } from './show-settings.js';

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
    expect(ended(read(['--version']))).toMatchObject({ code: 0, stdout: '1.2.3\n', stderr: '' });
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

test('what stands before the @ of a URL is never shown', () => {
  const word = fc.stringMatching(/^[a-z0-9]{3,12}$/);
  fc.assert(
    fc.property(fc.array(fc.tuple(word, word), { minLength: 1, maxLength: 3 }), (servers) => {
      const shown = String(redactUrls(servers.map(([user, pass]) => `nats://u${user}:p${pass}@host:4222`).join(',')));
      for (const [user, pass] of servers) {
        expect(shown).not.toContain(`u${user}:`);
        expect(shown).not.toContain(`p${pass}@`);
      }
      expect(shown.match(/@host:4222/g)?.length).toBe(servers.length);
    }),
  );
  expect(redactUrls('nats://host:4222')).toBe('nats://host:4222');
  expect(redactUrls('user:secret@host')).toBe('********@host');
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
