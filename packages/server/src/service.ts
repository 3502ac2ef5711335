/** How processes present themselves to NATS service discovery (`nats micro ls` lists them, `nats micro info` asks each for its status), and how they leave. */
import { linkAddress, type BusService, type RunningService } from '@armature/bus';
import { presenceKeys, type Participant } from '@armature/coordination';
import { subjectsOf, type NodeStatus } from '@armature/protocol';
import { waitAtMost, type Clock } from '@armature/runtime';
import { Presence } from './presence.js';
import { DEFAULT_LEAVE_MS, SERVER_VERSION, type ServerOptions, type ServerPorts } from './server-options.js';

export function describeService(
  role: 'node' | 'router',
  options: ServerOptions,
  name: string,
  status: () => Promise<NodeStatus>,
): BusService {
  return {
    name: `armature-${role}`,
    version: SERVER_VERSION,
    description: role === 'node' ? 'A replica of its share of the ring.' : 'The coordinator tier.',
    metadata: { cluster: options.cluster, name },
    endpoints: [
      {
        name: 'status',
        subject: subjectsOf(options.prefix, options.cluster).status(linkAddress(role, name)),
        handler(message) {
          status().then(
            (document) => message.respond(Buffer.from(JSON.stringify(document), 'utf8')),
            (thrown: unknown) => message.respond(Buffer.from(JSON.stringify({ error: String(thrown) }), 'utf8')),
          );
        },
      },
    ],
  };
}

/** Takes a name on the bus, before anything is said under it. Errors: `name-in-use`. */
export function claimName(
  role: 'node' | 'router' | 'anti-entropy',
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
 * Services first, so that nothing new is asked of the participant that finishes what is in hand. All within `leaveMs`: a NATS server that stands still holds
 * the connection open and never answers, and what comes after (a store to close) must not depend on it.
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
