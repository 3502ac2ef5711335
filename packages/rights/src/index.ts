/**
 * `@armature/rights`: who may do what. Capability tokens, what they allow, and what the cluster demands. Pure: no promises, no
 * clock, no I/O.
 */
export { joinAccess, OPEN_ACCESS, type Access, type TokenDemand } from './access.js';
export { authorize, authorizeRole } from './authorize.js';
export { EVERY_BUCKET, grantText, parseGrant, RIGHTS, type Grant, type Right } from './grant.js';
export { missingRole } from './token-errors.js';
export { claimOf, proofOf, type TokenProof } from './token-proof.js';
export {
  deriveTokenKeys,
  openToken,
  peekToken,
  sealToken,
  staleness,
  tokenFromText,
  tokenToText,
  verifyToken,
  type TokenKeys,
} from './token-seal.js';
export { allows, allowsRole, checkedToken, MAX_GENERATION, MAX_SUBJECT_CHARS, ROLES, type Role, type Token } from './token.js';
