import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { MESSAGES } from '@armature/protocol';
import { ROOT } from './workspace.js';

test('docs/protocol.md names every kind of message with its tag, and no other', () => {
  const page = readFileSync(join(ROOT, 'docs/protocol.md'), 'utf8');
  const named = [...page.matchAll(/^\| (\d+) ([a-z-]+) +\|/gm)].map(([, tag, kind]) => [kind, Number(tag)]);
  expect(Object.fromEntries(named)).toEqual(Object.fromEntries(Object.entries(MESSAGES).map(([kind, { tag }]) => [kind, tag])));
  expect(named).toHaveLength(Object.keys(MESSAGES).length);
});
