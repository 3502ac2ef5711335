/** Decoders that nobody outside of this package calls, but for `npm run fuzz`, which gives them what nobody honest would send. */
export { AdminDoor } from './admin-door.js';
export { FrontDoor } from './front-door.js';
export { Gate } from './gate.js';
export { formatClaim, judge, parseClaim, type Claim } from './name-claim.js';
export { servePlainApi } from './plain-api.js';
export { readHeaders } from './plain-headers.js';
export { headersOfMeta, metaOfHeaders } from './plain-meta.js';
export { isRepeated, operationOf, quorumOf, readRequest } from './plain-request.js';
export { formatDocument, parseClearings, parseStoredDocument, parseTenure } from './stored-documents.js';
