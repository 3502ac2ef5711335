/**
 * The ways of a put and of a get: from the application to the disk and back, function by function, in the order in which the
 * operation passes them. It goes straight, by a direct client, over NATS, to owners that are up and keep their records in
 * LevelDB.
 *
 * A step says how it is reached from the one before it. `check.ts` holds every step to the sources, so that none can be left out
 * in the middle of a leg, and `entered.ts` to a run, so that no wrapper can stand unseen between a port and what is behind it.
 *
 * A function that is asked and answers (a codec, the quorum's policy, a cache, the ring's fence) is no step: the operation does
 * not pass through it. One that is handed the rest of the way as a function, and runs it, is one.
 */

export type Reached =
  /** The step before calls it, and its file imports this one. */
  | { readonly kind: 'called' }
  /** The step before calls `as` of a type, whose file, `port`, it imports. This one imports it too, or is imported by it. */
  | { readonly kind: 'through-port'; readonly port: string; readonly as: string }
  /** The step before calls `as`, which a package that imports that step's package has given it. */
  | { readonly kind: 'injected'; readonly as: string }
  /** This step has called the one before it and given it a function, which that one has as `as`, and runs. */
  | { readonly kind: 'handed-back'; readonly as: string };

export interface Step {
  /** Relative to `packages`, without `src`: `client/bucket.ts`. */
  readonly room: string;
  readonly does: string;
  readonly reached: Reached;
}

export interface Leg {
  readonly what: string;
  /** The first stands in a leg before this one, unless the bus is between them. */
  readonly steps: readonly Step[];
}

export interface Way {
  readonly operation: 'put' | 'get';
  readonly legs: readonly Leg[];
}

const call = (room: string, does: string): Step => ({ room, does, reached: { kind: 'called' } });
const port = (file: string, room: string, does: string, as = does): Step => ({
  room,
  does,
  reached: { kind: 'through-port', port: file, as },
});
const injected = (room: string, does: string, as = does): Step => ({ room, does, reached: { kind: 'injected', as } });
const back = (as: string, room: string, does: string): Step => ({ room, does, reached: { kind: 'handed-back', as } });

const ENVIRONMENT = 'coordination/environment.ts';

/** A message, from the participant that asks to the bus. */
const OVER_THE_LINK: readonly Step[] = [
  port(ENVIRONMENT, 'coordination/participant.ts', 'ask'),
  call('coordination/participant.ts', '#ask'),
  call('bus/link.ts', 'request'),
  call('bus/link-requester.ts', 'request'),
  call('bus/link-requester.ts', '#ask'),
];

/** Records gather until the turn ends. */
const SENT: readonly Step[] = [
  port('bus/link-peers.ts', 'bus/outbox.ts', 'open'),
  port('bus/outbox.ts', 'bus/link.ts', 'willFlush'),
  call('bus/link.ts', '#willFlush'),
  call('bus/link.ts', '#endTurn'),
  call('bus/outbox.ts', 'flush'),
  call('bus/outbox.ts', '#publish'),
  port('bus/outbox.ts', 'bus/link.ts', 'publish'),
  call('bus/link.ts', '#publish'),
  port('bus/bus.ts', 'bus-nats/nats-bus.ts', 'publish'),
];

/** From the bus to the records of a frame. */
const RECEIVED: readonly Step[] = [
  call('bus-nats/nats-bus.ts', '#callback'),
  call('bus-nats/handler-fence.ts', 'around'),
  port('bus/bus.ts', 'bus/link.ts', 'receive', 'handler'),
  call('bus/link-receiver.ts', 'receive'),
  call('bus/frame.ts', 'readRecords'),
  call('bus/frame.ts', 'readRecord'),
];

const TAKEN_BY_THE_NODE: Leg = {
  what: 'the frame comes to the node',
  steps: [
    ...RECEIVED,
    port('bus/frame.ts', 'bus/link-receiver.ts', 'request'),
    call('bus/link-responder.ts', 'onRequest'),
    call('bus/link-responder.ts', '#carryOut'),
    injected('coordination/participant.ts', 'start', '#handler'),
    call('coordination/participant.ts', 'answer'),
  ],
};

/** A read that waits for nothing is answered in its turn. */
const ANSWERED_AT_ONCE: Leg = {
  what: 'the answer goes out',
  steps: [call('bus/link-responder.ts', '#carryOut'), call('bus/link-responder.ts', '#sendReply'), ...SENT],
};

const ANSWERED_LATER: Leg = {
  what: 'the answer goes out',
  steps: [
    call('bus/link-responder.ts', '#carryOut'),
    call('bus/link-responder.ts', '#answerLater'),
    call('bus/link-responder.ts', '#sendReply'),
    ...SENT,
  ],
};

const SETTLED: Leg = {
  what: 'the answer comes back',
  steps: [...RECEIVED, port('bus/frame.ts', 'bus/link-receiver.ts', 'reply'), call('bus/link-requester.ts', 'onReply')],
};

/** Of a record, in one batch with what else is written now. */
const TO_DISK: readonly Step[] = [
  call('replica/replica.ts', '#write'),
  port('replica/record-store.ts', 'replica/stored-records.ts', 'write'),
  call('storage/store.ts', 'write'),
  call('storage/commit-queue.ts', 'write'),
  call('storage/commit-queue.ts', '#schedule'),
  call('storage/commit-queue.ts', '#start'),
  call('storage/commit-queue.ts', '#commit'),
  port('storage/engine.ts', 'storage-level/level-engine.ts', 'write'),
  call('storage-level/level-engine.ts', '#write'),
  call('storage-level/level-handle.ts', 'use'),
  back('work', 'storage-level/level-engine.ts', '#write'),
];

