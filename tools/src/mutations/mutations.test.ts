import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { workspaceRoot } from '../workspace-root.js';
import { MUTATIONS } from './list/index.js';
import { mutantOf, mutatedTexts, type Mutation } from './mutation.js';
import { kindOf } from './table.js';

const ROOT = workspaceRoot(import.meta.dirname);
const SAMPLE = MUTATIONS[0] as Mutation;

test('each seeded bug still applies, at exactly one place of each text, and what it leaves is a module', () => {
  const findings = MUTATIONS.flatMap((mutation) => {
    try {
      mutantOf(ROOT, mutation);
      return [];
    } catch (thrown) {
      return [String(thrown)];
    }
  });
  expect(findings).toEqual([]);
});

test('each has a name of its own, and says what it stands for', () => {
  expect(new Set(MUTATIONS.map(({ name }) => name)).size).toBe(MUTATIONS.length);
  for (const { trap } of MUTATIONS) expect(trap.length).toBeGreaterThan(10);
});

test('docs/proof.md has every one of them beside the trap that it is for, and no other', () => {
  const rows = readFileSync(join(ROOT, 'docs/proof.md'), 'utf8').match(/^\|.*\|$/gm) ?? [];
  const listed = rows.flatMap((row) => [...(row.split('|')[3] ?? '').matchAll(/`([a-z-]+)`/g)].map(([, name]) => name as string));
  expect(listed.toSorted()).toEqual(MUTATIONS.map(({ name }) => name).toSorted());
});

test('a text that is gone, or that occurs twice, is an error and no mutation', () => {
  expect(() => mutatedTexts(ROOT, { ...SAMPLE, find: 'a text that nobody wrote' })).toThrow(/occurs 0 times/);
  expect(() => mutatedTexts(ROOT, { ...SAMPLE, find: 'return' })).toThrow(/times/);
  expect(() => mutantOf(ROOT, { ...SAMPLE, replace: 'return (;' })).toThrow(SAMPLE.name);
});

test('nothing in the sources can switch a bug on', () => {
  for (const [, text] of mutatedTexts(ROOT, { ...SAMPLE, replace: SAMPLE.find })) expect(text).not.toMatch(/mutant|mutation/i);
});

test('a violation is called by the checker that found it', () => {
  expect(kindOf([])).toBeUndefined();
  expect(kindOf(['lost: 12 in k1, acknowledged at 3.000 s', 'dot x'])).toBe('lost');
  expect(kindOf(['registers: returned: k2 holds 34'])).toBe('returned');
  expect(kindOf(['dot default/k1 ab:1 names x and, at n1, y'])).toBe('dot names two');
});
