/**
 * `@armature/process/service`: what a process needs that serves until it is told to stop: its command line, its log, its metrics
 * and health over HTTP, its start and its end. It stands apart from `@armature/process`, because a command line needs none of it
 * and should not wait until it is loaded.
 */
export * from './health-server.js';
export * from './lifecycle.js';
export * from './log-output.js';
export * from './run-service.js';
export * from './service-command.js';
export * from './service-log.js';
export * from './service-metrics.js';
