/**
 * `@armature/kernel`: the few values everything else is made of. Pure: no promises, no clock, no I/O.
 */
export { assert, AssertionError, unreachable } from './assert.js';
export {
  MAX_KEY_BYTES,
  MAX_META_ENTRIES,
  MAX_NAME_CHARS,
  NAME_RULE,
  parseBucketName,
  parseClusterName,
  parseNodeId,
  parseZoneName,
  type Brand,
  type BucketName,
  type ClusterName,
  type NodeId,
  type PartitionId,
  type ZoneName,
} from './brands.js';
export {
  asBuffer,
  bytesEqual,
  compareBytes,
  concatBytes,
  EMPTY_BYTES,
  exactUtf8Decode,
  exactUtf8Encode,
  fromBase64,
  fromBinaryString,
  fromHex,
  REPLACEMENT,
  toBase64Url,
  toBinaryString,
  toHex,
  utf8Decode,
  utf8Encode,
  type BinaryString,
} from './bytes.js';
export { ArmatureError, ERROR_CODES, isErrorCode, toArmatureError, type ErrorCode } from './errors.js';
export {
  DEFAULT_MAX_DRIFT_MS,
  HLC_ZERO,
  hlcAfter,
  hlcFromMs,
  hlcReceive,
  hlcTick,
  hlcToMs,
  isFarAhead,
  LATEST_WALL_MS,
  type Hlc,
} from './hlc.js';
export { isPlainLine, isPlainName } from './plain-line.js';
export { clipped, quoted } from './quoted.js';
export { pick, randomFrom, seededRandom, shuffle, type Random } from './random.js';
export { ByteReader, DecodeError } from './reader.js';
export { redactUrl, redactUrlsIn, shownUrl, STARS } from './redact-url.js';
export { err, ok, unwrap, type Result } from './result.js';
export { checkedSecrets, MAKE_A_SECRET, type Secrets } from './secrets.js';
export { VERSION } from './version.js';
export { ByteWriter } from './writer.js';
