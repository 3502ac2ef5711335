import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { ArmatureError } from '@armature/kernel';
import { EXIT_CODE_TEXTS } from '@armature/process';
import { systemClock } from '@armature/runtime';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { offline, runnerOver } from './cli.test-support.js';
import { makeProgram } from './program.js';

function everyCommand(): string[][] {
  const stream = new PassThrough();
  const io = {
    stdin: stream,
    stdout: stream,
    stderr: stream,
    env: {},
    rawArguments: () => undefined,
    clock: systemClock,
    connect: () => Promise.reject(new Error('no')),
    catchInterrupt: () => new AbortController().signal,
  };
  const program = makeProgram({ io, exitCode: 0 }, { writeOut() {}, writeErr() {} });
  const paths: string[][] = [];
  const visit = (command: Command, path: string[]): void => {
    if (command.commands.length === 0) paths.push(path);
    for (const child of command.commands) visit(child, [...path, child.name()]);
  };
  visit(program, []);
  return paths;
}

describe('help', () => {
  test('every command has help with examples, on standard output, exit 0', async () => {
    const paths = everyCommand();
    expect(paths.length).toBeGreaterThan(20);
    for (const path of paths) {
      const { code, out, err } = await offline([...path, '--help']);
      expect([path, code, err]).toEqual([path, 0, '']);
      expect(out).toContain('Examples:\n  $ ');
      expect(out).toMatch(/armature /);
    }
  });

  test('every example is a command line that is understood', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'armature-examples-'));
    for (const path of everyCommand()) {
      const { out } = await offline([...path, '--help']);
      const examples = out.slice(out.indexOf('Examples:')).match(/armature [^|>\n]*/g) ?? [];
      expect(examples.length).toBeGreaterThan(0);
      for (const example of examples) {
        const words = [...example.matchAll(/'([^']*)'|(\S+)/g)]
          .map((match) => match[1] ?? match[2] ?? '')
          .map((word) => (['nkeys', 'armature.conf'].includes(word) ? join(directory, word) : word)) // it is written
          .slice(1);
        const small = words.includes('simulate') ? ['--nodes', '3', '--runs', '1'] : [];
        const { err } = await offline([...words, ...small], { stdin: '' });
        expect([example, err]).toEqual([
          example,
          expect.not.stringMatching(/unknown (option|command)|missing required|too many|must be/),
        ]);
      }
    }
  });

  test('without a command: help on standard error, exit 2', async () => {
    const { code, out, err } = await offline([]);
    expect([code, out]).toEqual([2, '']);
    for (const word of ['Data:', 'Administration:', 'ARMATURE_SECRET', 'armature cluster status']) expect(err).toContain(word);
  });

  test('the exit codes are listed, and by "help exit-codes" too', async () => {
    for (const args of [['exit-codes'], ['help', 'exit-codes']]) {
      const { out } = await offline(args);
      for (const [code] of EXIT_CODE_TEXTS) expect(out).toMatch(new RegExp(`^ +${code} `, 'm'));
    }
  });
});

test('the version is told by a command and by a flag, wherever it stands, and whatever is wrong with the settings', async () => {
  const words = (await offline(['version'])).out;
  expect(words).toMatch(/^armature \d+\.\d+\.\d+, Node \d+/);
  const env = { ARMATURE_TIMEOUT: 'soon' };
  for (const args of [['--version'], ['-V'], ['get', '-V']])
    expect(await offline(args, { env })).toMatchObject({ code: 0, out: words, err: '' });
  const document = (await offline(['version', '--json'])).json();
  expect(document).toMatchObject({ armature: expect.any(String) as unknown, node: process.versions.node });
  for (const args of [
    ['--version', '--json'],
    ['--json', '-V'],
  ])
    expect((await offline(args)).json()).toEqual(document);
});

test('help on a command that is given its name is its own help', async () => {
  for (const path of [['get'], ['cluster', 'join'], ['cluster']])
    expect((await offline(['help', ...path])).out).toBe((await offline([...path, '--help'])).out);
});

describe('wrong usage', () => {
  test('exit 2, one error with a way out, no stack trace; as JSON when asked', async () => {
    for (const args of [
      ['frob'],
      ['get'],
      ['get', 'b'],
      ['get', 'b', 'k', 'x'],
      ['put', 'b', 'k', '--frob'],
      ['--timeout', '5x', 'ping'],
      ['cluster', 'frob'],
    ]) {
      const words = await offline(args);
      expect([args, words.code, words.out]).toEqual([args, 2, '']);
      expect(words.err).toMatch(/^error: .*\n {2}try: /);
      expect(words.err).not.toContain('    at ');
      const asJson = await offline(['--json', ...args]);
      expect(JSON.parse(asJson.err)).toMatchObject({
        error: { message: expect.any(String) as unknown, remedy: expect.any(String) as unknown },
      });
    }
  });

  test('a typing error is met with what was probably meant', async () => {
    expect((await offline(['statsu'])).err).toContain("unknown command 'statsu'");
    expect((await offline(['improt', 'a', 'b'])).err).toContain('Did you mean import?');
  });
});

