/** Walks through a store that has damaged entries. */
import { fromHex, toArmatureError, toBinaryString } from '@armature/kernel';
import type { RangePage, RangeQuery } from './engine.js';
import type { Store } from './store.js';

/**
 * A page; where it would begin with a damaged entry, an empty one that goes on behind it: one bad block must not hide all that
 * follows.
 */
export async function pageAfterDamage(store: Store, query: RangeQuery): Promise<RangePage> {
  try {
    return await store.range(query);
  } catch (thrown) {
    const error = toArmatureError(thrown);
    const { resumeAt: hex } = error.details;
    const resumeAt = error.code === 'storage-corrupt' && typeof hex === 'string' ? fromHex(hex) : undefined;
    if (resumeAt === undefined) throw error;
    return { entries: [], next: toBinaryString(resumeAt) };
  }
}
