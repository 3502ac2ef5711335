/**
 * `@armature/anti-entropy`: the worker process. Programs that embed one import `workerService`, or `AntiEntropyWorker` from
 * `@armature/server`, with ports of their own.
 */
export { workerNameOf, workerOptionsOf, workerShape, type WorkerConfig } from './config.js';
export { workerService } from './service.js';
