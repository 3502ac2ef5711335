/** The node as a service: its command line, and how it is put together. */
import type { ServiceSpec } from '@armature/process/service';
import { SERVER_VERSION } from '@armature/server';
import { nodeShape } from './config.js';
import { wireNode } from './wire.js';

export const nodeService: ServiceSpec<typeof nodeShape> = {
  command: 'armature-node',
  version: SERVER_VERSION,
  role: 'node',
  description:
    'A node: holds its share of the data, and coordinates requests for it. A new node waits until an administrator ' +
    'lets it in: armature cluster create, or armature cluster join (zone and weight are given there).',
  shape: nodeShape,
  examples: [
    'armature-node --name n1 --secret-file cluster.key --data /var/lib/armature/n1',
    'armature-node --name n4 --cluster prod --nats nats://10.0.0.5:4222,nats://10.0.0.6:4222 --secret-file cluster.key',
    'armature-node --name n1 --storage redis --redis-url redis://127.0.0.1:6379 --secret-file cluster.key',
    'armature-node --name n1 --secret-file cluster.key --show-config',
  ],
  nameOf: ({ name }) => name,
  wire: wireNode,
};
