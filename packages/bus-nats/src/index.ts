/** `@armature/bus-nats`: the bus port over NATS, and where its servers and credentials come from. */
export * from './nats-connect.js';
export type { NatsCredentials } from './nats-credentials.js';
export * from './nats-options.js';
export { newUserSeed, publicKeyOfSeed } from './nats-user-keys.js';
