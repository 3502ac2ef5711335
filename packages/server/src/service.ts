/** How processes present themselves to NATS service discovery (`nats micro ls` lists them, `nats micro info` asks each for its status), and how they leave. */
import type { BusService, RunningService } from '@armature/bus';
import type { Participant } from '@armature/coordination';
import type { NodeStatus } from '@armature/protocol';
import { waitAtMost, type Clock } from '@armature/runtime';
import { DEFAULT_LEAVE_MS, SERVER_VERSION, type ServerOptions } from './server-options.js';

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
        subject: `${options.prefix}.${options.cluster}.status.${role}.${name}`,
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
