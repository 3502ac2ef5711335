/**
 * `@armature/bus`: the bus port and its twin in one process, and links over it: requests, replies and one-way messages in frames,
 * with deadlines and verdicts on peers that are not there. The conformance suite is a door of its own,
 * `@armature/bus/conformance`.
 */
export {
  DEFAULT_SERVICE_QUEUE,
  NO_RESPONDERS,
  type Bus,
  type BusDenial,
  type BusEndpoint,
  type BusEvent,
  type BusHandler,
  type BusMessage,
  type BusService,
  type BusSubscription,
  type PublishOptions,
  type RunningService,
} from './bus.js';
export { isFrameSealedWith, tokenShownIn } from './frame-token.js';
export { encodedHeadersBytes, headersOf, headerValue, serviceErrorHeaders, type BusHeaders } from './headers.js';
export { InProcessBroker } from './in-process-bus.js';
export { InProcessConnection } from './in-process-connection.js';
export { InProcessNetwork, type Passage } from './in-process-network.js';
export { linkAddress, parseLinkAddress, type LinkAddress } from './link-address.js';
export type { LinkCodec, LinkSender } from './link-codec.js';
export { forbiddenSubjectOf, TOO_LARGE_TO_SEND } from './link-errors.js';
export type { LinkOptions } from './link-options.js';
export { LinkEndpoint } from './link.js';
export { MIN_PAYLOAD_BYTES, payloadTooLarge } from './payload-limit.js';
export { PeerQuota, type QuotaLimits } from './peer-quota.js';
export { ReassemblyBudget, TOO_LARGE_TO_TAKE } from './reassembly.js';
export { refusalPayload, type RefusalCode } from './refusal.js';
export { answeringErrors } from './service-endpoint.js';
export { parseSubject, subjectMatches } from './subject.js';
