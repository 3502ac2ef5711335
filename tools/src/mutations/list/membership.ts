/** Membership and transfers: who owns what is one for all, and a new owner counts when it holds what it owns. */
import type { Mutation } from '../mutation.js';
import { COMMANDS_BEYOND, OLD_STARTS, TURNS_BEHIND_CUTS, UNHEARD_READINESS } from './directed-runs.js';
import { OLD_AND_REAPED, RETURNS } from './reaping-runs.js';
import { ABSENT_OWNERS, CHANGES, FAIL_OVERS, REMOVALS, ROUGH_CHANGES, SLOW_CHANGES, SLOW_NEWS, STRAYS, WIPES } from './runs.js';

const RELINQUISH = 'packages/repair/src/relinquish-core.ts';
const OWNERSHIP = 'packages/membership/src/ownership.ts';
const IDENTITY = 'packages/server/src/store-identity.ts';
const EPOCH = 'packages/replica/src/actor-epoch.ts';
const PUT = 'packages/coordination/src/put-quorum.ts';

export const membership: readonly Mutation[] = [
  {
    name: 'ready-without-copy',
    trap: 'ownership flips early: a new owner is ready before it has copied',
    file: 'packages/repair/src/fill-round.ts',
    find: 'await copyShare(copying, { partition, n, range: ring.rangeOf(partition), source }, notes);',
    replace: 'void copyShare;',
    run: SLOW_CHANGES,
  },
  {
    name: 'ready-after-one-source',
    trap: 'ownership flips early: a copy of one owner passes for the whole',
    file: 'packages/repair/src/copies-needed.ts',
    find: 'return n - w + 1;',
    replace: 'return Math.min(1, n - w + 1);',
    run: ABSENT_OWNERS,
  },
  {
    name: 'pending-is-owner',
    trap: 'ownership flips early: who is to become an owner is one at once',
    file: OWNERSHIP,
    find: 'const promoted = pending.filter((one) => one.ready).slice(0, vacancies);\n    const orphaned',
    replace:
      'pending = pending.map((one) => ({ ...one, ready: true }));\n    const promoted = pending.slice(0, vacancies);\n    const orphaned',
    run: SLOW_CHANGES,
  },
  {
    name: 'stale-ready-counts',
    trap: 'a ready for an earlier change counts although the node has missed writes since',
    file: OWNERSHIP,
    find: 'one.node === node && one.since <= change && !one.ready',
    replace: 'one.node === node && change >= 0 && !one.ready',
    run: UNHEARD_READINESS,
  },
  {
    name: 'fence-skipped',
    trap: 'two owners: requests under another ring are served',
    file: 'packages/server/src/ring-fence.ts',
    find: 'if (ring === view.ringVersion) {',
    replace: 'if (ring === view.ringVersion || ring !== undefined) {',
    also: {
      file: 'packages/server/src/key-requests.ts',
      find: 'const isSameRing = (): boolean => membership.view.ringVersion === request.ring;',
      replace: 'const isSameRing = (): boolean => true;',
    },
    run: SLOW_NEWS,
  },
  {
    name: 'pending-not-written',
    trap: 'writes during a transfer are lost: future owners get none',
    file: PUT,
    find: '...[...plan.owners, ...plan.pending].map((node) => ({ node, hintFor: undefined })),',
    replace: '...plan.owners.map((node) => ({ node, hintFor: undefined })),',
    // Their word counts, too: a put that nobody carries to them would wait for it in vain.
    also: {
      file: PUT,
      find: 'const future = next === owners ? present : standing(state, next, quorumOfNext(plan));',
      replace: 'const future = present;\nvoid next;\nvoid quorumOfNext;',
    },
    run: SLOW_CHANGES,
  },
  {
    name: 'relinquish-unverified',
    trap: 'a former owner drops what did not arrive',
    file: RELINQUISH,
    find: 'return { state: { ...state, page: { ...state.page, range, entries, next, verifications } }, effects };',
    replace:
      'void effects;\n  const page = { ...state.page, range, entries, next, verified: entries };\n  return dropNext({ ...state, page }, interruption);',
    run: STRAYS,
  },
  {
    name: 'relinquish-into-memory',
    trap: 'a former owner drops what lay on its disk for copies in the memory of the owners',
    file: 'packages/repair/src/share-relinquish.ts',
    find: 'ring: this.#share.view.ringVersion, durable: true, entries }',
    replace: 'ring: this.#share.view.ringVersion, durable: false, entries }',
    run: { ...STRAYS, load: { ...STRAYS.load, properties: { n: 3, r: 2, w: 2, durability: 'buffered' } } },
  },
  {
    name: 'relinquish-never',
    trap: 'handoff sticks: former owners keep what they do not own',
    file: RELINQUISH,
    find: 'const everywhere = entries.filter(({ address }) => verifications.every(({ verified }) => verified.has(address)));',
    replace: 'const everywhere = entries.filter(({ address }) => verifications.length === 0 && address.length === 0);',
    run: CHANGES,
  },
  {
    name: 'leaver-goes-at-once',
    trap: 'a node that leaves goes before others have its data',
    file: 'packages/server/src/node-parts.ts',
    find: 'if (!transfers.isClear) return false;\n      if (await hints.isEmpty()) return true;',
    replace: 'if (transfers !== undefined) return true;\n      if (await hints.isEmpty()) return true;',
    run: STRAYS,
  },
  {
    name: 'lost-store-unnoticed',
    trap: 'a wiped disk or an old copy of it answers as an owner',
    file: IDENTITY,
    find: "if (member.actors.some(({ id }) => !this.#env.epoch.has(id))) return 'lost';",
    replace: '',
    run: WIPES,
  },
  {
    name: 'alone-after-a-moment',
    trap: 'an old copy of a disk answers as an owner, because nobody could be heard for a moment after its start',
    file: 'packages/server/src/store-confirmation.ts',
    find: 'export const ALONE_AFTER_MS = 10_000;',
    replace: 'export const ALONE_AFTER_MS = 250;',
    run: OLD_STARTS,
  },
  {
    name: 'count-not-compared',
    trap: 'a deleted and reaped key comes back with an old copy of a disk, which lacks no actor on record',
    file: IDENTITY,
    find: "if (isBehind) return 'lost';",
    replace: 'void isBehind;',
    run: OLD_AND_REAPED,
  },
  {
    name: 'count-not-noted',
    trap: 'a deleted and reaped key comes back with an old copy of a disk: nobody knows how often its node had cleared something',
    file: 'packages/repair/src/clearing.ts',
    find: 'await this.#env.counts.note(counts);',
    replace: 'void counts;',
    run: OLD_AND_REAPED,
  },
  {
    name: 'storage-loss-ignored',
    trap: 'a server that went back to an older state passes for the one that was here last',
    file: EPOCH,
    find: 'if (env.loss !== undefined) {',
    replace: 'if (env.loss === null) {',
    run: FAIL_OVERS,
  },
  {
    name: 'old-stint-data-kept',
    trap: 'a removed node brings its old data back when it joins again',
    file: IDENTITY,
    find: "if (tenure === undefined || !isOfStint(tenure, member) || tenure.loss !== member.loss) return 'foreign';",
    replace: '',
    run: RETURNS,
  },
  {
    name: 'discard-keeps',
    trap: 'a lost or foreign store keeps what it held',
    file: IDENTITY,
    find: 'await discard(isNewStint);',
    replace: 'void discard;',
    run: RETURNS,
  },
  {
    name: 'gossip-drops-removals',
    trap: 'gossip resurrects a removed node: removals do not travel',
    file: 'packages/membership/src/gossip.ts',
    find: 'records: fingerprint === request.fingerprint ? [] : records } as const;',
    replace:
      "records: fingerprint === request.fingerprint ? [] : records.filter(({ change }) => change.kind !== 'remove') } as const;",
    also: {
      file: 'packages/membership/src/history.ts',
      find: '      const digest = digestOf(record);\n',
      replace:
        "      if (incoming.length > 1 && record.change.kind === 'remove') continue;\n      const digest = digestOf(record);\n",
    },
    run: REMOVALS,
  },
  {
    name: 'history-by-arrival',
    trap: 'the ring is no function of the history: records are folded as they arrive',
    file: 'packages/membership/src/history.ts',
    find: 'other !== undefined && compareRecords(other.record, entry.record) < 0; other = b[++next])',
    replace: 'other !== undefined && compareRecords(other.record, entry.record) < 0 && next < 0; other = b[++next])',
    run: ROUGH_CHANGES,
  },
  {
    name: 'record-stamped-beyond',
    trap: 'a membership record is stamped by a clock that is centuries ahead, kept by its author, and refused by all others with what follows it',
    file: 'packages/membership/src/membership.ts',
    find: 'const at = isClockRight() ? hlcTick(lastAt, clock.nowMs()) : hlcAfter(lastAt);',
    replace:
      'const at = Math.max(isClockRight() || lastAt > 0 ? Math.floor(clock.nowMs()) * 1024 : 0, hlcAfter(lastAt)) as typeof lastAt;',
    also: [
      {
        file: 'packages/membership/src/history.ts',
        find: 'if (firstLate < 0) return',
        replace: 'if (firstLate < Infinity) return',
      },
      {
        file: 'packages/protocol/src/change-parser.ts',
        find: "'record.at', 0, Number.MAX_SAFE_INTEGER)",
        replace: "'record.at', 0, Date.UTC(2200, 0, 1) * 1024)",
      },
    ],
    run: COMMANDS_BEYOND,
  },
  {
    name: 'refresh-shared-by-all',
    trap: 'a node that asks a silent peer for its ring keeps all others waiting meanwhile, and is taken for failed',
    file: 'packages/membership/src/membership.ts',
    find: 'const underWay = this.#refreshing.get(from);',
    replace: 'const [underWay] = this.#refreshing.values();',
    // A second defence hides it: a timeout does not count against a peer that has answered something else since.
    also: {
      file: 'packages/membership/src/failure-monitor.ts',
      find: 'peer.heardMs > (askedMs ?? Infinity)',
      replace: 'peer.heardMs === Infinity',
    },
    run: TURNS_BEHIND_CUTS,
  },
];
