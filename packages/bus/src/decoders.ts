/** Decoders that nobody outside of this package calls, but for `npm run fuzz`, which gives them what nobody honest would send. */
export { FrameMac } from './frame-mac.js';
export {
  PROTOCOL_VERSION,
  readHeader,
  readRecords,
  RECORD,
  writeHeaderPrefix,
  writeHeaderRest,
  type RecordVisitor,
} from './frame.js';
export { isLinkAddress, LinkSubjects } from './link-address.js';
export { FRAGMENT_OVERHEAD_BYTES, Reassembly } from './reassembly.js';
export { parseRefusal } from './refusal.js';
export { readError, writeError } from './remote-error.js';
export { requestsIn } from './unconfirmed.js';
