/**
 * What a program loads before it does anything. Time is not measured here, since it depends on the machine; modules are counted,
 * and packages that a program has no use for are named. Each program runs in a process of its own, from the sources, whose
 * imports are those of what is built.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { ROOT } from './workspace.js';

const NOTE_MODULES = pathToFileURL(join(ROOT, 'test/house/note-modules.mjs')).href;

const directory = mkdtempSync(join(tmpdir(), 'armature-footprint-'));
afterAll(() => rmSync(directory, { recursive: true }));

interface Footprint {
  readonly stdout: string;
  /** Names of the packages of which something was loaded: `pino`, `@armature/ring`. */
  readonly packages: ReadonlySet<string>;
  readonly moduleCount: number;
}

/** `args` are those of Node. The program may fail: what it has loaded until then is counted. */
async function footprintOf(args: readonly string[]): Promise<Footprint> {
  const file = join(directory, 'modules');
  rmSync(file, { force: true });
  const run = promisify(execFile)(
    process.execPath,
    ['--conditions=@armature/source', '--import', 'tsx', '--import', NOTE_MODULES, ...args],
    { cwd: ROOT, env: { ...process.env, ARMATURE_MODULES_FILE: file } },
  );
  const { stdout } = await run.catch((thrown: unknown) => thrown as { stdout: string });
  const urls = new Set(
    readFileSync(file, 'utf8')
      .split('\n')
      .filter((url) => url.startsWith('file:'))
      .map(withoutQuery),
  );
  const ours = [...urls].filter((url) => !BESIDE.has(packageOf(url)));
  return { stdout, packages: new Set(ours.map(packageOf)), moduleCount: ours.length };
}

/** The runner itself. */
const BESIDE = new Set(['tsx', 'esbuild', 'get-tsconfig', 'resolve-pkg-maps', 'tools']);

function withoutQuery(url: string): string {
  return url.split('?', 1)[0] ?? url;
}

function packageOf(url: string): string {
  const [, installed] = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url) ?? [];
  if (installed !== undefined) return installed;
  const [group = '', name = ''] = url.slice(pathToFileURL(ROOT).href.length + 1).split('/');
  return group === 'packages' || group === 'apps' ? `@armature/${name}` : group;
}

/** Of these, only a process that serves has a use. */
const OF_SERVICES = [
  '@armature/server',
  '@armature/storage',
  '@armature/replica',
  'pino',
  'pino-pretty',
  'prom-client',
  'fastify',
];

test('an application that imports the client loads no log, no metrics and no server', async () => {
  const { stdout, packages } = await footprintOf(['--eval', "console.log(typeof (await import('@armature/client')).connect)"]);
  expect(stdout).toBe('function\n');
  expect([...packages]).toContain('@armature/client');
  expect([...packages].filter((name) => OF_SERVICES.includes(name))).toEqual([]);
});

const CLI = 'apps/cli/src/main.ts';

/** Of these, only some commands have a use: those that read and write files, or show how far they are. */
const OF_OTHER_COMMANDS = ['@armature/repair', 'csv-parse', 'csv-stringify', 'cli-progress', 'zod'];

test('armature --version loads neither the client nor any command, and at most 200 modules', async () => {
  const { stdout, packages, moduleCount } = await footprintOf([CLI, '--version']);
  expect(stdout).toMatch(/^armature \d+\.\d+\.\d+, Node /);
  const excess = [...OF_SERVICES, ...OF_OTHER_COMMANDS, '@armature/bus', '@armature/client', '@armature/coordination'];
  expect([...packages].filter((name) => excess.includes(name))).toEqual([]);
  expect(moduleCount).toBeLessThanOrEqual(200);
});

test('armature get loads the client and its own command, and at most 360 modules', async () => {
  const { stdout, packages, moduleCount } = await footprintOf([CLI, 'get', 'b', 'k', '--nats', 'nats://127.0.0.1:1']);
  expect(stdout).toBe('');
  expect([...packages]).toContain('@armature/client');
  expect([...packages].filter((name) => [...OF_SERVICES, ...OF_OTHER_COMMANDS].includes(name))).toEqual([]);
  expect(moduleCount).toBeLessThanOrEqual(360);
});

test('the help of a command loads that command and no other', async () => {
  const { stdout, packages } = await footprintOf([CLI, 'import', '--help']);
  expect(stdout).toContain('armature import');
  expect([...packages]).toContain('csv-parse');
  expect([...packages]).not.toContain('@armature/repair');
});
