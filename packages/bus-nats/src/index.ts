/** `@armature/bus-nats`: the bus port over NATS, and where its servers and credentials come from. */
export { connectNatsBus, type NatsBusOptions } from './nats-connect.js';
export { natsOptionsFrom, parseNatsContext, readNatsOptions } from './nats-options.js';
export { newUserSeed, publicKeyOfSeed } from './nats-user-keys.js';
