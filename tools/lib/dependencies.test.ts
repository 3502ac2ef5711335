import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ensureDependencies, reasonToInstall } from './dependencies.mjs';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'armature-dependencies-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

interface Entry {
  readonly version?: string;
  readonly optional?: boolean;
  readonly link?: boolean;
  readonly extraneous?: boolean;
}

/** Writes a lockfile and npm's note; the lockfile is the younger one unless told otherwise. */
function tree(locked: Record<string, Entry>, installed: Record<string, Entry>, lockfileAgeS = 0): void {
  const lockfile = join(root, 'package-lock.json');
  const noted = join(root, 'node_modules', '.package-lock.json');
  mkdirSync(join(root, 'node_modules'), { recursive: true });
  writeFileSync(lockfile, JSON.stringify({ packages: locked }));
  writeFileSync(noted, JSON.stringify({ packages: installed }));
  const now = Date.now() / 1000;
  utimesSync(noted, now - 100, now - 100);
  utimesSync(lockfile, now - lockfileAgeS, now - lockfileAgeS);
}

test('a missing tree is installed', () => {
  expect(reasonToInstall(root)).toBe('node_modules is missing');
});

test('a lockfile older than the tree is not even read', () => {
  tree({ 'node_modules/a': { version: '2.0.0' } }, { 'node_modules/a': { version: '1.0.0' } }, 200);
  expect(reasonToInstall(root)).toBeUndefined();
});

test('a younger lockfile that asks for the same is no reason: workspaces are linked, optional and extraneous packages may be absent', () => {
  tree(
    {
      '': { version: '0.1.0' },
      'packages/ring': { version: '0.2.0' },
      'node_modules/@armature/ring': { link: true },
      'node_modules/a': { version: '1.0.0' },
      'node_modules/left-over': { version: '1.0.0', extraneous: true },
      'node_modules/fast-on-macos': { version: '1.0.0', optional: true },
    },
    { 'node_modules/a': { version: '1.0.0' } },
  );
  expect(reasonToInstall(root)).toBeUndefined();
});

test('a younger lockfile that asks for another version, or for one more package, is a reason', () => {
  tree({ 'node_modules/a': { version: '2.0.0' } }, { 'node_modules/a': { version: '1.0.0' } });
  expect(reasonToInstall(root)).toContain('another a');
  tree({ 'node_modules/@x/b': { version: '1.0.0' } }, {});
  expect(reasonToInstall(root)).toContain('another @x/b');
});

test('a tree that is out of date is used as it is by commands that may not replace it', async () => {
  tree({ 'node_modules/a': { version: '2.0.0' } }, { 'node_modules/a': { version: '1.0.0' } });
  const said: string[] = [];
  await ensureDependencies({ root, say: (line) => said.push(line) });
  expect(said).toEqual([expect.stringContaining('using what is installed')]);
});
