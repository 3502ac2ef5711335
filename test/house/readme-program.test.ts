import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..', '..');

/** Runs a TypeScript program as a reader would: in a file of its own, with the workspace's packages. */
async function run(program: string): Promise<string> {
  const directory = mkdtempSync(join(root, 'node_modules', '.readme-'));
  try {
    const file = join(directory, 'program.mts');
    writeFileSync(file, program);
    const { stdout } = await promisify(execFile)(process.execPath, ['--conditions=@armature/source', '--import', 'tsx', file], {
      cwd: root,
    });
    return stdout;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const programsOf = (document: string): string[] =>
  [...readFileSync(join(root, document), 'utf8').matchAll(/```ts\n(.*?)```/gs)].map((match) => match[1] ?? '');

test("the README's first program runs as it stands and prints what it says", async () => {
  const [first] = programsOf('README.md');
  expect(await run(first ?? '')).toBe("[ 'book', 'lamp' ]\n");
});

test("the server package's program runs as it stands", async () => {
  const [first] = programsOf('packages/server/README.md');
  expect(await run(first ?? '')).toBe('hello [ true, true, true ]\n');
});

test("the runtime package's program runs as it stands", async () => {
  const [first] = programsOf('packages/runtime/README.md');
  expect(await run(first ?? '')).toMatch(/^rang at \d+\n$/);
});

test("the testing package's programs for authors of applications run as they stand and print what they say", async () => {
  const [, , merge, application] = programsOf('packages/testing/README.md');
  const comments = [...(merge ?? '').matchAll(/^\/\/ (.*)$/gm)].map((match) => match[1]);
  expect(await run(merge ?? '')).toBe(`${comments.join('\n')}\n`);
  expect(await run(application ?? '')).toBe('[]\n');
});
