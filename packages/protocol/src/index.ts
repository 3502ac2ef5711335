/**
 * `@armature/protocol`: what the processes of a cluster say to one another. Message types, their binary codec, the subjects
 * they travel on, and the version of all that. docs/protocol.md is its prose.
 */
export {
  adminAddress,
  ADMINISTRATION_KINDS,
  commandWords,
  isAdministration,
  isRecorded,
  leastRoleFor,
  noAdministration,
  type AdministrationRequest,
} from './administration.js';
export { formatAnnouncement, parseAnnouncement } from './announcement.js';
export {
  BUCKET_PROPERTY_NAMES,
  DEFAULT_BUCKET,
  DEFAULT_BUCKET_PROPERTIES,
  DURABILITIES,
  parseBucketProperties,
  unknownBucket,
  type BucketProperties,
  type Durability,
  type ResolverName,
} from './bucket.js';
export { parseAuthor, parseChange, parseChangeRecord } from './change-parser.js';
export { compareRecords, type Change, type ChangeRecord, type ClusterStrategy, type MemberSettings } from './change.js';
export { protocolCodec } from './codec.js';
export { MAX_COMMANDS, parseCommandRecord, type CommandOutcome, type CommandRecord } from './command-record.js';
export { doorCodec } from './door-codec.js';
export {
  doorClosedByNats,
  FRONT_RIGHTS,
  frontAddress,
  isFrontRequest,
  notAtThisDoor,
  parseFrontAddress,
  wishOf,
  type FrontDoorOf,
  type FrontRequest,
  type FrontRight,
} from './front.js';
export { parseHoldings, type Holdings, type HoldingsReply, type ShareHolding } from './holdings.js';
export {
  largestSetSentBytes,
  largestValueBytes,
  MAX_FRONT_REQUEST_BYTES,
  MAX_MEMBERS,
  MAX_MESSAGE_BYTES,
  MAX_RECORD_AT,
  MAX_VALUE_BYTES,
  maxSetBytes,
  pageBytes,
  transferTimeMs,
} from './limits.js';
export { handlerOf, type Handlers, type Kind, type RequestOf } from './message-row.js';
export { mayHaveLargeAnswer, MESSAGES } from './message-table.js';
export {
  RING_UNKNOWN,
  type ClockStanding,
  type FetchedSibling,
  type FetchOptions,
  type FetchReply,
  type FetchRequest,
  type GossipReply,
  type GossipRequest,
  type HistoryReply,
  type MergeReply,
  type MergeRequest,
  type Meta,
  type NodeStatus,
  type ProposeReply,
  type ProposeRequest,
  type PullReply,
  type PullRequest,
  type ReadReply,
  type ReadRequest,
  type Reply,
  type ReplyTo,
  type Request,
  type RingVersion,
  type ScanReply,
  type ScanRequest,
  type StuckHints,
  type WriteOptions,
  type WriteReply,
  type WriteRequest,
} from './messages.js';
export { isTooLargeToSend, tooLargeToSend } from './oversized.js';
export {
  absolute,
  natsPattern,
  permissionsOf,
  tokensOf,
  type Appointment,
  type Direction,
  type NatsPermissions,
  type OwnNames,
} from './permissions.js';
export { MAX_N, parseQuorumWord, resolveQuorumWord, type QuorumWord } from './quorum-word.js';
export {
  HOLD_REASONS,
  nothingHeldBack,
  type Clearance,
  type ClearingCount,
  type ClearReply,
  type ClearRequest,
  type DigestedEntry,
  type DropReply,
  type DropRequest,
  type HoldReason,
  type NoteReply,
  type NoteRequest,
  type ReapingRequest,
  type ReapReply,
  type ReapRequest,
} from './reaping.js';
export { countRole, tookPart, type Receipt, type ReplicaOutcome, type ReplicaReceipt, type ReplicaRole } from './receipt.js';
export { parseNodeStatus } from './status-parser.js';
export { BUS_ROLES, SUBJECT_TABLE, WORKER_GROUP, type BusRole, type Party } from './subject-table.js';
export {
  DEFAULT_PREFIX,
  isGuest,
  nodeAddress,
  nodeOfAddress,
  subjectsOf,
  type DiscoverableRole,
  type LinkRole,
  type Subjects,
} from './subjects.js';
export type {
  AbsorbReply,
  AbsorbRequest,
  DigestsReply,
  DigestsRequest,
  ExchangeReply,
  ExchangeRequest,
  SetsReply,
  SetsRequest,
  SynchronisationRequest,
  SynchronisedShare,
  TreeReply,
  TreeRequest,
} from './synchronisation.js';
export { MAX_ACTIVE_TRANSFERS, NO_TRANSFERS, type ActiveTransfer, type TransferStatus } from './transfers.js';
export {
  parseWorkerStatus,
  type LastReapPass,
  type WorkerCommand,
  type WorkerReply,
  type WorkerStatus,
} from './worker-status.js';
