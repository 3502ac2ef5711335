/**
 * `@armature/coordination`: get and put over a quorum. The same code runs in a node, in the router tier and inside direct clients
 * (paper, section 6.4); only a node can mint, so only there does `put` start with a replica of its own.
 */
export { checkedAddress } from './checked-address.js';
export { linkKeys, presenceKeys } from './cluster-domain.js';
export { Coordinator } from './coordinator.js';
export { discover, nobodyAnswers, requireToHear } from './discovery.js';
export { mayHaveRun, unknownOutcome } from './forward.js';
export { Inbox } from './inbox.js';
export { Pace, serverPace } from './pace.js';
export { Participant, type RequestHandlers, type RoleHandlers } from './participant.js';
export { putAcknowledged, putFailed, putReplicas, putTargets } from './put-quorum.js';
export { createSealer, type Sealer } from './sealer.js';
export { CLIENT_BYTES, CLIENT_TURNS, Turns, type TurnLimits } from './turns.js';
