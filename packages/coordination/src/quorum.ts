/**
 * Quorum policy: from what a request and its bucket ask for to numbers (paper, section 4.5). R + W > N makes every read quorum
 * meet every write quorum. PR and PW count primaries only; DW counts copies on stable storage.
 */
import { ok, type ArmatureError, type Result } from '@armature/kernel';
import { resolveQuorumWord, type BucketProperties, type FetchOptions, type WriteOptions } from '@armature/protocol';

export interface ReadQuorum {
  readonly n: number;
  readonly r: number;
  readonly pr: number;
  /** Answers to wait for: a primary's answer counts for both. */
  readonly needed: number;
}

export interface WriteQuorum {
  readonly n: number;
  readonly w: number;
  readonly pw: number;
  readonly dw: number;
}

export function readQuorum(bucket: BucketProperties, options: Pick<FetchOptions, 'r' | 'pr'>): Result<ReadQuorum, ArmatureError> {
  const r = resolveQuorumWord('r', options.r, bucket.n, bucket.r);
  if (!r.ok) return r;
  const pr = resolveQuorumWord('pr', options.pr, bucket.n, bucket.pr);
  if (!pr.ok) return pr;
  return ok({ n: bucket.n, r: r.value, pr: pr.value, needed: Math.max(1, r.value, pr.value) });
}

export function writeQuorum(
  bucket: BucketProperties,
  options: Pick<WriteOptions, 'w' | 'pw' | 'dw'>,
): Result<WriteQuorum, ArmatureError> {
  const w = resolveQuorumWord('w', options.w, bucket.n, bucket.w);
  if (!w.ok) return w;
  const pw = resolveQuorumWord('pw', options.pw, bucket.n, bucket.pw);
  if (!pw.ok) return pw;
  const dw = resolveQuorumWord('dw', options.dw, bucket.n, bucket.dw);
  if (!dw.ok) return dw;
  return ok({ n: bucket.n, w: Math.max(1, w.value), pw: pw.value, dw: dw.value });
}

/** A remedy where there are fewer replicas than a quorum asks for, to end a sentence: a bucket that fewer nodes can hold. */
export function bucketForSoFew(nodes: number): string {
  return `use a bucket for so few nodes: armature bucket create <name> --n ${nodes} --r ${nodes} --w ${nodes}.`;
}
