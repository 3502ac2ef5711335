/**
 * Hinted handoff, and disks: what was acknowledged is kept until it is home. Hints that are deleted too early, go to the wrong
 * place or to none, and commits that pass for what they are not.
 */
import type { Mutation } from '../mutation.js';
import { AGED_HINTS, LEAVERS_WITH_HINTS, REMOVED_WITH_HINTS } from './directed-runs.js';
import { CRASHES, FAILING_DISKS, STRAY_HINTS, PARTITIONS, ROT, STAND_INS, STAND_INS_KILLED } from './runs.js';

const DELIVERY = 'packages/replica/src/hint-delivery.ts';
const HINTS = 'packages/replica/src/hint-store.ts';

export const hints: readonly Mutation[] = [
  {
    name: 'hint-deleted-before-ack',
    trap: 'a hint is deleted before its owner has acknowledged it',
    file: DELIVERY,
    find: 'const errors = await Promise.all(targets.map((target) => this.#give(walk, target, hint, durability)));',
    replace:
      'await this.#drop(hint);\nconst errors = await Promise.all(targets.map((target) => this.#give(walk, target, hint, durability)));',
    run: STAND_INS,
  },
  {
    name: 'hints-dropped-at-restart',
    trap: 'hints do not outlive a restart',
    file: HINTS,
    find: 'store.#sizeBytes = await store.#count();',
    replace:
      'for (const owner of await store.owners()) for await (const { entries } of store.pages(owner)) for (const { address, set } of entries) await store.drop(owner, address, set);',
    run: STAND_INS_KILLED,
  },
  {
    name: 'hints-never-delivered',
    trap: 'hints do not go home',
    file: DELIVERY,
    find: 'const delivered = await this.#throughAll(owner, (walk, hint) => this.#takeHome(walk, hint));',
    replace: 'const delivered = 0 * this.#missed.size;',
    run: PARTITIONS,
  },
  {
    name: 'hint-for-former-owner-only',
    trap: 'a hint for a node that is no owner any more is the only copy, and goes nowhere else',
    file: DELIVERY,
    find: 'const home = isHolder(placement, hint.owner) ? [hint.owner] : owners;',
    replace: 'const home = [hint.owner];',
    run: STRAY_HINTS,
  },
  {
    name: 'hint-of-stranger-discarded',
    trap: 'a hint for a node that is no owner any more is thrown away',
    file: DELIVERY,
    find: 'const targets = [...home, ...pending.filter((node) => !home.includes(node))];',
    replace: 'const targets = home.filter((node) => node === hint.owner);',
    run: STRAY_HINTS,
  },
  {
    name: 'aged-hint-leaves-one-copy',
    trap: 'a hint that is too old is deleted with one owner left that has the write',
    file: DELIVERY,
    find: 'const isEnough = copies >= wanted;',
    replace: 'const isEnough = copies >= 1 && wanted > 0;',
    run: AGED_HINTS,
  },
  {
    name: 'leaver-gives-hint-to-anybody',
    trap: 'a node that leaves gives its hint to one that has the write already: two copies are one',
    file: DELIVERY,
    find: 'if (!to.isEnough && !(await this.#holdsNothing(heir, hint.address))) continue;',
    replace: 'void this.#holdsNothing;',
    also: {
      file: DELIVERY,
      find: '...(to.isEnough ? [...owners, ...pending] : [])]',
      replace: '...owners, ...pending]',
    },
    run: LEAVERS_WITH_HINTS,
  },
  {
    name: 'hint-walk-ends-at-failure',
    trap: 'hints behind one that cannot be delivered are never delivered',
    file: DELIVERY,
    find: 'return walk.isFailing(walk.owner) && this.#env.view().members.has(walk.owner) && !this.#isLeaving();',
    replace: 'return walk.stuck !== undefined;',
    run: REMOVED_WITH_HINTS,
  },
  {
    name: 'no-hints-kept',
    trap: 'a fallback acknowledges, and keeps nothing',
    file: 'packages/server/src/key-requests.ts',
    find: 'else await hints.merge(hintFor, address, set, bucket, durability);',
    replace: 'else void hints;',
    run: STAND_INS,
  },
  {
    name: 'fsync-forgotten',
    trap: 'acknowledged before it is on stable storage',
    file: 'packages/storage/src/commit-queue.ts',
    find: 'await engine.write(batch.operations, { sync: batch.sync });',
    replace: 'await engine.write(batch.operations, { sync: false });',
    run: CRASHES,
  },
  {
    name: 'ack-before-commit',
    trap: 'acknowledged before it is committed',
    file: 'packages/storage/src/commit-queue.ts',
    find: '    const settled = batch.settled();\n    this.#schedule();\n    return settled;',
    replace: '    batch.settled().catch(() => undefined);\n    this.#schedule();\n    return DONE;',
    run: CRASHES,
  },
  {
    name: 'commit-failure-ignored',
    trap: 'error paths: a commit that fails passes for one that has not',
    file: 'packages/storage/src/commit-queue.ts',
    find: '      this.#fail(batch, isFlush, toArmatureError(thrown));\n      return;',
    replace:
      '      if (toArmatureError(thrown).code === "closed") {\n        this.#fail(batch, isFlush, toArmatureError(thrown));\n        return;\n      }',
    run: FAILING_DISKS,
  },
  {
    name: 'damage-served',
    trap: 'a corrupt record is taken for what it says',
    file: 'packages/replica/src/record.ts',
    find: 'return buffer.readUInt32LE(1) === crc32(set) ? set : undefined;',
    replace: 'return crc32(set) >= 0 ? set : undefined;',
    run: ROT,
  },
];
