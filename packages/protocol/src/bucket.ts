/**
 * Bucket properties: how a family of keys is replicated, read, written and reconciled (paper, sections 2.3 and 6: "each
 * service tunes N, R, W"). They are spread with membership, so every coordinator and replica judges by the same ones.
 */
import { ArmatureError, clipped, err, ok, parseBucketName, quoted, type BucketName, type Result } from '@armature/kernel';
import { largestValueBytes, MAX_VALUE_BYTES } from './limits.js';
import { MAX_N } from './quorum-word.js';

/** What makes concurrent versions one again at the store: nothing (the application merges), or the latest timestamp. */
export type ResolverName = 'siblings' | 'last-write-wins';

/**
 * When a replica may acknowledge: `fsync`, on stable storage (group commit); `os`, handed to the operating system (survives the
 * process, not the machine); `memory`, in memory and written behind some ms later (survives neither).
 *
 * `buffered`, in memory and flushed with what gathers over a second or so, while one of the N replicas makes its copy durable at
 * once and nobody waits for it (paper, section 6.1). A replica that ends loses what it has not flushed, and the others have it.
 * Only if all that have a put in memory end at once, within the few ms in which its durable copy is being made, is it lost,
 * acknowledged or not.
 */
export type Durability = 'fsync' | 'os' | 'memory' | 'buffered';

export const DURABILITIES: readonly Durability[] = ['fsync', 'os', 'memory', 'buffered'];

export interface BucketProperties {
  /** Replicas of each key. Fixed when the bucket is created: changing it later would strand data. */
  readonly n: number;
  /** Replicas that must answer a read, unless the request says otherwise. */
  readonly r: number;
  /** Replicas that must acknowledge a write. */
  readonly w: number;
  /** Of those read from, how many must be primaries (0: any). */
  readonly pr: number;
  /** Of the acknowledging replicas, how many must be primaries (0: any). */
  readonly pw: number;
  /** Of the acknowledging replicas, how many must have it on stable storage (0: as `durability` makes it). */
  readonly dw: number;
  readonly resolver: ResolverName;
  readonly durability: Durability;
  /** Largest value, in bytes; at most `largestValueBytes(n)`. */
  readonly maxValueBytes: number;
  /** Writes that would leave more siblings than this are refused: the application has stopped merging. */
  readonly maxSiblings: number;
}

export const DEFAULT_BUCKET = 'default' as BucketName;

/** (3, 2, 2) is the paper's common configuration (section 6). */
export const DEFAULT_BUCKET_PROPERTIES: BucketProperties = {
  n: 3,
  r: 2,
  w: 2,
  pr: 0,
  pw: 0,
  dw: 0,
  resolver: 'siblings',
  durability: 'fsync',
  maxValueBytes: 4 * 1024 * 1024,
  maxSiblings: 100,
};

type Check = (value: unknown) => string | undefined;

const integer =
  (low: number, high: number): Check =>
  (value) =>
    Number.isInteger(value) && (value as number) >= low && (value as number) <= high
      ? undefined
      : `must be an integer from ${low} to ${high}`;
const oneOf =
  (...words: string[]): Check =>
  (value) =>
    words.includes(value as string) ? undefined : `must be one of ${words.join(', ')}`;

const CHECKS: { readonly [K in keyof BucketProperties]: Check } = {
  n: integer(1, MAX_N),
  r: integer(1, MAX_N),
  w: integer(1, MAX_N),
  pr: integer(0, MAX_N),
  pw: integer(0, MAX_N),
  dw: integer(0, MAX_N),
  resolver: oneOf('siblings', 'last-write-wins'),
  durability: oneOf(...DURABILITIES),
  maxValueBytes: integer(1, MAX_VALUE_BYTES),
  maxSiblings: integer(1, 10_000),
};

export const BUCKET_PROPERTY_NAMES = Object.keys(CHECKS) as readonly (keyof BucketProperties)[];

/**
 * Properties from untrusted input, missing ones from `base`. Says which property is wrong and why. Where the input gives no
 * `maxValueBytes`, and so many replicas allow less than `base` does, it is the largest that they allow.
 */
export function parseBucketProperties(
  input: Readonly<Record<string, unknown>>,
  base: BucketProperties = DEFAULT_BUCKET_PROPERTIES,
): Result<BucketProperties, ArmatureError> {
  const unknown = Object.keys(input).find((name) => !Object.hasOwn(CHECKS, name));
  if (unknown !== undefined)
    return refuse(clipped(unknown), `is not a bucket property; there are ${BUCKET_PROPERTY_NAMES.join(', ')}`);
  const merged: BucketProperties = { ...base, ...input };
  for (const name of BUCKET_PROPERTY_NAMES) {
    const problem = CHECKS[name](merged[name]);
    if (problem !== undefined) return refuse(name, problem);
  }
  for (const name of ['r', 'w', 'pr', 'pw', 'dw'] as const) {
    if (merged[name] > merged.n) return refuse(name, `is ${merged[name]}, more than the bucket's n=${merged.n} replicas`);
  }
  const largestBytes = largestValueBytes(merged.n);
  if (merged.maxValueBytes <= largestBytes) return ok(merged);
  if (input['maxValueBytes'] === undefined) return ok({ ...merged, maxValueBytes: largestBytes });
  return refuse('maxValueBytes', `is ${merged.maxValueBytes}, and the largest for n=${merged.n} is ${largestBytes}`);
}

/** Names a bucket that is not there, and how to make it. */
export function unknownBucket(bucket: string): ArmatureError {
  return new ArmatureError('unknown-bucket', `there is no bucket ${quoted(bucket)} in this cluster`, {
    remedy: `Create it: armature bucket create ${parseBucketName(bucket).ok ? bucket : '<name>'}`,
    details: { bucket },
  });
}

function refuse(name: string, problem: string): Result<never, ArmatureError> {
  return err(
    new ArmatureError('invalid-argument', `bucket property ${name} ${problem}`, {
      remedy: `Correct ${name}; see "armature bucket create --help".`,
      details: { property: name },
    }),
  );
}