describe('errors', () => {
  const failing = (error: Error) => runnerOver(() => Promise.reject(error));

  test('of operation: exit code by kind, no stack trace unless --debug', async () => {
    const run = failing(new ArmatureError('bus-unavailable', 'no NATS server answers', { remedy: 'Start one.' }));
    const plain = await run(['ping']);
    expect([plain.code, plain.err]).toEqual([3, 'error: no NATS server answers\n  try: Start one.\n  code: bus-unavailable\n']);
    expect((await run(['ping', '--debug'])).err).toContain('    at ');
    expect(JSON.parse((await run(['ping', '--json'])).err)).toEqual({
      error: { code: 'bus-unavailable', message: 'no NATS server answers', remedy: 'Start one.' },
    });
  });

  test('that nobody foresaw say that they are a bug', async () => {
    const { code, err } = await failing(new TypeError('x is undefined'))(['ping']);
    expect([code, err]).toEqual([1, expect.stringContaining('This is a bug') as unknown]);
  });

  test('a direct client without a secret is refused before it connects', async () => {
    const { code, err } = await offline(['ping', '--direct'], { env: {} });
    expect(code).toBe(2);
    expect(err).toContain('--secret-file');
  });
});

describe('settings', () => {
  test('stand before or after the command, and config show tells where each is from', async () => {
    const env = { ARMATURE_CLUSTER: 'prod', NATS_URL: 'nats://me:secret@h:1', ARMATURE_SECRET: 'hush' };
    for (const args of [
      ['--prefix', 'app', 'config', 'show', '--json'],
      ['config', 'show', '--json', '--prefix', 'app'],
    ]) {
      const ran = await offline(args, { env });
      expect(ran.json()).toEqual(
        expect.arrayContaining([
          { name: 'cluster', value: 'prod', origin: 'ARMATURE_CLUSTER' },
          { name: 'prefix', value: 'app', origin: '--prefix' },
          { name: 'nats', value: 'nats://********@h:1', origin: 'NATS_URL' },
          { name: 'timeout', value: 5000, origin: 'default' },
        ]),
      );
      expect(ran.out).not.toMatch(/hush|secret@/);
    }
  });

  test('a file with a secret that others may read is named beside the answer, and not within JSON', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'armature-usage-')), 'cluster.key');
    writeFileSync(file, 'sixteen bytes, or more', { mode: 0o644 });
    chmodSync(file, 0o644);
    const args = ['config', 'show', '--secret-file', file];
    expect((await offline(args)).err).toContain(`Run: chmod 600 ${file}`);
    expect((await offline([...args, '--json'])).err).toBe('');
    chmodSync(file, 0o600);
    expect((await offline(args)).err).toBe('');
  });

  test('a secret as an argument is refused, and not repeated', async () => {
    for (const args of [
      ['--secret=hush-hush', 'ping'],
      ['ping', '--secret', 'hush-hush'],
      ['ping', '--token=hush-hush'],
      ['ping', '--secretfile=hush-hush'],
    ]) {
      const { code, err } = await offline(args);
      expect([code, err]).toEqual([2, expect.not.stringContaining('hush') as unknown]);
    }
  });

  test('colours are for terminals, and not where NO_COLOR is set', async () => {
    const args = ['ring', 'simulate', '--nodes', '4', '--runs', '1', '--strategies', '3'];
    const escape = '\u001b[';
    expect((await offline(args)).out).not.toContain(escape);
    expect((await offline(args, { terminal: true })).out).toContain(escape);
    expect((await offline(args, { terminal: true, env: { NO_COLOR: '1' } })).out).not.toContain(escape);
  });
});

test('ring simulate: strategy 3 beats 1 and 2 at a fraction of their metadata, as in figure 8', async () => {
  interface Point {
    strategy: number;
    metadataBytes: number;
    efficiency: number;
  }
  const { points } = (await offline(['ring', 'simulate', '--runs', '1', '--json'])).json() as { points: Point[] };
  const best = (strategy: number) =>
    points.filter((point) => point.strategy === strategy).reduce((a, b) => (a.efficiency > b.efficiency ? a : b));
  for (const strategy of [1, 2]) {
    expect(best(3).efficiency).toBeGreaterThan(best(strategy).efficiency);
    expect(best(3).metadataBytes * 10).toBeLessThan(best(strategy).metadataBytes);
  }
});
