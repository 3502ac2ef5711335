/**
 * `@armature/process/service`: what a process needs that serves until it is told to stop: its command line, its log, its metrics
 * and health over HTTP, its start and its end. It stands apart from `@armature/process`, because a command line needs none of it
 * and should not wait until it is loaded.
 */
export { runService, type ServicePorts, type ServiceSpec, type WiredService } from './run-service.js';
