/**
 * Quorums, outcomes and requests: what an answer says is so; and what waited too long, came from elsewhere or was said by a wrong
 * clock is not taken for right.
 */
import type { Mutation } from '../mutation.js';
import { CUTS_DURING_A_MOVE, DEAD_NEWCOMER, VACANCIES } from './directed-runs.js';
import { LAST_WRITES, PRIMARIES, CHANGES, PARTITIONS, PLAIN, CLOCKS, OTHER_VERSIONS, ROT_OF_THE_LAST } from './runs.js';
import { EARLY_PAUSES, LONG_PAUSES, LONG_SLEEPS } from './long-pauses.js';

const PUT = 'packages/coordination/src/put-quorum.ts';

export const quorums: readonly Mutation[] = [
  {
    name: 'w-counts-pending',
    trap: 'a new owner counts before it is one: W is met by pending owners',
    file: PUT,
    find: 'const present = standing(state, owners, quorumOfPresent(plan));',
    replace: 'const present = standing(state, [...owners, ...plan.pending], quorumOfPresent(plan));',
    run: CHANGES,
  },
  {
    name: 'put-of-present-owners-only',
    trap: 'R + W > N does not outlast a change of owners: a put is judged under the present owners only',
    file: PUT,
    find: 'const future = next === owners ? present : standing(state, next, quorumOfNext(plan));',
    replace: 'const future = present;',
    run: CUTS_DURING_A_MOVE,
  },
  {
    name: 'vacancy-counts-as-owner',
    trap: 'where an owner is missing, its vacancy passes for one that has acknowledged',
    file: PUT,
    find: 'standing(state, next, quorumOfNext(plan));',
    replace: 'standing(state, next, quorumOfPresent(plan));',
    run: VACANCIES,
  },
  {
    name: 'future-owner-must-answer',
    trap: 'not always writable: a node that is to become an owner, and is down, keeps puts from their quorum',
    file: PUT,
    find: 'if (predecessor !== undefined) {',
    replace: 'if (predecessor !== undefined && owners.length < 0) {',
    run: DEAD_NEWCOMER,
  },
  {
    name: 'pw-counts-fallbacks',
    trap: 'a sloppy quorum claims what only owners can give: PW is met by fallbacks',
    file: PUT,
    find: 'if (acknowledged >= w && primaries.acknowledged >= pw && durable >= dw)',
    replace: 'if (acknowledged >= w && acknowledged >= pw && durable >= dw)',
    run: PRIMARIES,
  },
  {
    name: 'w-less-one',
    trap: 'acknowledged with one copy fewer than asked for',
    file: PUT,
    find: 'if (acknowledged >= w && primaries.acknowledged >= pw && durable >= dw)',
    replace: 'if (acknowledged >= w - 1 && primaries.acknowledged >= pw && durable >= dw)',
    run: PARTITIONS,
  },
  {
    name: 'partial-passes-for-refused',
    trap: 'failed writes surface later: a partial write is said not to have happened',
    file: 'packages/coordination/src/put.ts',
    find: "    'partial-write',\n",
    replace: "    'too-large',\n",
    run: PARTITIONS,
  },
  {
    name: 'expired-requests-done',
    trap: 'a request that waited in a paused process is carried out after its sender gave up',
    file: 'packages/bus/src/link-responder.ts',
    find: 'if (!isInTime(peer.frameAgeMs, timeoutMs)) {',
    replace: 'if (peer.frameAgeMs < 0) {',
    run: LONG_PAUSES,
  },
  {
    name: 'first-frames-trusted',
    trap: 'the first request of a sender is carried out although nobody can tell how long it has waited',
    file: 'packages/bus/src/pairing.ts',
    find: "if (named !== this.#nonce && !(isKnown && named === this.#formerNonce)) return 'unconfirmed';",
    replace: "if (named !== this.#nonce && !(isKnown && named === this.#formerNonce) && named !== 0) return 'unconfirmed';",
    also: [
      {
        file: 'packages/bus/src/link-receiver.ts',
        find: 'peer.frameAgeMs = longestAgeMs(echo, clockWord(wakingMs));',
        replace: 'peer.frameAgeMs = header.named === 0 ? 0 : longestAgeMs(echo, clockWord(wakingMs));',
      },
      {
        file: 'packages/bus/src/link-receiver.ts',
        find: 'if (!greeter.hasTold(address, named)) {',
        replace: 'if (named !== 0 && !greeter.hasTold(address, named)) {',
      },
    ],
    run: EARLY_PAUSES,
  },
  {
    name: 'sleep-ignored',
    trap: 'a machine that was suspended takes what waited for it for new, since its monotonic clock stood still',
    file: 'packages/bus/src/frame-clock.ts',
    find: 'return monotonicMs + this.#sleep.sleptMs(monotonicMs, wallMs);',
    replace: 'return monotonicMs + 0 * this.#sleep.sleptMs(monotonicMs, wallMs);',
    also: {
      file: 'packages/bus/src/frame-age.ts',
      find: 'return ageMs < -driftMs ? Infinity : Math.max(0, ageMs + driftMs);',
      replace: 'return Math.max(0, ageMs + driftMs);',
    },
    run: LONG_SLEEPS,
  },
  {
    name: 'context-unauthenticated',
    trap: 'a forged context with a huge counter deletes data',
    file: 'packages/versioning/src/context.ts',
    find: 'if (!timingSafeEqual(key.mac(signed), bytes.subarray(-MAC_BYTES))) {',
    replace: 'if (!timingSafeEqual(key.mac(signed), key.mac(signed))) {',
    run: PLAIN,
  },
  {
    name: 'lww-keeps-oldest',
    trap: 'last write wins, and the oldest is kept',
    file: 'packages/versioning/src/resolvers.ts',
    find: 'if (sibling.version.at >= last.version.at) last = sibling;',
    replace: 'if (sibling.version.at < last.version.at) last = sibling;',
    run: LAST_WRITES,
  },
  {
    name: 'clock-not-hybrid',
    trap: 'last write wins under clock skew: a write is stamped by the wall clock alone',
    file: 'packages/versioning/src/resolvers.ts',
    find: 'if (known < next) return { at: next, last: next };',
    replace: 'if (known < next || nowMs > 0) return { at: hlcTick(HLC_ZERO, nowMs), last: next };',
    run: CLOCKS,
  },
  {
    name: 'versions-mixed',
    trap: 'frames of another protocol version are read as if they were ours',
    file: 'packages/bus/src/frame-gate.ts',
    find: "if (version !== PROTOCOL_VERSION) return 'protocol-mismatch';",
    replace: "if (version === PROTOCOL_VERSION + 1) return 'protocol-mismatch';",
    run: OTHER_VERSIONS,
  },
  {
    name: 'damaged-stays',
    trap: 'a damaged record of which nobody else holds anything keeps reads that need its owner from ever being answered',
    file: 'packages/coordination/src/read-repair.ts',
    find: 'if (isEmpty && (pending.length > 0 || ',
    replace: 'if (isEmpty && (damaged.length > 0 || ',
    run: ROT_OF_THE_LAST,
  },
  {
    name: 'reads-always-repair',
    trap: '100 reads cause 0 writes: every read writes to all that answered',
    file: 'packages/coordination/src/read-repair.ts',
    find: 'const stale = answers.filter((answer) => answer.set === undefined || !bytesEqual(answer.set, set)).map(({ node }) => node);',
    replace: 'const stale = answers.filter(() => bytesEqual !== undefined).map(({ node }) => node);',
    also: {
      file: 'packages/coordination/src/read-repair.ts',
      find: 'if (bucket === undefined || state.isOutlined || (damaged.length === 0 && areSame(answers))) return;',
      replace: 'if (bucket === undefined) return;',
    },
    run: PLAIN,
  },
];
