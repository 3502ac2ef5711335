import { expect, test } from 'vitest';
import { isHarmlessLate } from './lateness.js';

test('what changes data or the membership must not be carried out late; what only looks may', () => {
  const changing = ['write', 'merge', 'absorb', 'clear', 'drop', 'propose', 'exchange', 'reap'] as const;
  const looking = ['read', 'pull', 'fetch', 'scan', 'status', 'ping', 'tree', 'digests', 'sets', 'holdings', 'gossip'] as const;
  expect(changing.filter((kind) => isHarmlessLate({ kind }))).toEqual([]);
  expect(looking.filter((kind) => !isHarmlessLate({ kind }))).toEqual([]);
});
