/** `@armature/anti-entropy`: the worker process. Programs that embed one import `workerService`, or `Worker` with ports of their own. */
export { workerNameOf, workerOptionsOf, workerShape, type WorkerConfig } from './config.js';
export { workerService } from './service.js';
export { Worker, type WorkerOptions } from './worker.js';
