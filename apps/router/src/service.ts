/** The router as a service: its command line, and how it is put together. It holds nothing, so that is little. */
import { ownNameOf } from '@armature/process';
import type { ServiceSpec } from '@armature/process/service';
import { ArmatureRouter, SERVER_VERSION } from '@armature/server';
import { routerNameOf, routerOptionsOf, routerShape } from './config.js';

export const routerService: ServiceSpec<typeof routerShape> = {
  command: 'armature-router',
  version: SERVER_VERSION,
  role: 'router',
  description:
    'A router: coordinates requests for clients that do not do so themselves, and serves the plain NATS API. ' +
    'It holds no data. Run as many as the load needs; they share the work.',
  shape: routerShape,
  examples: [
    'armature-router --secret-file cluster.key',
    'armature-router --name r1 --cluster prod --nats nats://10.0.0.5:4222 --secret-file cluster.key --http-port 7600',
  ],
  nameOf: routerNameOf,
  wire(config) {
    const options = routerOptionsOf(config);
    return async (ports) => {
      const router = await ArmatureRouter.start({ ...options, ...ownNameOf(ports) }, ports);
      return { readiness: () => ({ ready: router.ready, notes: router.notes }), stop: () => router.stop() };
    };
  },
};
