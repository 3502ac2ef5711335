/**
 * Bugs by which somebody who does not hold the cluster's secret gets somewhere. A hostile client is on the bus in all of these
 * runs.
 */
import type { Mutation, RunOptions } from '../mutation.js';

const HOSTILE: RunOptions = {
  kinds: [],
  durationMs: 15_000,
  isHostile: true,
  load: { workloads: ['registers'], properties: { n: 3, r: 2, w: 2, durability: 'fsync' }, keys: 5, thinkMs: 120 },
};

/** Processes start anew, so that there are recordings of their former lives. */
const HOSTILE_RESTARTS: RunOptions = {
  ...HOSTILE,
  kinds: ['kill'],
  allKinds: true,
  durationMs: 25_000,
  faultsEveryMs: 2_500,
  faultsLastMs: 1_000,
};

/** The cluster requires tokens, and the hostile client shows some that do not grant what it asks. */
const HOSTILE_BEARER: RunOptions = { ...HOSTILE, demandsTokens: true };

/** Nodes come that know nothing of the cluster yet. */
const HOSTILE_NEWCOMERS: RunOptions = {
  ...HOSTILE_BEARER,
  kinds: ['wipe'],
  allKinds: true,
  durationMs: 40_000,
  faultsEveryMs: 2_000,
  faultsLastMs: 500,
};

