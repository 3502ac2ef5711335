/**
 * Comments are read where the code is: none is wider than the code, which the formatter keeps narrow and comments it leaves
 * alone.
 */
import { expect, test } from 'vitest';
import { filesUnder, readText } from './workspace.js';

const { printWidth } = JSON.parse(readText('.prettierrc.json')) as { printWidth: number };
const sources = ['packages', 'apps', 'tools', 'test', 'examples'].flatMap((directory) =>
  filesUnder(directory, (path) => /\.(ts|mjs|js)$/.test(path)),
);

/** Numbers of the lines that are nothing but comment, or the inside of one, and too wide. */
function wideComments(text: string): number[] {
  return text
    .split('\n')
    .flatMap((line, index) => (line.length > printWidth && /^\s*(\/\*|\*|\/\/)/.test(line) ? [index + 1] : []));
}

test(`no comment is wider than ${printWidth} characters`, () => {
  const findings = sources.flatMap((path) => wideComments(readText(path)).map((line) => `${path}:${line}`));
  expect(findings).toEqual([]);
});

test('the check itself: finds wide comments, and no wide code', () => {
  const word = 'x'.repeat(printWidth);
  const text = [`// ${word}`, `const a = '${word}';`, `/** ${word}`, ` * ${word}`, ' * short', ' */', `f(); // ${word}`].join(
    '\n',
  );
  expect(wideComments(text)).toEqual([1, 3, 4]);
});
