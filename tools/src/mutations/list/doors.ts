/** Bugs by which somebody who does not hold the cluster's secret gets somewhere. A hostile client is on the bus in all of these runs. */
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
];
