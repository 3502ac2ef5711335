import { expect, test } from 'vitest';
import { hlcFromMs, utf8Encode, type BucketName } from '@armature/kernel';
import { bytes, type Client } from '@armature/client';
import { DEFAULT_BUCKET_PROPERTIES } from '@armature/protocol';
import { addressOf, type Address } from '@armature/ring';
import {
  emptyVersionSet,
  mint,
  tombstoneVersion,
  valueVersion,
  type ActorId,
  type OperationId,
  type VersionSet,
} from '@armature/versioning';
import { checkListings } from './listings.js';

const NAME = 'listed' as BucketName;
const BUCKET = { name: NAME, properties: DEFAULT_BUCKET_PROPERTIES };
const ACTOR = '00000000000000aa' as ActorId;
const operation = '0000000000000001' as OperationId;

const holding = (value: string | undefined): VersionSet =>
  mint(
    emptyVersionSet,
    ACTOR,
    emptyVersionSet.clock,
    value === undefined
      ? tombstoneVersion({ at: hlcFromMs(1), operation })
      : valueVersion({ value: utf8Encode(value), at: hlcFromMs(1), operation }),
  ).set;

const STATES = new Map<Address, VersionSet>(
  (
    [
      ['a', 'x'],
      ['b', 'y'],
      ['gone', undefined],
    ] as const
  ).map(([key, value]) => [addressOf(NAME, utf8Encode(key)), holding(value)]),
);
const SORTED = ['a', 'b'].toSorted((a, b) => (addressOf(NAME, utf8Encode(a)) < addressOf(NAME, utf8Encode(b)) ? -1 : 1));
const VALUES: Readonly<Record<string, string>> = { a: 'x', b: 'y', gone: 'z' };

/** A client whose bucket lists these keys, with these values. */
function lists(keys: readonly string[], values = VALUES): Client {
  return {
    bucket: (_name: string, { codec }: { codec: unknown }) => {
      expect(codec).toBe(bytes);
      return {
        *keys() {
          for (const key of keys) yield utf8Encode(key);
        },
        *entries() {
          for (const key of keys) yield [utf8Encode(key), [utf8Encode(values[key] ?? '')]];
        },
      };
    },
  } as unknown as Client;
}

test('what replicas hold, each live key once and in ring order, is right; all else is not', async () => {
  expect(await checkListings(lists(SORTED), BUCKET, STATES)).toEqual([]);
  for (const [why, client] of [
    ['one is missing', lists(SORTED.slice(0, 1))],
    ['one comes twice', lists([...SORTED, SORTED[1] as string])],
    ['a deleted one is there', lists([...SORTED, 'gone'])],
    ['another order', lists(SORTED.toReversed())],
    ['another value', lists(SORTED, { ...VALUES, a: 'z' })],
  ] as const) {
    expect((await checkListings(client, BUCKET, STATES))[0], why).toMatch(/^listed wrongly: the (keys|entries) of listed/);
  }
});

test('a listing that fails is told', async () => {
  const client = {
    bucket: () => ({
      // eslint-disable-next-line require-yield -- it fails at once
      *keys() {
        throw new Error('no');
      },
    }),
  } as unknown as Client;
  expect((await checkListings(client, BUCKET, STATES))[0]).toContain('unavailable');
});
