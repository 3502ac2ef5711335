/** Sets that only grow: every step adds an element that is nobody else's. Merging is union. */
import { utf8, type Codec } from '@armature/client';
import type { MergingApplication } from './merging.js';

/** One element a line: sets become large, and are decoded all the time. */
const lines: Codec<readonly string[]> = {
  encode: (elements) => utf8.encode(elements.join('\n')),
  decode: (stored) => utf8.decode(stored).split('\n'),
  contentType: 'text/plain; charset=utf-8',
};

export const sets: MergingApplication<readonly string[]> = {
  codec: lines,
  merge: (values) => [...new Set(values.flat())].toSorted(),
  slotsOf: (value) => new Map(value.map((element) => [element, 0])),
  contributor(client) {
    let added = 0;
    return {
      change(_key, current = []) {
        const element = `${client}-${added++}`;
        return { value: [...current, element], slot: element, rank: 0 };
      },
    };
  },
};
