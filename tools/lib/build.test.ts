import { appendFileSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ensureBuilt } from './build.mjs';

let root: string;
let builds: number;

const write = (path: string, text: string): void => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
};

/** Does what the compiler does as far as it can be seen from outside. */
const compile = (): Promise<{ code: number; output: string; stdout: string }> => {
  builds += 1;
  write('packages/ring/dist/lib.tsbuildinfo', '{}');
  return Promise.resolve({ code: 0, output: '', stdout: '' });
};

const build = (how = compile): Promise<void> => ensureBuilt({ root, say: () => undefined, compile: how });

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'armature-build-'));
  builds = 0;
  for (const path of ['package.json', 'tsconfig.base.json', 'packages/ring/package.json', 'packages/ring/tsconfig.lib.json'])
    write(path, '{}');
  for (const path of ['packages/ring/src/ring.ts', 'packages/ring/src/claim/claim.ts', 'tools/src/main.ts'])
    write(path, 'export {};');
  write('node_modules/.package-lock.json', '{}');
  utimesSync(join(root, 'tools/src/main.ts'), 1, 1);
  await build();
});
afterEach(() => rmSync(root, { recursive: true }));

test('where nothing has changed, the compiler is not run', async () => {
  await build();
  expect(builds).toBe(1);
});

describe('the compiler is run', () => {
  test.each<[string, () => void]>([
    ['a source is changed', () => appendFileSync(join(root, 'packages/ring/src/claim/claim.ts'), '\n')],
    [
      'a source is changed to one of the same size and time of modification',
      () => {
        write('tools/src/main.ts', 'export [];');
        utimesSync(join(root, 'tools/src/main.ts'), 1, 1);
      },
    ],
    ['a source is added', () => write('packages/ring/src/new.ts', '')],
    ['a source is removed', () => rmSync(join(root, 'packages/ring/src/ring.ts'))],
    ['a package is added', () => write('packages/other/src/index.ts', '')],
    ['a setting of the compiler is changed', () => write('packages/ring/tsconfig.lib.json', '{ }')],
    ['a setting of all is changed', () => write('tsconfig.base.json', '{ }')],
    ['a manifest is changed', () => write('packages/ring/package.json', '{ }')],
    ['another compiler is installed', () => write('node_modules/.package-lock.json', '{ }')],
    ['what was built is removed', () => rmSync(join(root, 'packages/ring/dist'), { recursive: true })],
  ])('when %s', async (_what, change) => {
    change();
    await build();
    await build();
    expect(builds).toBe(2);
  });

  test('when a source is changed while it runs', async () => {
    appendFileSync(join(root, 'tools/src/main.ts'), '\n');
    await build(() => {
      appendFileSync(join(root, 'tools/src/main.ts'), '\n');
      return compile();
    });
    await build();
    expect(builds).toBe(3);
  });

  test('again when it has failed', async () => {
    appendFileSync(join(root, 'tools/src/main.ts'), '\n');
    await expect(build(() => Promise.resolve({ code: 1, output: 'wrong', stdout: '' }))).rejects.toThrow('do not compile');
    await build();
    expect(builds).toBe(2);
  });
});
