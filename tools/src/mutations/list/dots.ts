/** Dots, clocks and the actors that make them: no dot ever names two values, and what is concurrent stays. */
import type { Mutation } from '../mutation.js';
import { BRIEF, CRASHES, DELETIONS, DISORDER, FAILING_DISKS, PARTITIONS, PLAIN, ROT, STAND_INS, WAITING } from './runs.js';

const VERSION_SET = 'packages/versioning/src/version-set.ts';
const REPLICA = 'packages/replica/src/replica.ts';
const EPOCH = 'packages/replica/src/actor-epoch.ts';

export const dots: readonly Mutation[] = [
  {
    name: 'actor-kept-after-crash',
    trap: 'dot reuse: the actor is kept after an unclean stop',
    file: EPOCH,
    find: 'return closedAtMs !== undefined && closedAtMs <= nowMs && nowMs - closedAtMs <= MAX_REST_MS;',
    replace: 'return true || closedAtMs === nowMs;',
    run: CRASHES,
  },
  {
    name: 'mint-unlocked',
    trap: 'two puts race in one coordinator',
    file: 'packages/replica/src/key-locks.ts',
    find: 'if (queue !== undefined) return this.#enqueue(key, queue, work);',
    replace: '',
    run: WAITING,
  },
  {
    name: 'commit-failure-keeps-actor',
    trap: 'dot reuse: a commit that fails does not retire the actor',
    file: 'packages/server/src/node-parts.ts',
    find: "epoch.retire('a commit failed: peers may know writes that this store has not kept');",
    replace: '',
    run: FAILING_DISKS,
  },
  {
    name: 'damage-keeps-actor',
    trap: 'dot reuse: minted over a damaged record',
    file: REPLICA,
    find: "this.#env.epoch.retire('a stored record is damaged, and with it the count of our own writes to its key');",
    replace: '',
    run: ROT,
  },
  {
    name: 'stand-in-kept-after-delivery',
    trap: 'dot reuse: a fallback mints on under its actor when the hint is gone',
    file: 'packages/replica/src/stand-in-actor.ts',
    find: 'dropping(): void {\n    this.retire();',
    replace: 'dropping(): void {',
    run: STAND_INS,
  },
  {
    name: 'floor-ignored',
    trap: 'an old tombstone subsumes a re-created key',
    file: VERSION_SET,
    find: 'counterOf(context, actor), floor) + 1;',
    replace: 'counterOf(context, actor)) + 1;',
    run: DELETIONS,
  },
  {
    name: 'floor-not-kept',
    trap: 'an old tombstone subsumes a re-created key: what is dropped leaves no floor',
    file: EPOCH,
    find: 'this.#floor = Math.max(this.#floor, counterOf(clock, this.#actor));',
    replace: 'this.#floor = Math.max(this.#floor, 0);',
    run: DELETIONS,
  },
  {
    name: 'put-supersedes-unseen',
    trap: 'plain clocks: a put supersedes siblings that its writer has not seen',
    file: VERSION_SET,
    find: 'const siblings = shown.filter(({ dot: held }) => !covers(seen, held) && (own === undefined || compareDots(held, own) !== 0));',
    replace: 'const siblings = shown.filter(() => false);',
    run: PLAIN,
  },
  {
    name: 'put-supersedes-nothing',
    trap: 'sibling explosion: a put leaves what its writer has seen',
    file: VERSION_SET,
    find: 'const siblings = shown.filter(({ dot: held }) => !covers(seen, held) && (own === undefined || compareDots(held, own) !== 0));',
    replace: 'const siblings = shown.filter(() => true);',
    run: BRIEF,
  },
  {
    name: 'join-forgets-covers',
    trap: 'a join keeps what the other side has seen the end of',
    file: VERSION_SET,
    find: 'const isEnded = covers(a.clock, (y as Sibling).dot);',
    replace: 'const isEnded = false;',
    run: PARTITIONS,
  },
  {
    name: 'join-takes-one-side',
    trap: 'plain clocks: of two concurrent states the siblings of one are taken',
    file: VERSION_SET,
    find: 'const isEnded = covers(b.clock, (x as Sibling).dot);',
    replace: 'const isEnded = true;',
    run: PARTITIONS,
  },
  {
    name: 'merge-overwrites',
    trap: 'a stale hint or repair overwrites newer data',
    file: REPLICA,
    find: 'const joined = joinEncoded(held.set, incoming, bucket.resolver);',
    replace: 'const joined = joinEncoded(undefined, incoming, bucket.resolver);',
    run: PARTITIONS,
  },
  {
    name: 'retry-not-recognised',
    trap: 'a retry makes a sibling of itself',
    file: VERSION_SET,
    find: 'if (earlier !== undefined) return { set: local, dot: earlier.dot };',
    replace: '',
    run: DISORDER,
  },
  {
    name: 'drop-whatever-is-held',
    trap: 'a hint, stray or tombstone is dropped though more was merged into it meanwhile',
    file: REPLICA,
    find: 'if (held.set === undefined || local === undefined || !bytesEqual(held.set, set)) return undefined;',
    replace: 'if (held.set === undefined || local === undefined || bytesEqual === undefined) return undefined;',
    run: STAND_INS,
  },
];