/** Of the application, when it is its turn. */
function fromTheApplication(routed: 'fetch' | 'write', asked: string): readonly Step[] {
  return [
    call('client/retry.ts', 'retrying'),
    back('attempt', 'client/bucket.ts', asked),
    port('client/routing.ts', 'client/paced-routing.ts', routed),
    call('coordination/pace.ts', 'take'),
    call('coordination/turns.ts', 'take'),
    back('work', 'client/paced-routing.ts', routed),
    port('client/routing.ts', 'client/direct-routing.ts', routed),
  ];
}

function observed(entered: string): readonly Step[] {
  return [
    port(ENVIRONMENT, 'coordination/coordination-metrics.ts', 'observed'),
    back('run', 'coordination/coordinator.ts', entered),
  ];
}

/** Has `change` run with the key to itself. */
function locked(change: string): readonly Step[] {
  return [
    call('replica/replica.ts', '#change'),
    call('replica/key-locks.ts', 'run'),
    back('work', 'replica/replica.ts', '#change'),
    back('work', 'replica/replica.ts', change),
  ];
}

function inForeground(kind: 'read' | 'merge'): readonly Step[] {
  return [
    call('coordination/participant.ts', 'answer'),
    injected('server/key-requests.ts', kind, 'handler'),
    call('server/key-requests.ts', '#asForeground'),
    call('replica/foreground-watch.ts', 'request'),
    back('serve', 'server/key-requests.ts', '#asForeground'),
    back('answer', 'server/key-requests.ts', kind),
    call('server/key-requests.ts', `#${kind}`),
  ];
}

export const PUT: Way = {
  operation: 'put',
  legs: [
    {
      what: 'the client chooses a node',
      steps: [
        call('client/bucket.ts', 'put'),
        call('client/bucket.ts', '#write'),
        ...fromTheApplication('write', '#write'),
        call('coordination/coordinator.ts', 'forward'),
        ...observed('forward'),
        call('coordination/forward.ts', 'forwardWrite'),
        call('coordination/patience.ts', 'askWhileUp'),
        ...OVER_THE_LINK,
        ...SENT,
      ],
    },
    TAKEN_BY_THE_NODE,
    {
      what: 'the node mints',
      steps: [
        call('coordination/participant.ts', 'answer'),
        injected('server/node.ts', 'write', 'handler'),
        port('server/node-parts.ts', 'coordination/coordinator.ts', 'write'),
        ...observed('write'),
        call('coordination/coordinator.ts', '#write'),
        call('coordination/coordinator.ts', '#inTurn'),
        call('coordination/pace.ts', 'take'),
        call('coordination/turns.ts', 'take'),
        back('work', 'coordination/coordinator.ts', '#inTurn'),
        back('work', 'coordination/coordinator.ts', '#write'),
        call('coordination/put.ts', 'put'),
        call('coordination/put.ts', 'mintUnderOneRing'),
        call('replica/replica.ts', 'mint'),
        call('replica/replica.ts', '#mint'),
        ...locked('#mint'),
        call('replica/replica.ts', '#mintOver'),
        ...TO_DISK,
      ],
    },
    {
      what: 'the hash trees are told',
      steps: [
        call('replica/replica.ts', '#mintOver'),
        call('replica/replica.ts', '#tell'),
        port('replica/write-observer.ts', 'repair/tree-keeper.ts', 'wrote'),
      ],
    },
    {
      what: 'the node replicates',
      steps: [
        call('coordination/put.ts', 'put'),
        call('coordination/replication.ts', 'replicate'),
        call('coordination/replication.ts', 'begin'),
        call('coordination/replication.ts', '#take'),
        call('coordination/replication.ts', '#do'),
        call('coordination/replication.ts', '#send'),
        ...OVER_THE_LINK,
        ...SENT,
      ],
    },
    {
      what: 'another owner merges',
      steps: [
        ...inForeground('merge'),
        call('replica/replica.ts', 'merge'),
        ...locked('merge'),
        call('replica/replica.ts', '#mergeInto'),
        ...TO_DISK,
      ],
    },
    ANSWERED_LATER,
    SETTLED,
  ],
};

export const GET: Way = {
  operation: 'get',
  legs: [
    {
      what: 'the client asks the owners',
      steps: [
        call('client/bucket.ts', 'get'),
        call('client/bucket.ts', 'read'),
        call('client/bucket.ts', '#fetch'),
        ...fromTheApplication('fetch', '#fetch'),
        call('coordination/coordinator.ts', 'read'),
        ...observed('read'),
        call('coordination/coordinator.ts', '#inTurn'),
        back('work', 'coordination/coordinator.ts', 'read'),
        call('coordination/get.ts', 'get'),
        call('coordination/get.ts', 'readFrom'),
        call('coordination/get.ts', 'begin'),
        call('coordination/get.ts', '#take'),
        call('coordination/get.ts', '#do'),
        call('coordination/get.ts', '#ask'),
        ...OVER_THE_LINK,
        ...SENT,
      ],
    },
    TAKEN_BY_THE_NODE,
    {
      what: 'an owner reads',
      steps: [
        ...inForeground('read'),
        call('replica/replica.ts', 'read'),
        port('replica/record-store.ts', 'replica/stored-records.ts', 'read'),
        call('storage/store.ts', 'read'),
        call('storage/store.ts', '#askEngine'),
        port('storage/engine.ts', 'storage-level/level-engine.ts', 'get'),
        call('storage-level/level-engine.ts', '#read'),
      ],
    },
    ANSWERED_AT_ONCE,
    SETTLED,
  ],
};

export function roomsOf({ legs }: Way): string[] {
  return [...new Set(legs.flatMap(({ steps }) => steps.map(({ room }) => room)))];
}
