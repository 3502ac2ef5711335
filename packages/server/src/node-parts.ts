/**
 * The parts of a node, and who gets what: the engines over one store, one participant and one admission controller. Wiring only;
 * what a node does with them is in `node.ts`.
 */
import { createSealer, Coordinator, Participant, serverPace } from '@armature/coordination';
import {
  ActorEpoch,
  BackgroundSlices,
  DEFAULT_HINT_LIMIT_BYTES,
  ForegroundWatch,
  HintDelivery,
  HintStore,
  Replica,
  SliceBudget,
  epochStoreOn,
  hintSpaceOn,
  recordStoreOn,
} from '@armature/replica';
import { repeat, type Clock, type Timer } from '@armature/runtime';
import { Store } from '@armature/storage';
import { ClearingCounts } from './clearing-counts.js';
import { CommandLog } from './command-log.js';
import { Departure } from './departure.js';
import { discard } from './discard.js';
import { KeyRequests } from './key-requests.js';
import { clearingStoreOn, commandStoreOn, historyStoreOn, tenureStoreOn } from './node-storage.js';
import type { Presence } from './presence.js';
import type { Fence } from './ring-fence.js';
import type { NodeOptions, NodePorts } from './server-options.js';
import { StoreIdentity } from './store-identity.js';
import { Synchronisation } from './synchronisation.js';
import { Transfers } from './transfers.js';

/** What has to be read from the disk before the rest can be put together. */
interface Foundation {
  readonly store: Store;
  readonly foreground: ForegroundWatch;
  readonly epoch: ActorEpoch;
  readonly participant: Participant;
  readonly hints: HintStore;
  readonly identity: StoreIdentity;
  readonly clearings: ClearingCounts;
  readonly commands: CommandLog;
  readonly presence: Presence;
}

export interface NodeParts extends Foundation {
  readonly slices: BackgroundSlices;
  readonly replica: Replica;
  readonly synchronisation: Synchronisation;
  readonly coordinator: Coordinator;
  readonly keys: KeyRequests;
  readonly hintDelivery: HintDelivery;
  readonly transfers: Transfers;
  readonly departure: Departure;
}

/** Opens what is stored and puts the node together; nothing is answered yet. Errors: storage errors, `invalid-config`. */
export async function openNodeParts(options: NodeOptions, ports: NodePorts, presence: Presence): Promise<NodeParts> {
  const { engine, clock, random, log, telemetry } = ports;
  const foreground = new ForegroundWatch(clock, telemetry);
  const store = new Store({
    engine,
    readWatch: foreground,
    clock,
    log,
    telemetry,
    ...(options.cacheBytes === undefined ? {} : { cacheBytes: options.cacheBytes }),
    ...(options.bufferFlushMs === undefined ? {} : { bufferFlushMs: options.bufferFlushMs }),
  });
  const epoch = await ActorEpoch.open({ store: epochStoreOn(store), loss: engine.loss, clock, random, log, telemetry });
  const commands = await CommandLog.open(commandStoreOn(store, log), log);
  const clearings = await ClearingCounts.open({
    node: options.node,
    tenures: tenureStoreOn(store),
    store: clearingStoreOn(store, log),
    view: () => participant.membership.view,
    onBehind: () => identity.foundBehind(),
  });
  const participant: Participant = await Participant.open(
    { ...options, role: 'node', name: options.node },
    { bus: ports.bus, clock, random, log, telemetry, historyStore: historyStoreOn(store, log), clearings },
  );
  const hints = await HintStore.open({
    node: options.node,
    space: hintSpaceOn(store),
    clock,
    random,
    log,
    telemetry,
    limitBytes: options.hintLimitBytes ?? DEFAULT_HINT_LIMIT_BYTES,
    ...messageLimit(options),
    // Nobody would look for a hint on a node that is no member, and none may come to one that has been found without any.
    isTaking: () => parts.identity.isSettled && parts.departure.phase !== 'clearing',
    clocks: participant.clocks,
  });
  const identity: StoreIdentity = new StoreIdentity({
    ...options,
    membership: participant.membership,
    epoch,
    clearings,
    presence,
    discard: (all) =>
      discard(
        {
          ...{ node: options.node, view: () => participant.membership.view, replica: parts.replica, hints, log },
          isOfThisLife: (actor) => epoch.isOfThisLife(actor),
        },
        all,
      ),
    onSettled: () => followView(parts),
    clock,
    log,
  });
  const parts: NodeParts = assemble(options, ports, {
    store,
    foreground,
    epoch,
    participant,
    hints,
    identity,
    clearings,
    commands,
    presence,
  });
  return parts;
}

