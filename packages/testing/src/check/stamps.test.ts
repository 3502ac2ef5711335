import { hlcFromMs, utf8Encode, type Hlc } from '@armature/kernel';
import { addressOf } from '@armature/ring';
import { EMPTY_VECTOR, emptyVersionSet, mint, valueVersion, type ActorId, type OperationId } from '@armature/versioning';
import { beforeEach, expect, test } from 'vitest';
import { BEGINNING_MS } from '../world/world.js';
import { Stamps } from './stamps.js';

const HOUR_MS = 3_600_000;
const NOW_MS = 20_000;
let areClocksKnown: boolean;
let stamps: Stamps;
let operations = 0;

beforeEach(() => {
  areClocksKnown = true;
  stamps = new Stamps({ nowMs: () => NOW_MS, areClocksKnown: () => areClocksKnown });
});

/** A version of the key comes to a disk. How many violations there are then. */
function see(key: string, aheadMs: number, ticks = 0): number {
  const at = (hlcFromMs(BEGINNING_MS + NOW_MS + aheadMs) + ticks) as Hlc;
  const operation = (operations++).toString(16).padStart(16, '0') as OperationId;
  const version = valueVersion({ value: Uint8Array.of(1), at, operation });
  const { set } = mint(emptyVersionSet, '1'.repeat(16) as ActorId, EMPTY_VECTOR, version);
  stamps.see({ address: addressOf('default' as never, utf8Encode(key)), set });
  stamps.see({ address: addressOf('default' as never, utf8Encode(key)), set }); // on another disk
  return stamps.violations.length;
}

test('a version stamped an hour ahead is a violation, one a minute ahead or behind is not', () => {
  expect([see('a', 60_000), see('a', -HOUR_MS), see('a', HOUR_MS)]).toEqual([0, 0, 1]);
});

test('what goes right behind such a version of its key is none, and what any other key is stamped is', () => {
  areClocksKnown = false;
  expect(see('a', HOUR_MS)).toBe(0);
  areClocksKnown = true;
  expect([see('a', HOUR_MS, 1), see('a', HOUR_MS, 2), see('b', HOUR_MS, 3)]).toEqual([0, 0, 1]);
});
