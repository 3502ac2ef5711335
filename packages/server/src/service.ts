/** How processes present themselves to NATS service discovery: `nats micro ls` lists them, `nats micro info` asks each for its status. */
import type { BusService } from '@armature/bus';
import type { NodeStatus } from '@armature/protocol';
import { SERVER_VERSION, type ServerOptions } from './server-options.js';

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
