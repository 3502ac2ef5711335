/**
 * Replica synchronisation and reaping: what differs becomes equal, and what is deleted stays so. Trees that do not follow what is
 * written, exchanges that go one way, and tombstones that go while somebody may still hold, or be given, what they deleted.
 */
import type { Mutation } from '../mutation.js';
import {
  CRASH_LOOPS,
  DELETIONS,
  DELETIONS_UNSYNCED,
  FADING_DELETIONS,
  MISSED_DELETIONS,
  MISSED_OVERWRITES,
  OVERWRITTEN,
  STUCK_HINTS,
} from './reaping-runs.js';
import { ROT_UNREAD, TREES, TREES_REBUILT, WITHOUT_SOME } from './runs.js';

const REAP = 'packages/repair/src/reap.ts';
const PRUNE = 'packages/versioning/src/prune.ts';
const REPLICA = 'packages/replica/src/replica.ts';
const EXCHANGE = 'packages/repair/src/exchange.ts';

/** Reaping does not stop at what is known to be down: it asks, and goes on without an answer. */
const SUSPECTS_ARE_ASKED: Mutation['also'] = [
  {
    file: 'packages/server/src/reaping.ts',
    find: 'isSuspect: (member: NodeId) => participant.monitor.isSuspect(member),',
    replace: 'isSuspect: () => false,',
  },
  {
    file: 'packages/server/src/reap-cycle.ts',
    find: 'this.#env.isPaused() || [...membership.view.members.keys()].some((node) => monitor.isSuspect(node));',
    replace: 'this.#env.isPaused();',
  },
];

