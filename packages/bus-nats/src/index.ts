/** `@armature/bus-nats`: the bus port over NATS, and where its servers and credentials come from. */
export * from './nats-bus.js';
export * from './nats-options.js';