export const doors: readonly Mutation[] = [
  {
    name: 'mac-unchecked',
    trap: 'whoever can publish to a link subject speaks in the name of nodes',
    file: 'packages/bus/src/frame-gate.ts',
    find: "return isSealed && peers.isProved(address, payload) ? undefined : 'wrong-secret';",
    replace: "return peers.isProved(address, payload) || isSealed || !isSealed ? undefined : 'wrong-secret';",
    run: HOSTILE,
  },
  {
    name: 'mac-not-of-receiver',
    trap: 'a frame that was recorded on its way to one peer is taken by another',
    file: 'packages/bus/src/frame-mac.ts',
    find: 'utf8Encode(`${from} ${to}`)',
    replace: 'utf8Encode(`${from === to ? to : from}`)',
    also: {
      file: 'packages/bus/src/pairing.ts',
      find: "if (named !== this.#nonce && !(isKnown && named === this.#formerNonce)) return 'unconfirmed';",
      replace: '',
    },
    run: HOSTILE,
  },
  {
    name: 'replays-taken',
    trap: 'a frame that was recorded is carried out again',
    file: 'packages/bus/src/pairing.ts',
    find: "if (!this.#window.accept(sequence)) return 'replayed';",
    replace: 'this.#window.accept(sequence);',
    run: HOSTILE,
  },
  {
    name: 'unconfirmed-sessions-taken-up',
    trap: 'a recording of a former life of a peer becomes its present one',
    file: 'packages/bus/src/pairing.ts',
    find: "if (named !== this.#nonce && !(isKnown && named === this.#formerNonce)) return 'unconfirmed';",
    replace: '',
    run: HOSTILE_RESTARTS,
  },
  {
    name: 'front-bucket-ignored',
    trap: 'who may use one bucket by the permissions of NATS uses every bucket',
    file: 'packages/server/src/front-door.ts',
    find: 'if (bucket !== door.bucket || right !== door.right)',
    replace: 'if (right !== door.right)',
    run: HOSTILE,
  },
  {
    name: 'front-right-ignored',
    trap: 'who may read by the permissions of NATS writes',
    file: 'packages/server/src/front-door.ts',
    find: 'if (bucket !== door.bucket || right !== door.right)',
    replace: 'if (bucket !== door.bucket)',
    run: HOSTILE,
  },
  {
    name: 'token-not-bound-to-bucket',
    trap: 'a token for one bucket opens every bucket',
    file: 'packages/rights/src/grant.ts',
    find: 'if (grant.bucket !== EVERY_BUCKET && grant.bucket !== bucket) return false;',
    replace: 'void EVERY_BUCKET;',
    run: HOSTILE_BEARER,
  },
  {
    name: 'token-prefix-ignored',
    trap: 'a token for the keys that begin with a prefix opens all keys of the bucket',
    file: 'packages/rights/src/grant.ts',
    find: 'return grant.prefix.length === 0 || (key !== undefined && beginsWith(key, grant.prefix));',
    replace: 'return grant.prefix.length === 0 || key === undefined || beginsWith(key, grant.prefix) || key.length > 0;',
    run: HOSTILE_BEARER,
  },
  {
    name: 'token-right-ignored',
    trap: 'a token to read writes',
    file: 'packages/rights/src/grant.ts',
    find: 'if (!grant.rights.includes(right)) return false;',
    replace: 'void right;',
    run: HOSTILE_BEARER,
  },
  {
    name: 'token-of-another-cluster',
    trap: 'a token of another cluster that has the same secret is taken',
    file: 'packages/rights/src/token-seal.ts',
    find: 'update(`${KEY_PURPOSE}\\0${cluster}`)',
    replace: 'update(KEY_PURPOSE)',
    run: HOSTILE_BEARER,
  },
  {
    name: 'token-seal-unchecked',
    trap: 'whoever changes a token makes one',
    file: 'packages/rights/src/token-seal.ts',
    find: 'const fitting = keys.macs.filter((mac) => timingSafeEqual(mac(contents), given));',
    replace: 'const fitting = keys.macs.filter((mac) => mac(contents).length === given.length || timingSafeEqual(given, given));',
    run: HOSTILE_BEARER,
  },
  {
    name: 'token-revoked-in-vain',
    trap: 'a token of a generation that was revoked is taken',
    file: 'packages/rights/src/token-seal.ts',
    find: 'if (token.generation < generation) return revokedToken(token, generation);',
    replace: 'if (token.generation < 0) return revokedToken(token, generation);',
    run: HOSTILE_BEARER,
  },
  {
    name: 'token-never-expires',
    trap: 'a token is taken after its end',
    file: 'packages/rights/src/token-seal.ts',
    find: 'return nowMs >= token.expiresAtMs ? expiredToken(token) : undefined;',
    replace: 'return nowMs < 0 ? expiredToken(token) : undefined;',
    run: HOSTILE_BEARER,
  },
  {
    name: 'token-not-required-at-the-front-door',
    trap: 'the demand for a token is not looked at where applications have links',
    file: 'packages/server/src/front-door.ts',
    find: 'if (refusal !== undefined) throw refusal;',
    replace: 'if (refusal !== undefined && sender.token !== undefined) throw refusal;',
    run: HOSTILE_BEARER,
  },
  {
    name: 'unknown-bucket-before-token',
    trap: 'whoever has no token learns which buckets there are',
    file: 'packages/server/src/front-door.ts',
    find: 'const refusal = this.#env.authorize(bucket, right, key, sender.token);',
    replace:
      'const isThere = this.#env.membership.view.buckets.has(bucket);\n    const refusal = isThere ? this.#env.authorize(bucket, right, key, sender.token) : undefined;',
    run: HOSTILE_BEARER,
  },
  {
    name: 'open-before-cluster-is-known',
    trap: 'whoever comes to a process that knows of no cluster yet is let in, and what he asks is carried out in the cluster',
    file: 'packages/server/src/gate.ts',
    find: 'if (access === undefined) return noCluster();',
    replace: 'if (access === undefined) return undefined;',
    run: HOSTILE_NEWCOMERS,
  },
  {
    name: 'plain-header-before-subject',
    trap: 'who may use one bucket or key by the permissions of NATS names another one in a header',
    file: 'packages/server/src/plain-request.ts',
    find: "if (bucketToken !== undefined && bucketHeader !== undefined && bucketToken !== bucketHeader) throw contradiction('bucket');",
    replace: '',
    also: [
      {
        file: 'packages/server/src/plain-request.ts',
        find: "if (inSubject !== undefined && inHeader !== undefined && !bytesEqual(inSubject, inHeader)) throw contradiction('key');",
        replace: 'void bytesEqual;',
      },
      {
        file: 'packages/server/src/plain-request.ts',
        find: "checkedAddress(bucketToken ?? bucketHeader ?? 'default', inSubject ?? inHeader ?? EMPTY_BYTES)",
        replace: "checkedAddress(bucketHeader ?? bucketToken ?? 'default', inHeader ?? inSubject ?? EMPTY_BYTES)",
      },
    ],
    run: HOSTILE,
  },
  {
    name: 'claims-without-challenge',
    trap: 'a process ends because somebody repeats what another life of it said of its name',
    file: 'packages/server/src/name-claim.ts',
    find: 'return claim.isOurs && claim.answers === question;',
    replace: 'return claim.isOurs && question !== undefined;',
    run: HOSTILE_RESTARTS,
  },
  {
    name: 'discovery-believed',
    trap: 'whoever answers a question of discovery first keeps those who come later from finding the cluster',
    file: 'packages/coordination/src/discovery.ts',
    find: 'this.#env.prove(address, PROOF_TIMEOUT_MS).then(',
    replace: 'Promise.resolve(PROOF_TIMEOUT_MS).then(',
    run: HOSTILE,
  },
  {
    name: 'role-unasked',
    trap: 'whoever holds a token with some role may give every command',
    file: 'packages/server/src/admin-door.ts',
    find: 'authorizeRole(await this.#access(), clock.nowMs(), token, leastRoleFor(request))',
    replace: "authorizeRole(await this.#access(), clock.nowMs(), token, 'viewer')",
    run: HOSTILE,
  },
  {
    name: 'viewers-repair',
    trap: 'the table of roles lets those who may look have work done',
    file: 'packages/protocol/src/administration.ts',
    find: "exchange: { role: 'operator'",
    replace: "exchange: { role: 'viewer'",
    run: HOSTILE,
  },
  {
    name: 'stale-roles-count',
    trap: 'a token with a role opens the door after its end, and after it was revoked',
    file: 'packages/rights/src/authorize.ts',
    find: 'if (stale !== undefined) return stale;\n  return allowsRole',
    replace: 'return allowsRole',
    run: HOSTILE,
  },
  {
    name: 'tokens-of-no-cluster',
    trap: 'two clusters under one secret: the administrator of one gives commands to the other',
    file: 'packages/rights/src/token-seal.ts',
    find: '.update(`${KEY_PURPOSE}\\0${cluster}`)',
    replace: '.update(KEY_PURPOSE)',
    run: HOSTILE,
  },
  {
    name: 'claims-unproved',
    trap: 'who has read on the bus what a token says gives commands in the name of its holder',
    file: 'packages/server/src/admin-door.ts',
    find: 'claim.value.keys.find((one) => this.#isProved(one, payload, shown.address))',
    replace: 'claim.value.keys[0]',
    also: {
      file: 'packages/bus/src/frame-gate.ts',
      find: "return isSealed && peers.isProved(address, payload) ? undefined : 'wrong-secret';",
      replace:
        "return isSealed && (peers.isProved(address, payload) || /^(guest|admin)\\./.test(address)) ? undefined : 'wrong-secret';",
    },
    run: HOSTILE,
  },
];
