/**
 * The coordinator: the doors through which coordinated requests enter, the same in a node, a router and a direct client. It
 * checks what comes in against the bucket and the limits, opens and seals contexts, and leads to `get`, `put`, `forwardWrite` and
 * `scan`.
 */
import { ArmatureError, EMPTY_BYTES, toArmatureError, type BucketName, type NodeId } from '@armature/kernel';
import type { View } from '@armature/membership';
import {
  largestSetSentBytes,
  RING_UNKNOWN,
  unknownBucket,
  type BucketProperties,
  type FetchReply,
  type FetchRequest,
  type ScanReply,
  type ScanRequest,
  type WriteReply,
  type WriteRequest,
} from '@armature/protocol';
import type { HintStore } from '@armature/replica';
import { bucketOfAddress, verifyAddress, type Address } from '@armature/ring';
import {
  EMPTY_CONTEXT,
  checkMeta,
  compareVersionVectors,
  contextAfter,
  contextOf,
  distinctSiblings,
  outlineOf,
  parseOperationId,
  type ContextContents,
  type OperationId,
} from '@armature/versioning';
import { refreshWithin, type CoordinationEnv } from './environment.js';
import { forwardWrite, mayBeTakenElsewhere } from './forward.js';
import { get, oversized, type GetResult } from './get.js';
import { put, type MintingEnv } from './put.js';
import { JoinedWrites, LARGE_WRITE_BYTES } from './joined-writes.js';
import { fetchedSibling, siblingsBytes, scan } from './scan.js';
import type { Sealer } from './sealer.js';
import type { Pace } from './pace.js';

export interface CoordinatorParts {
  readonly env: CoordinationEnv;
  readonly sealer: Sealer;
  /** The node's own replica: with one, writes to keys it owns are minted here. */
  readonly replica?: MintingEnv['replica'];
  /** What the node keeps for owners that cannot be reached; comes with `replica`. */
  readonly hints?: Pick<HintStore, 'mint' | 'merge'>;
  /** For what is coordinated here; undefined where those who call see to it that it is not too much at once. */
  readonly pace?: Pace;
}

export class Coordinator {
  readonly #env: CoordinationEnv;
  readonly #sealer: Sealer;
  readonly #minting: MintingEnv | undefined;
  readonly #pace: Pace | undefined;
  readonly #joined = new JoinedWrites();

  constructor(parts: CoordinatorParts) {
    this.#env = parts.env;
    this.#sealer = parts.sealer;
    this.#pace = parts.pace;
    const { self } = parts.env;
    this.#minting =
      parts.replica === undefined || parts.hints === undefined || self === undefined
        ? undefined
        : { ...parts.env, self, replica: parts.replica, hints: parts.hints };
  }

  /**
   * Reads, and answers the way clients understand: siblings and one sealed context. Error `too-large` where they do not fit into
   * a message; see `get` for others.
   */
  async fetch(request: FetchRequest, timeoutMs: number): Promise<FetchReply> {
    const result = await this.read(request, timeoutMs);
    const siblings = distinctSiblings(result.set).map(({ version }) => fetchedSibling(version));
    // Each replica may hold less than that, and all of them together more.
    if (siblingsBytes(siblings) > largestSetSentBytes(this.#env.messageBytes))
      throw oversized(request.address, outlineOf(result.set));
    const context =
      siblings.length === 0
        ? EMPTY_BYTES
        : this.#sealer.seal({ ...contextOf(result.set), fastest: result.fastest }, request.address);
    return { kind: 'fetch', siblings, context, receipt: result.receipt };
  }

  /** Reads, for callers inside the trust domain, who seal only when a context leaves it. */
  read(request: Pick<FetchRequest, 'address' | 'options'>, timeoutMs: number): Promise<GetResult> {
    const { metrics } = this.#env;
    return metrics.observed('get', async () => {
      const deadlineMs = this.#env.clock.monotonicMs() + timeoutMs;
      const bucket = await this.#bucketOf(request.address, deadlineMs);
      const result = await this.#inTurn(deadlineMs, (leftMs) => get(this.#env, { ...request, bucket, timeoutMs: leftMs }));
      metrics.tookPart('get', result.receipt);
      return result;
    });
  }

  /** Whether a key had the same siblings at the two gets that returned these contexts of it. Throws `invalid-context`. */
  isSameState(address: Address, one: Uint8Array, other: Uint8Array): boolean {
    const a = this.#open({ address, context: one });
    const b = this.#open({ address, context: other });
    return compareVersionVectors(a.clock, b.clock) === 'equal' && a.own === undefined && b.own === undefined;
  }

  /**
   * Puts or deletes: minted here when this is one of the key's owners, otherwise, or where this one's store fails, by one of the
   * others.
   */
  write(request: WriteRequest, timeoutMs: number): Promise<WriteReply> {
    return this.#env.metrics.observed('put', () =>
      request.value.length < LARGE_WRITE_BYTES ? this.#write(request, timeoutMs) : this.#writeOnce(request, timeoutMs),
    );
  }

  /** A large write that is repeated while it is under way here is carried out once. */
  #writeOnce(request: WriteRequest, timeoutMs: number): Promise<WriteReply> {
    const deadlineMs = this.#env.clock.monotonicMs() + timeoutMs;
    const attempt = (): Promise<WriteReply> => this.#write(request, this.#leftMs(deadlineMs));
    return this.#joined.join(request, attempt, () => this.#env.clock.monotonicMs() >= deadlineMs);
  }

