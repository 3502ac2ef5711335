/**
 * Documentation that a reader can follow: links lead somewhere, commands exist, files that are named are there.
 */
import { existsSync } from 'node:fs';
import { join, posix } from 'node:path';
import { describe, expect, test } from 'vitest';
import { filesUnder, readManifest, readText, ROOT } from './workspace.js';

const scripts = new Set([...Object.keys(readManifest('.').scripts ?? {})]);
const pages = filesUnder('.', (path) => path.endsWith('.md')).map((path) => ({ path, text: readText(path) }));

/** Text without code blocks and inline code, where brackets mean something else. */
function prose(text: string): string {
  return text.replaceAll(/^(```|~~~)[\s\S]*?^\1/gm, '').replaceAll(/`[^`\n]*`/g, '');
}

/** The anchors GitHub makes of a page's headings. */
function anchorsOf(text: string): Set<string> {
  const counts = new Map<string, number>();
  const headings = [...text.replaceAll(/^(```|~~~)[\s\S]*?^\1/gm, '').matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)].map(
    (match) => match[1] ?? '',
  );
  const anchors = headings.map((heading) => {
    const plain = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const slug = plain
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(/\s/g, '-');
    const count = counts.get(slug) ?? 0;
    counts.set(slug, count + 1);
    return count === 0 ? slug : `${slug}-${count}`;
  });
  return new Set(anchors);
}

/** What is wrong with a link in a page, or undefined. */
function brokenLink(page: string, target: string): string | undefined {
  if (/^[a-z][a-z0-9+.-]*:/i.test(target)) return undefined; // another site's business
  const [file = '', anchor] = target.split('#');
  const path = file === '' ? page : posix.join(posix.dirname(page), decodeURIComponent(file));
  if (!existsSync(join(ROOT, path))) return `${page}: link to ${target}, but ${path} does not exist`;
  if (anchor === undefined || !path.endsWith('.md')) return undefined;
  return anchorsOf(readText(path)).has(anchor) ? undefined : `${page}: link to ${target}, but ${path} has no such heading`;
}

test('every relative link leads to a file, and to a heading in it', () => {
  const findings = pages.flatMap(({ path, text }) =>
    [...prose(text).matchAll(/\]\(\s*<?([^)\s>]+)>?[^)]*\)/g)]
      .map((match) => brokenLink(path, match[1] ?? ''))
      .filter((found) => found !== undefined),
  );
  expect(findings).toEqual([]);
});

test('every npm script that is mentioned exists', () => {
  const findings = pages.flatMap(({ path, text }) =>
    [...text.matchAll(/\bnpm (?:-s )?(?:run (?:-s )?([\w:.-]+)|(start|test)\b)/g)]
      .map((match) => match[1] ?? match[2] ?? '')
      .filter((script) => !scripts.has(script))
      .map((script) => `${path}: npm run ${script}, but package.json has no such script`),
  );
  expect(findings).toEqual([]);
});

test('every file of this repository that is named in code marks exists', () => {
  const findings = pages.flatMap(({ path, text }) =>
    [...text.matchAll(/`((?:packages|apps|tools|test|docs|examples)\/[\w@./-]+\.(?:ts|mjs|md|json))`/g)]
      .map((match) => match[1] ?? '')
      .filter((named) => !existsSync(join(ROOT, named)) && !existsSync(join(ROOT, posix.dirname(path), named)))
      .map((named) => `${path}: names ${named}, which does not exist`),
  );
  expect(findings).toEqual([]);
});

describe('the checks themselves', () => {
  test('a broken link, a missing heading and a working one are told apart', () => {
    expect(brokenLink('docs/x.md', '../package.json')).toBeUndefined();
    expect(brokenLink('docs/x.md', 'https://example.org/nothing')).toBeUndefined();
    expect(brokenLink('docs/x.md', './no-such-file.md')).toMatch('does not exist');
  });

  test('anchors are made as GitHub makes them', () => {
    expect([...anchorsOf('# Read, *then* write\n\n## `get` and put\n## `get` and put\n```\n# not one\n```\n')]).toEqual([
      'read-then-write',
      'get-and-put',
      'get-and-put-1',
    ]);
  });
});