/** What depends on the view catches up with it. */
export function followView({ transfers, synchronisation, departure }: NodeParts): void {
  transfers.follow();
  synchronisation.follow();
  departure.follow();
}

/** How long a data directory that was removed may go unnoticed. */
const PROBE_MS = 10_000;

/** Has the store look again and again whether what it opened is still there. Undefined where the engine notices by itself. */
export function probeStore({ store }: Pick<NodeParts, 'store'>, clock: Clock): Timer | undefined {
  return store.isProbed ? repeat(clock, PROBE_MS, () => store.probe()) : undefined;
}

/** A sleep of so long is a machine that was suspended, and perhaps put back from an image of it, while the original ran on. */
const LONG_SLEEP_MS = 2 * 60_000;

/**
 * After a long sleep this process may be a copy of one that has gone on elsewhere under the same actor, and has been lost since.
 * So it mints under a fresh actor, and asks what became of its store.
 */
export function wakeUp({ epoch, identity }: Pick<NodeParts, 'epoch' | 'identity'>, sleptMs: number): void {
  if (sleptMs < LONG_SLEEP_MS) return;
  epoch.retire('the machine slept for minutes: this process may have gone on elsewhere meanwhile');
  identity.doubt();
}

function assemble(options: NodeOptions, ports: NodePorts, foundation: Foundation): NodeParts {
  const { store, foreground, epoch, participant, hints, identity } = foundation;
  const { node } = options;
  const { clock, log, telemetry } = ports;
  const { membership } = participant;
  const view = (): typeof membership.view => membership.view;
  const fence: Fence = { membership, identity };
  const slices = new BackgroundSlices({
    clock,
    telemetry,
    look: (nowMs) => foreground.look(nowMs, { storeQueueShare: store.queueShare, eventLoopDelayMs: participant.pauses.delayMs }),
  });
  const { slice } = slices;
  store.askBeforeFlush(() => slice('flush'));
  const replica: Replica = new Replica({
    node,
    store: recordStoreOn(store),
    epoch,
    clock,
    log,
    telemetry,
    ...messageLimit(options),
    clocks: participant.clocks,
    checkStore: () => identity.check(),
    foreground,
    pruneAbove: options.pruneAbove,
  });
  const synchronisation: Synchronisation = new Synchronisation({
    node,
    participant,
    fence,
    replica,
    hints,
    store,
    clearings: foundation.clearings,
    reapQuarantineMs: options.reapQuarantineMs,
    pruneAbove: options.pruneAbove,
    slice,
    verifyCycleMs: options.verifyCycleMs,
    messageBytes: options.messageBytes,
    clock,
    log,
    telemetry,
  });
  replica.observe(synchronisation.trees);
  const coordinator = new Coordinator({
    env: participant.coordination,
    sealer: createSealer(options.secrets, options.cluster),
    replica,
    hints,
    pace: serverPace(clock, telemetry),
  });
  const hintDelivery = new HintDelivery({
    node,
    hints,
    view,
    ask: participant.coordination.ask,
    isSuspect: (peer) => participant.monitor.isSuspect(peer),
    ...(options.hintMaxAgeMs === undefined ? {} : { maxAgeMs: options.hintMaxAgeMs }),
    mayDeliver: () => identity.isSettled,
    isClockRight: () => participant.clocks.isRight,
    slice,
    clock,
    log,
    telemetry,
  });
  const transfers = new Transfers({
    node,
    options,
    participant,
    replica,
    share: synchronisation.share,
    trees: synchronisation.trees,
    ask: (peer, request, timeoutMs) => synchronisation.ask(peer, request, timeoutMs),
    sync: () => store.sync(),
    isOwnStore: () => identity.isSettled,
    slice,
    clock,
    log,
    telemetry,
  });
  const departure = new Departure({
    node,
    membership,
    isEmptyHanded: async () => {
      if (!transfers.isClear) return false;
      if (await hints.isEmpty()) return true;
      await hintDelivery.deliverAll();
      return hints.isEmpty();
    },
    clock,
    log,
  });
  store.onCommitFailure(() => {
    epoch.retire('a commit failed: peers may know writes that this store has not kept');
    hints.commitFailed();
  });
  const inventory = new SliceBudget(slice, 'repair');
  const keys = new KeyRequests({ membership, fence, replica, hints, messageBytes: options.messageBytes, inventory, foreground });
  return {
    ...foundation,
    slices,
    replica,
    synchronisation,
    coordinator,
    keys,
    hintDelivery,
    transfers,
    departure,
  };
}

function messageLimit({ messageBytes }: NodeOptions): Pick<NodeOptions, 'messageBytes'> {
  return messageBytes === undefined ? {} : { messageBytes };
}
