/** A function is read at once: it fits on a screen. The product's own, without tests. */
import ts from 'typescript';
import { expect, test } from 'vitest';
import { readPackages } from './workspace.js';

const LONGEST_LINES = 70;

/**
 * Longer ones, and how long they are. A list that may only shrink: an entry that is no longer needed, or became shorter, is
 * corrected here.
 */
const LONGER: Readonly<Record<string, number>> = {
  'packages/process/src/run-service.ts runService': 89,
  'packages/server/src/node-parts.ts assemble': 111,
  'packages/storage/src/conformance.ts (anonymous)': 249,
  'packages/storage/src/conformance.ts engineConformance': 251,
  'packages/testing/src/faults/nemesis.ts #do': 134,
  'packages/testing/src/simulate.ts simulate': 120,
};

interface Long {
  readonly name: string;
  readonly lines: number;
}

/** Functions of a source that are longer than allowed, comments and blank lines in them counted. */
function longFunctions(path: string, text: string): Long[] {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const found: Long[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
      const first = file.getLineAndCharacterOfPosition(node.getStart()).line;
      const lines = file.getLineAndCharacterOfPosition(node.end).line - first + 1;
      if (lines > LONGEST_LINES) found.push({ name: `${path} ${node.name?.getText() ?? '(anonymous)'}`, lines });
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

test(`no function is longer than ${LONGEST_LINES} lines, but for those of a list that may only shrink`, () => {
  const sources = readPackages().flatMap((one) => one.sources.filter(({ isTest }) => !isTest));
  const found = sources.flatMap(({ path, text }) => longFunctions(path, text));
  expect(Object.fromEntries(found.map(({ name, lines }) => [name, lines]))).toEqual(LONGER);
});

test('the check itself: counts the lines of functions, methods and closures', () => {
  const body = (lines: number): string => '  f();\n'.repeat(lines);
  const text = `function a() {\n${body(69)}}\nclass C {\n  b() {\n${body(68)}  }\n  c() {\n${body(69)}  }\n}\nconst d = () => {\n${body(80)}};\n`;
  expect(longFunctions('x.ts', text)).toEqual([
    { name: 'x.ts a', lines: 71 },
    { name: 'x.ts c', lines: 71 },
    { name: 'x.ts (anonymous)', lines: 82 },
  ]);
});
