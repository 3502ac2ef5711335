/**
 * Subjects are made in two places, of which the table in `protocol/subject-table.ts` knows. One that is put together elsewhere
 * would be in nobody's permissions, and would show only where a nats-server has some.
 */
import { expect, test } from 'vitest';
import { readPackages, type SourceFile } from './workspace.js';

const MAKERS = ['packages/protocol/src/subjects.ts', 'packages/protocol/src/permissions.ts', 'packages/bus/src/link-address.ts'];
/** The hostile client and a later release of the simulation speak as nobody of ours does. */
const SIMULATED = 'packages/testing/';

/** A template or a sum that goes on with a dot after the prefix or the name of a cluster. */
const MADE_BY_HAND = /\$\{[\w.#]*(?:prefix|cluster)\}\.[a-z$]|\b(?:prefix|cluster)\s*\+\s*['"`]\./i;

function findings(sources: readonly SourceFile[]): string[] {
  return sources
    .filter(({ path, isTest }) => !isTest && !MAKERS.includes(path) && !path.startsWith(SIMULATED))
    .filter(({ text }) => MADE_BY_HAND.test(text))
    .map(({ path }) => `${path} puts a subject together: have subjectsOf make it, and list it in the table`);
}

test('no subject is put together by hand', () => {
  expect(findings(readPackages().flatMap(({ sources }) => sources))).toEqual([]);
});

test('the check itself: finds templates and sums, and no others', () => {
  for (const text of ['`${options.prefix}.${options.cluster}.x`', "prefix + '.x'", '`${cluster}.x`'])
    expect(text).toMatch(MADE_BY_HAND);
  for (const text of ['`${prefix}-${cluster}`', '`a cluster. ${cluster}`', '`of ${cluster}.`'])
    expect(text).not.toMatch(MADE_BY_HAND);
});
