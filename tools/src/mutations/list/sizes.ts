/** Bugs by which a key becomes too large to be sent, or cannot be mended any more once it is large. */
import type { Mutation, RunOptions } from '../mutation.js';

/** Sibling storms of large values, on both sides of cuts. */
const STORMS: RunOptions = {
  kinds: ['partition', 'one-way'],
  allKinds: true,
  nodes: 5,
  worker: 'throughout',
  core: false,
  durationMs: 12_000,
  faultsEveryMs: 3_000,
  faultsLastMs: 3_000,
  hintLimitBytes: 1024 ** 3,
  load: {
    workloads: ['large-values'],
    properties: { n: 3, r: 2, w: 1, durability: 'fsync' },
    keys: 3,
    thinkMs: 60,
    blind: 0.95,
    deletes: 0,
    fadeMs: Infinity,
  },
};

/** Many keys, which owners come and go for, so that many sets are asked for at a time. */
const MOVING: RunOptions = {
  ...STORMS,
  kinds: ['weight', 'leave', 'join'],
  faultsEveryMs: 2_000,
  load: { ...STORMS.load, keys: 60, thinkMs: 20 },
};

/** Disks that fail writes, some of which are stored all the same, under hints of large values. */
const FAILING: RunOptions = {
  ...STORMS,
  kinds: ['failing-disk'],
  nodes: 3,
  durationMs: 20_000,
  faultsEveryMs: 2_000,
  faultsLastMs: 6_000,
  load: { ...STORMS.load, properties: { n: 2, r: 1, w: 1, durability: 'buffered' }, keys: 8, fadeMs: 3_000 },
};

export const sizes: readonly Mutation[] = [
  {
    name: 'set-bound-ignored',
    trap: 'puts make a key larger than any message: it can be neither read nor repaired',
    file: 'packages/replica/src/replica.ts',
    find: 'if (minted.set !== local) checkRoom(',
    replace: 'if (local === undefined) checkRoom(',
    run: STORMS,
  },
  {
    name: 'set-bound-refuses-resolving',
    trap: 'a key that has grown on both sides of a cut cannot be resolved or deleted any more',
    file: 'packages/versioning/src/version-set.ts',
    find: 'const isTooLarge = sizeBytes > maxSetBytes && sizeBytes >= before.sizeBytes;',
    replace: 'const isTooLarge = Math.max(sizeBytes, before.sizeBytes) > maxSetBytes;',
    also: {
      file: 'packages/replica/src/mint-request.ts',
      find: 'if (siblings <= limits.maxSiblings && sizeBytes <= limits.maxSetBytes) return;',
      replace:
        'if (siblings <= limits.maxSiblings && Math.max(sizeBytes, sizeOf(before).sizeBytes) <= limits.maxSetBytes) return;',
    },
    run: STORMS,
  },
  {
    name: 'sets-cut-by-count',
    trap: 'an answer with several sets is larger than a message, so that a repair or a transfer fails for ever',
    file: 'packages/repair/src/local-share.ts',
    find: 'if (sets.length > 0 && sizeBytes > this.#answerBytes) break;',
    replace: '',
    run: MOVING,
  },
  {
    name: 'failed-commit-remembered',
    trap: 'a large record whose commit failed, and that was stored all the same, is refused for ever when it is repeated',
    file: 'packages/replica/src/large-records.ts',
    find: 'if (this.#commits.get(buffer) === commit) this.#commits.delete(buffer);',
    replace: '',
    run: FAILING,
  },
  {
    name: 'pages-ignore-messages',
    trap: 'a page of a listing is larger than a message, so that a bucket cannot be listed though each of its keys can be read',
    file: 'packages/replica/src/pull-page.ts',
    find: 'pageBytes(MAX_PULL_BYTES, messageBytes)',
    replace: 'MAX_PULL_BYTES',
    run: MOVING,
  },
];
