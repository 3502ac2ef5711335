export * from './bus.js';
export * from './headers.js';
export * from './in-process-bus.js';
export type { InProcessConnection } from './in-process-connection.js';
export * from './in-process-network.js';
export * from './payload-limit.js';
export * from './service-endpoint.js';
export * from './subject.js';
