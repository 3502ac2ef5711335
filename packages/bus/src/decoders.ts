/** Decoders that nobody outside of this package calls, but for `npm run fuzz`, which gives them what nobody honest would send. */
export { FRAME_MAGIC, PROTOCOL_VERSION, RECORD, readHeader, readRecords, writeHeaderPrefix, writeHeaderRest } from './frame.js';
export type { FrameHeader, RecordVisitor } from './frame.js';
export { FrameMac, MAC_BYTES } from './frame-mac.js';
export { isLinkAddress, LinkSubjects } from './link-address.js';
export { FRAGMENT_OVERHEAD_BYTES, Reassembly } from './reassembly.js';
export { parseRefusal } from './refusal.js';
export { readError, writeError } from './remote-error.js';
export { requestsIn } from './unconfirmed.js';