export const repair: readonly Mutation[] = [
  {
    name: 'silence-holds-up-sweeps',
    trap: 'a dead node and anti-entropy: every comparison with it is waited for',
    file: 'packages/coordination/src/participant.ts',
    find: 'return whileUp(this.coordination, node, this.request(node, request, timeoutMs));',
    replace: 'void whileUp;\nreturn this.request(node, request, timeoutMs);',
    // Whoever exchanges also asks first whether a peer that was silent is there.
    also: {
      file: 'packages/server/src/synchronisation.ts',
      find: 'await this.#checkPresence(request.peer);',
      replace: 'if (this.#running.length > MAX_EXCHANGES) await this.#checkPresence(request.peer);',
    },
    run: WITHOUT_SOME,
  },
  {
    name: 'tree-misses-writes',
    trap: 'a Merkle tree is stale: writes do not change it',
    file: REPLICA,
    find: 'else observer.wrote(address, held.set, set);',
    replace: '',
    run: TREES,
  },
  {
    name: 'tree-trusted-after-failure',
    trap: 'a Merkle tree is stale: a write that failed stays in it',
    file: REPLICA,
    find: '    else observer.wrote(address, held.set, set);\n    committed.catch(() => observer.doubted(address));',
    replace: '    else observer.wrote(address, held.set, set);\n    committed.catch(() => undefined);',
    run: TREES,
  },
  {
    name: 'tree-misses-drops',
    trap: 'a Merkle tree is stale: what is dropped stays in it',
    file: REPLICA,
    find: 'this.#observer?.dropped(address, before);',
    replace: '',
    run: DELETIONS,
  },
  {
    name: 'tree-built-beside-writes',
    trap: 'a Merkle tree is stale after a restart: what is written while it is built is not in it',
    file: 'packages/repair/src/tree-keeper.ts',
    find: 'plot.build?.wrote(address, n, old, now);',
    replace: '',
    run: TREES_REBUILT,
  },
  {
    name: 'damage-ends-scans',
    trap: 'a corrupt read poisons handoff and exchanges: nobody gets past it',
    file: REPLICA,
    find: 'damaged.push(address);',
    replace: "throw new ArmatureError('storage-corrupt', 'a record is damaged');",
    run: ROT_UNREAD,
  },
  {
    name: 'exchange-pulls-nothing',
    trap: 'replica synchronisation goes one way only',
    file: EXCHANGE,
    find: 'await this.#env.local.absorb(entries, false);',
    replace: '',
    run: TREES,
  },
  {
    name: 'exchange-pushes-nothing',
    trap: 'replica synchronisation goes one way only',
    file: EXCHANGE,
    find: 'await this.#push([...lackedThere, ...unequal], pulled);',
    replace: '',
    run: TREES,
  },
  {
    name: 'reap-by-timer',
    trap: 'a deleted key comes back: tombstones go by age, nobody is asked',
    file: REAP,
    find: 'const cleared = await this.#cleared(share, candidates, tally);',
    replace: 'const cleared = candidates;',
    run: STUCK_HINTS,
  },
  {
    name: 'reap-asks-owners-only',
    trap: 'a deleted key comes back: nodes that are no owners are not asked',
    file: REAP,
    find: 'const others = this.#othersOf(share);',
    replace:
      'const others = share.view.placementOf(share.request.partition, share.request.n).owners.filter((member) => member !== this.#env.node);',
    run: STUCK_HINTS,
  },
  {
    name: 'reap-despite-hints',
    trap: 'a deleted key comes back: a hint for it is outstanding',
    file: 'packages/repair/src/clearing.ts',
    find: "kept.has(address) ? 'hinted' :",
    replace: '',
    run: STUCK_HINTS,
  },
  {
    name: 'reap-despite-silence',
    trap: 'a deleted key comes back: a member that is down does not hold back the reaping',
    file: REAP,
    find: 'return replies.length === members.length ? replies : undefined;',
    replace: "tally.blocked = '';\n    return replies;",
    also: SUSPECTS_ARE_ASKED,
    run: MISSED_DELETIONS,
  },
  {
    name: 'reap-clears-unsynced',
    trap: 'a crash brings back what lay under a tombstone when it was cleared: its node has forgotten the clearing, and is filled anew',
    file: 'packages/repair/src/clearing.ts',
    find: `    await sync();
    return { kind: 'clear', clearances, counted };`,
    replace: `    void sync;
    return { kind: 'clear', clearances, counted };`,
    // What all note before anything is dropped is synced, too, and with it what was cleared.
    also: { file: 'packages/server/src/node-storage.ts', find: "durable ? 'fsync' : 'os'", replace: "durable ? 'os' : 'os'" },
    run: DELETIONS_UNSYNCED,
  },
  {
    name: 'reap-takes-values',
    trap: 'a key with a tombstone and a concurrent value is taken for deleted',
    file: 'packages/versioning/src/version-set.ts',
    find: 'return set.siblings.length > 0 && shownSiblings(set).every(({ version }) => version.tombstone);',
    replace: 'return set.siblings.length > 0 && shownSiblings(set).some(({ version }) => version.tombstone);',
    run: FADING_DELETIONS,
  },
  {
    name: 'prune-takes-versions',
    trap: 'a clock loses the entry of an actor that has a version left, and the version with it',
    file: PRUNE,
    find: 'new Set<ActorId>(before.siblings.map(({ dot }) => dot.actor));',
    replace: 'new Set<ActorId>(before.siblings.slice(-1).map(({ dot }) => dot.actor));',
    also: [
      {
        file: PRUNE,
        find: 'return { set: { ...before, clock }, dropped };',
        replace:
          'return { set: { ...before, clock, siblings: before.siblings.filter(({ dot }) => alive.has(dot.actor)) }, dropped };',
      },
    ],
    run: OVERWRITTEN,
  },
  {
    name: 'prune-forgets-floor',
    trap: 'dot reuse: an actor that is in use begins to count anew once its entry was pruned',
    file: REPLICA,
    find: 'this.#env.epoch.dropping(dropped);',
    replace: '',
    run: OVERWRITTEN,
  },
  {
    name: 'prunes-uncleared',
    trap: 'an old sibling comes back: clocks are pruned though a member that is down has not cleared them',
    file: REAP,
    find: 'return replies.length === members.length ? replies : undefined;',
    replace:
      "const asked = 'entries' in request ? (request.entries as readonly Candidate[]) : [];\n    if (replies.length < members.length && asked.some(({ isTombstone }) => isTombstone)) return undefined;\n    tally.blocked = '';\n    return replies;",
    also: SUSPECTS_ARE_ASKED,
    run: MISSED_OVERWRITES,
  },
  {
    name: 'clocks-never-pruned',
    trap: 'clocks grow with each crash: entries of actors that are gone stay for ever',
    file: 'packages/repair/src/clearing.ts',
    find: 'return isDeleted(decoded.value) ? replica.drop(address, set) : replica.prune(address, set);',
    replace: 'return isDeleted(decoded.value) && replica.drop(address, set);',
    run: CRASH_LOOPS,
  },
  {
    name: 'reapable-listed-apart',
    trap: 'a tombstone stays for ever: a crash comes between its record and its entry in the list of what may be reaped',
    file: 'packages/replica/src/stored-records.ts',
    find: 'if (operation.reapable !== undefined) batch.push(listing(operation.key, operation.reapable));',
    replace:
      "if (operation.reapable !== undefined) store.write([listing(operation.key, operation.reapable)], 'memory').catch(() => undefined);",
    run: DELETIONS,
  },
];
