/**
 * `@armature/protocol`: what the processes of a cluster say to one another. Message types, their binary codec, the subjects
 * they travel on, and the version of all that. docs/protocol.md is its prose.
 */
export * from './administration.js';
export * from './announcement.js';
export * from './bucket.js';
export * from './change.js';
export * from './change-parser.js';
export * from './codec.js';
export {
  MAX_COMMAND_CHARS,
  MAX_COMMANDS,
  parseCommandRecord,
  type CommandOutcome,
  type CommandRecord,
  type CommandsReply,
  type CommandsRequest,
  type KeepCommandReply,
  type KeepCommandRequest,
} from './command-record.js';
export * from './door-codec.js';
export * from './front.js';
export * from './holdings.js';
export * from './large-answers.js';
export * from './limits.js';
export * from './messages.js';
export * from './oversized.js';
export * from './permissions.js';
export * from './quorum-word.js';
export * from './reaping.js';
export * from './receipt.js';
export { parseNodeStatus } from './status-parser.js';
export * from './subject-table.js';
export * from './subjects.js';
export * from './synchronisation.js';
export { MAX_ACTIVE_TRANSFERS, NO_TRANSFERS, type ActiveTransfer, type TransferStatus } from './transfers.js';
export * from './worker-status.js';
