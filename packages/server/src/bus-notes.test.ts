import { expect, test } from 'vitest';
import { busNotes } from './bus-notes.js';

test('a denied subscription is told, a denied publish is not', () => {
  const denials = [
    { operation: 'subscribe', subject: 'a.x' },
    { operation: 'publish', subject: 'a.y' },
    { operation: 'subscribe', subject: 'a.z' },
  ] as const;
  expect(busNotes({ connected: true, denials: [] })).toEqual([]);
  expect(busNotes({ connected: true, denials: denials.slice(1, 2) })).toEqual([]);
  expect(busNotes({ connected: true, denials }).join()).toMatch(/a\.x, a\.z/);
  expect(busNotes({ connected: false, denials })).toEqual(['the message bus is disconnected']);
});
