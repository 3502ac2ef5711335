/**
 * Files are rooms: of a size to take in, with a word at the door, and none that nobody enters.
 */
import { existsSync } from 'node:fs';
import { join, posix } from 'node:path';
import { expect, test } from 'vitest';
import {
  filesUnder,
  readPackages,
  readSource,
  readText,
  resolveRelative,
  ROOT,
  type Package,
  type SourceFile,
} from './workspace.js';

const LONG_LINES = 300;
const TOO_LONG_LINES = 400;
/**
 * Characters that a file's opening comment has at least: none where the file is its own explanation, then a line, then a
 * paragraph.
 */
const openingDue = (lines: number): number => (lines <= 25 ? 0 : lines <= 120 ? 40 : 100);

const packages = readPackages();
const toolFiles = filesUnder('tools', (path) => /\.(ts|mjs)$/.test(path)).map(readSource);
const everything = [...packages.flatMap(({ sources }) => sources), ...toolFiles];

const lineCount = (text: string): number => text.trimEnd().split('\n').length;

test(`no file but a test is longer than ${TOO_LONG_LINES} lines`, () => {
  const sized = everything.filter(({ isTest }) => !isTest).map(({ path, text }) => ({ path, lines: lineCount(text) }));
  const long = sized.filter(({ lines }) => lines > LONG_LINES && lines <= TOO_LONG_LINES);
  if (long.length > 0)
    console.warn(`longer than ${LONG_LINES} lines:\n${long.map(({ path, lines }) => `  ${path} (${lines})`).join('\n')}`);
  const findings = sized
    .filter(({ lines }) => lines > TOO_LONG_LINES)
    .map(({ path, lines }) => `${path} has ${lines} lines: make two rooms of it`);
  expect(findings).toEqual([]);
});

/** The comment at the top of a file, without its marks; empty where there is none. */
function openingComment(text: string): string {
  const afterShebang = text.replace(/^#![^\n]*\n/, '').trimStart();
  const block = /^\/\*\*?([\s\S]*?)\*\//.exec(afterShebang)?.[1] ?? /^((\/\/[^\n]*\n)+)/.exec(afterShebang)?.[1] ?? '';
  return block.replaceAll(/^\s*(\*|\/\/)\s?/gm, '').trim();
}

test('every file opens with what it is about, unless it is tiny', () => {
  const findings = everything
    .filter(({ isTest, text }) => !isTest && openingComment(text).length < openingDue(lineCount(text)))
    .map(({ path }) => `${path} should open with a comment: the problem, then the algorithm (and the section of the paper)`);
  expect(findings).toEqual([]);
});

/** Files through which a package is entered: its doors, its programs, and for apps the process itself. */
function doorsOf({ directory, manifest }: Package): string[] {
  const exported = Object.values(manifest.exports ?? {}).map((conditions) => conditions['@armature/source'] ?? '');
  const programs = Object.values(manifest.bin ?? {}).map((path) => path.replace('/dist/', '/src/').replace(/\.js$/, '.ts'));
  const main = directory.startsWith('apps/') ? ['./src/main.ts'] : [];
  return [...exported, ...programs, ...main].map((path) => posix.join(directory, path));
}

/** Everything reachable from `doors` by relative imports. */
function reachable(doors: readonly string[], sources: readonly SourceFile[]): Set<string> {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const seen = new Set<string>();
  const enter = (path: string): void => {
    const source = byPath.get(path);
    if (source === undefined || seen.has(path)) return;
    seen.add(path);
    for (const specifier of source.imports) if (specifier.startsWith('.')) enter(resolveRelative(source, specifier));
  };
  for (const door of doors) enter(door);
  return seen;
}

test('no dead files: every source is reached from an export, a program or (for test support) a test', () => {
  const findings = packages.flatMap((each) => {
    const alive = reachable(doorsOf(each), each.sources);
    const tests = each.sources.filter(({ path }) => path.endsWith('.test.ts')).map(({ path }) => path);
    const tested = reachable(tests, each.sources);
    return each.sources.flatMap(({ path, isTest }) => {
      if (alive.has(path) || (isTest && tested.has(path))) return [];
      return [
        `${path} is reached from no export and no program of ${each.directory}${tested.has(path) ? ', only from tests' : ''}`,
      ];
    });
  });
  expect(findings).toEqual([]);
});

test('no dead tools: every file is a command, is run by one, or is imported by one', () => {
  const commands = toolFiles.filter(({ path }) => posix.dirname(path) === 'tools');
  // Paths are written whole or as the arguments of `join`.
  const programs = commands.flatMap(({ text }) =>
    [...text.replaceAll("', '", '/').matchAll(/\b(tools\/src\/[\w/-]+\.ts)'/g)].map((match) => match[1] ?? ''),
  );
  const tests = filesUnder('test', (path) => path.endsWith('.ts')).map(readSource);
  const doors = [...commands, ...tests, ...toolFiles.filter(({ path }) => path.endsWith('.test.ts'))].map(({ path }) => path);
  // Tests of the whole enter by the package's doors, `@armature/tools/<name>`.
  const entered = tests
    .flatMap(({ imports }) => imports)
    .filter((specifier) => specifier.startsWith('@armature/tools/'))
    .map((specifier) => `${specifier.replace('@armature/tools/', 'tools/src/')}.ts`);
  const alive = reachable([...doors, ...programs, ...entered], [...toolFiles, ...tests]);
  const findings = toolFiles
    .filter(({ path }) => !alive.has(path))
    .map(({ path }) => `${path} is run by no command in tools/*.mjs`);
  expect(findings).toEqual([]);
});

test('every door and program that a manifest names exists', () => {
  const findings = packages.flatMap((each) =>
    doorsOf(each)
      .filter((path) => !existsSync(join(ROOT, path)))
      .map((path) => `${each.directory} promises ${path}, which does not exist`),
  );
  expect(findings).toEqual([]);
});

test('every script of the root names programs that exist', () => {
  const scripts = Object.values((JSON.parse(readText('package.json')) as { scripts: Record<string, string> }).scripts);
  const files = scripts.flatMap((script) => [...script.matchAll(/\btools\/\S+\.mjs\b/g)].map(([path]) => path));
  expect(files.length).toBeGreaterThan(0);
  expect(files.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});
