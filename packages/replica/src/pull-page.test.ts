import fc from 'fast-check';
import { expect, test } from 'vitest';
import { utf8Encode, type BinaryString, type BucketName } from '@armature/kernel';
import { DEFAULT_BUCKET, type PullReply, type PullRequest, type RingVersion } from '@armature/protocol';
import { addressOf, RING_START } from '@armature/ring';
import { pullPage } from './pull-page.js';
import type { StoredPage } from './replica-env.js';
import type { Replica } from './replica.js';

type Entry = PullReply['entries'][number];

const OTHER = 'other' as BucketName;

/** A replica that ends a page as a store does: with the entry that reaches the limit. */
function holding(entries: readonly Entry[]): Pick<Replica, 'page'> {
  const sorted = entries.toSorted((a, b) => (a.address < b.address ? -1 : 1));
  return {
    page({ start, limit, limitBytes = Infinity }): Promise<StoredPage> {
      const inside = sorted.filter(({ address }) => address >= start);
      let leftBytes = limitBytes;
      const fits = inside.findIndex(({ address, set }) => (leftBytes -= address.length + set.length) <= 0);
      const page = inside.slice(0, Math.min(limit, fits < 0 ? inside.length : fits + 1));
      return Promise.resolve({ entries: page, damaged: [], next: inside[page.length]?.address });
    },
  };
}

test('page after page: each entry of the bucket once; no page above its limits but one of a single entry', async () => {
  const sizes = fc.array(fc.oneof(fc.nat(40), fc.nat(400)), { maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(
      sizes,
      fc.integer({ min: 1, max: 600 }),
      fc.integer({ min: 1, max: 10 }),
      async (held, limitBytes, limit) => {
        const entries = held.map((size, i) => ({
          address: addressOf(i % 5 === 4 ? OTHER : DEFAULT_BUCKET, utf8Encode(String(i))),
          set: new Uint8Array(size),
        }));
        const replica = holding(entries);
        const pulled: Entry[] = [];
        for (let start: BinaryString | undefined = RING_START; start !== undefined;) {
          const request: PullRequest = {
            ...{ kind: 'pull', ring: 1 as RingVersion, start, end: undefined, bucket: DEFAULT_BUCKET },
            ...{ limit, limitBytes, withValues: true },
          };
          const page: PullReply = await pullPage(replica, request);
          const sizeBytes = page.entries.reduce((sum, { address, set }) => sum + address.length + set.length, 0);
          if (page.entries.length > 1) expect(sizeBytes).toBeLessThanOrEqual(limitBytes);
          expect(page.entries.length).toBeLessThanOrEqual(limit);
          expect(page.next === undefined || page.next > start, 'it gets on').toBe(true);
          pulled.push(...page.entries);
          start = page.next;
        }
        const expected = entries.filter((_, i) => i % 5 !== 4).map(({ address }) => address);
        expect(pulled.map(({ address }) => address)).toEqual(expected.toSorted());
      },
    ),
  );
});
