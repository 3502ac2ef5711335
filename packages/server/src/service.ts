/**
 * How processes present themselves to NATS service discovery (`nats micro ls` lists them), what they tell whoever asks how they
 * are, and how they leave.
 */
import { linkAddress, type BusMessage, type BusService, type RunningService } from '@armature/bus';
import { presenceKeys, type Participant } from '@armature/coordination';
import { toArmatureError } from '@armature/kernel';
import type { Membership } from '@armature/membership';
import { subjectsOf, type HistoryReply } from '@armature/protocol';
import type { Access } from '@armature/rights';
import { waitAtMost, type Clock } from '@armature/runtime';
import { Presence } from './presence.js';
import { DEFAULT_LEAVE_MS, SERVER_VERSION, type ServerOptions, type ServerPorts } from './server-options.js';

/** A status: whether the process is ready, and more. */
interface Readiness {
  readonly ready: boolean;
}

/** What a process says of itself to whoever asks at its status subject. */
export interface StatusAnswer {
  /** As the membership says now. */
  readonly access: () => Access;
  readonly full: () => Readiness | Promise<Readiness>;
}

export type ServiceRole = 'node' | 'router' | 'anti-entropy';

const DESCRIPTIONS: Readonly<Record<ServiceRole, string>> = {
  node: 'A replica of its share of the ring.',
  router: 'The coordinator tier.',
  'anti-entropy': 'Has the replicas of every partition compared and made equal.',
};

export function describeService(
  role: ServiceRole,
  options: Pick<ServerOptions, 'prefix' | 'cluster'>,
  name: string,
  status: StatusAnswer,
): BusService {
  return {
    name: `armature-${role}`,
    version: SERVER_VERSION,
    description: DESCRIPTIONS[role],
    metadata: { cluster: options.cluster, name },
    endpoints: [
      {
        name: 'status',
        subject: subjectsOf(options.prefix, options.cluster).status(linkAddress(role, name)),
        handler: (message) => void answerStatus(message, { name, role, version: SERVER_VERSION }, status),
      },
    ],
  };
}

/**
 * Anybody may ask, and the whole status names members and tells how they are. So where the cluster requires tokens this says that
 * the process is there, and whether it is ready; the rest is told at its door of administration.
 */
async function answerStatus(
  message: BusMessage,
  who: { readonly name: string; readonly role: string; readonly version: string },
  { access, full }: StatusAnswer,
): Promise<void> {
  const say = (document: object): void => void message.respond(Buffer.from(JSON.stringify(document), 'utf8'));
  try {
    const status = await full();
    say(access().tokens === 'required' ? { ...who, ready: status.ready } : status);
  } catch (thrown) {
    say({ ...who, error: toArmatureError(thrown).code });
  }
}

/** All records of the membership, for who may see them. */
export async function historyOf(membership: Pick<Membership, 'answerGossip'>): Promise<HistoryReply> {
  const { records } = await membership.answerGossip({ kind: 'gossip', fingerprint: '', records: [] });
  return { kind: 'history', records };
}

/** Takes a name on the bus, before anything is said under it. Errors: `name-in-use`. */
export function claimName(
  role: ServiceRole,
  name: string,
  {
    prefix,
    cluster,
    secrets,
    origin,
    onNameLost,
  }: Pick<ServerOptions, 'prefix' | 'cluster' | 'secrets' | 'origin' | 'onNameLost'>,
  { bus, clock, random, log }: ServerPorts,
): Promise<Presence> {
  return Presence.claim({
    ...{ bus, clock, random, log },
    address: linkAddress(role, name),
    subjects: subjectsOf(prefix, cluster),
    keys: presenceKeys(secrets, cluster),
    host: origin?.host ?? 'unknown host',
    pid: origin?.pid ?? 0,
    onLost: (error) => onNameLost?.(error),
  });
}

/**
 * Services first, so that nothing new is asked of the participant that finishes what is in hand. All within `leaveMs`: a NATS
 * server that stands still holds the connection open and never answers, and what comes after (a store to close) must not depend
 * on it.
 */
export async function leaveBus(
  participant: Participant,
  services: readonly RunningService[],
  clock: Clock,
  { leaveMs = DEFAULT_LEAVE_MS }: ServerOptions,
): Promise<void> {
  const untilMs = clock.monotonicMs() + leaveMs;
  await waitAtMost(clock, leaveMs / 2, Promise.all(services.map((service) => service.stop())));
  await participant.stop(Math.max(0, untilMs - clock.monotonicMs()));
}