  /**
   * Has one of the key's owners put or delete, for callers inside the trust domain, who need not open a context to know whose
   * answer was fastest.
   */
  forward(request: WriteRequest, fastest: NodeId | undefined, timeoutMs: number): Promise<WriteReply> {
    return this.#env.metrics.observed('put', async () => {
      const deadlineMs = this.#env.clock.monotonicMs() + timeoutMs;
      const { n } = await this.#bucketOf(request.address, deadlineMs);
      return forwardWrite(this.#env, request, n, fastest, this.#leftMs(deadlineMs));
    });
  }

  async #write(request: WriteRequest, timeoutMs: number): Promise<WriteReply> {
    const deadlineMs = this.#env.clock.monotonicMs() + timeoutMs;
    const bucket = await this.#bucketWithRoom(request, deadlineMs);
    const operation = checkWrite(request, bucket);
    const context = request.context.length === 0 ? undefined : this.#open(request);
    const minting = this.#minting;
    if (
      minting === undefined ||
      (request.standIn !== true &&
        !this.#isOwner(minting.self, request, bucket) &&
        !(await this.#isMeant(minting.self, request, bucket, deadlineMs)))
    ) {
      const pass = (leftMs: number): Promise<WriteReply> => forwardWrite(this.#env, request, bucket.n, context?.fastest, leftMs);
      return minting === undefined ? this.#inTurn(deadlineMs, pass, request.value.length) : pass(this.#leftMs(deadlineMs));
    }
    // The position came from outside, and a wrong one would store the key where nobody looks for it.
    const verified = verifyAddress(request.address);
    if (!verified.ok) throw verified.error;
    const before = context ?? EMPTY_CONTEXT;
    const putting = this.#inTurn(
      deadlineMs,
      (leftMs) => put(minting, { ...request, operation, bucket, context: before, timeoutMs: leftMs }),
      request.value.length,
    );
    const done = await putting.catch((thrown: unknown) => {
      // Nobody has picked this node by its ring: whoever sent the write does not know another, and a full disk here must not keep
      // the key from being written.
      const error = toArmatureError(thrown);
      if (request.ring !== RING_UNKNOWN || !mayBeTakenElsewhere(error)) throw error;
      const failed = new Map([[minting.self, error.code]]);
      return forwardWrite(this.#env, request, bucket.n, context?.fastest, this.#leftMs(deadlineMs), failed);
    });
    if ('kind' in done) return done;
    const { set, dot, receipt } = done;
    this.#env.metrics.tookPart('put', receipt);
    if (!request.options.returnContext) return { kind: 'write', context: EMPTY_BYTES, receipt };
    const after = { ...contextAfter(set, before, dot), fastest: minting.self };
    return { kind: 'write', context: this.#sealer.seal(after, request.address), receipt };
  }

  async scan(request: ScanRequest, timeoutMs: number): Promise<ScanReply> {
    const deadlineMs = this.#env.clock.monotonicMs() + timeoutMs;
    await this.#bucketNamed(request.bucket, deadlineMs);
    return this.#env.metrics.observed('scan', () => scan(this.#env, request, this.#leftMs(deadlineMs)));
  }

  #inTurn<T>(deadlineMs: number, work: (leftMs: number) => Promise<T>, sizeBytes = 0): Promise<T> {
    const leftMs = this.#leftMs(deadlineMs);
    return this.#pace === undefined ? work(leftMs) : this.#pace.take(leftMs, work, sizeBytes);
  }

  #isOwner(self: NodeId, request: WriteRequest, bucket: BucketProperties): boolean {
    return this.#env.view().placement(request.address, bucket.n).owners.includes(self);
  }

  /**
   * Whether a write that this node does not own is nevertheless for it: when this node is the one that is behind. Who names a
   * ring has picked this node by it, so it is told that the rings differ; passing the write on could send it round in circles
   * between nodes that take one another for its owner.
   */
  async #isMeant(self: NodeId, request: WriteRequest, bucket: BucketProperties, deadlineMs: number): Promise<boolean> {
    if (request.ring === RING_UNKNOWN) return false;
    if (request.ring !== this.#env.view().ringVersion) await this.#refresh(deadlineMs).catch(() => undefined);
    if (this.#isOwner(self, request, bucket)) return true;
    throw new ArmatureError('stale-ring', 'this node is no owner of the key under its ring', {
      remedy: 'Catch up with the membership, and send the write to an owner.',
      details: { ring: this.#env.view().ringVersion },
    });
  }

  #open(request: Pick<WriteRequest, 'context' | 'address'>): ContextContents {
    const opened = this.#sealer.open(request.context, request.address);
    if (!opened.ok) throw opened.error;
    return opened.value;
  }

  #bucketOf(address: Address, deadlineMs: number): Promise<BucketProperties> {
    return this.#bucketNamed(bucketOfAddress(address), deadlineMs);
  }

  /** A bucket whose limit was raised a moment ago elsewhere: membership is asked once before a value is refused. */
  async #bucketWithRoom(request: WriteRequest, deadlineMs: number): Promise<BucketProperties> {
    const bucket = await this.#bucketOf(request.address, deadlineMs);
    if (request.value.length <= bucket.maxValueBytes) return bucket;
    await this.#refresh(deadlineMs).catch(() => undefined);
    return this.#bucketOf(request.address, deadlineMs);
  }

  /** A bucket made a moment ago elsewhere may not have been heard of yet: membership is asked once before the name is refused. */
  async #bucketNamed(name: BucketName, deadlineMs: number): Promise<BucketProperties> {
    let view = this.#env.view();
    if (!view.buckets.has(name) || view.ring === undefined) view = await this.#refresh(deadlineMs);
    if (view.ring === undefined) {
      throw new ArmatureError('no-cluster', 'the cluster has not been created yet', {
        remedy: 'Create it once: armature cluster create --nodes <name>,<name>,<name>',
      });
    }
    const bucket = view.buckets.get(name);
    if (bucket === undefined) throw unknownBucket(name);
    return bucket;
  }

  #refresh(deadlineMs: number): Promise<View> {
    return refreshWithin(this.#env, this.#leftMs(deadlineMs));
  }

  #leftMs(deadlineMs: number): number {
    return Math.max(1, deadlineMs - this.#env.clock.monotonicMs());
  }
}

/** The write's operation id, once all that came from outside is within its limits. */
function checkWrite(request: WriteRequest, bucket: BucketProperties): OperationId {
  if (request.value.length > bucket.maxValueBytes) {
    throw new ArmatureError(
      'too-large',
      `the value has ${request.value.length} bytes, the bucket allows ${bucket.maxValueBytes}`,
      {
        remedy: 'Store less under one key, or raise the limit: armature bucket update <bucket> --max-value-bytes <n>',
        details: { sizeBytes: request.value.length, maxValueBytes: bucket.maxValueBytes },
      },
    );
  }
  const meta = checkMeta(request.meta);
  if (!meta.ok) throw meta.error;
  const operation = parseOperationId(request.operation);
  if (!operation.ok) throw operation.error;
  return operation.value;
}
