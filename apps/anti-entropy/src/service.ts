/** The worker as a service: its command line, and how it is put together. */
import { ownNameOf } from '@armature/process';
import type { ServiceSpec } from '@armature/process/service';
import { AntiEntropyWorker, SERVER_VERSION } from '@armature/server';
import { workerNameOf, workerOptionsOf, workerShape } from './config.js';

export const workerService: ServiceSpec<typeof workerShape> = {
  command: 'armature-anti-entropy',
  version: SERVER_VERSION,
  role: 'anti-entropy',
  description:
    'An anti-entropy worker: has the replicas of every partition compared, pair by pair, and what differs merged. ' +
    'It holds no data. One is enough; more make the cycle denser.',
  shape: workerShape,
  examples: [
    'armature-anti-entropy --cluster prod --nats nats://10.0.0.5:4222 --secret-file cluster.key',
    'armature-anti-entropy --name a1 --cycle 6h --secret-file cluster.key --http-port 7620',
  ],
  nameOf: workerNameOf,
  wire(config) {
    const options = workerOptionsOf(config);
    return async (ports) => {
      const worker = await AntiEntropyWorker.start({ ...options, ...ownNameOf(ports) }, ports);
      return {
        readiness: () => ({ ready: worker.notes.length === 0, notes: worker.notes }),
        stop: () => worker.stop(),
      };
    };
  },
};
