/** Hinted handoff, and disks: what was acknowledged is kept until it is home. */
import type { Mutation } from '../mutation.js';
import { CRASHES, FAILING_DISKS, STRAY_HINTS, PARTITIONS, ROT, STAND_INS, STAND_INS_KILLED } from './runs.js';

const DELIVERY = 'packages/replica/src/hint-delivery.ts';
const HINTS = 'packages/replica/src/hint-store.ts';

export const hints: readonly Mutation[] = [
  {
    name: 'hint-deleted-before-ack',
    trap: 'a hint is deleted before its owner has acknowledged it',
    file: DELIVERY,
    find: 'const errors = await Promise.all(targets.map((target) => this.#handTo(target, view, address, set, bucket)));',
    replace:
      'await this.#env.hints.drop(owner, address, set);\nconst errors = await Promise.all(targets.map((target) => this.#handTo(target, view, address, set, bucket)));',
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
    find: 'const delivered = await this.#throughAll(owner, (address, set) => this.#takeHome(owner, address, set));',
    replace: 'const delivered = 0 * this.#missed.size;',
    run: PARTITIONS,
  },
  {
    name: 'hint-for-former-owner-only',
    trap: 'a hint for a node that is no owner any more is the only copy, and goes nowhere else',
    file: DELIVERY,
    find: 'const home = owners.includes(owner) || pending.includes(owner) ? [owner] : owners;',
    replace: 'const home = [owner];',
    run: STRAY_HINTS,
  },
  {
    name: 'hint-of-stranger-discarded',
    trap: 'a hint for a node that is no owner any more is thrown away',
    file: DELIVERY,
    find: 'const targets = [...home, ...pending.filter((node) => !home.includes(node))];',
    replace: 'const targets = home.filter((node) => node === owner);',
    run: STRAY_HINTS,
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
