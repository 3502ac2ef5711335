/**
 * The coordinator: the doors through which coordinated requests enter, the same in a node, a router and a direct client. It checks what comes in against
 * the bucket and the limits, opens and seals contexts, and leads to `get`, `put`, `forwardWrite` and `scan`.
 */
import { ArmatureError, EMPTY_BYTES } from '@armature/kernel';
import {
  unknownBucket,
  type BucketProperties,
  type FetchReply,
  type FetchRequest,
  type ScanReply,
  type ScanRequest,
  type WriteReply,
  type WriteRequest,
} from '@armature/protocol';
import type { Replica } from '@armature/replica';
import { bucketOfAddress, verifyAddress, type Address } from '@armature/ring';
import {
  EMPTY_CONTEXT,
  checkMeta,
  contextAfter,
  contextOf,
  distinctSiblings,
  type ContextContents,
  type OperationId,
} from '@armature/versioning';
import type { CoordinationEnv } from './environment.js';
import { forwardWrite } from './forward.js';
import { get, type GetResult } from './get.js';
import { put, type MintingEnv } from './put.js';
import { fetchedSibling, scan } from './scan.js';
import type { Sealer } from './sealer.js';

export interface CoordinatorParts {
  readonly env: CoordinationEnv;
  readonly sealer: Sealer;
  /** The node's own replica: with one, writes to keys it owns are minted here. */
  readonly replica?: Pick<Replica, 'mint'>;
}

export class Coordinator {
  readonly #env: CoordinationEnv;
  readonly #sealer: Sealer;
  readonly #minting: MintingEnv | undefined;

  constructor(parts: CoordinatorParts) {
    this.#env = parts.env;
    this.#sealer = parts.sealer;
    const { self } = parts.env;
    this.#minting =
      parts.replica === undefined || self === undefined ? undefined : { ...parts.env, self, replica: parts.replica };
  }

  /** Reads, and answers the way clients understand: siblings and one sealed context. */
  async fetch(request: FetchRequest, timeoutMs: number): Promise<FetchReply> {
    const result = await this.read(request, timeoutMs);
    const siblings = distinctSiblings(result.set).map(({ version }) => fetchedSibling(version));
    const context =
      siblings.length === 0
        ? EMPTY_BYTES
        : this.#sealer.seal({ ...contextOf(result.set), fastest: result.fastest }, request.address);
    return { kind: 'fetch', siblings, context, receipt: result.receipt };
  }

  /** Reads, for callers inside the trust domain, who seal only when a context leaves it. */
  async read(request: Pick<FetchRequest, 'address' | 'options'>, timeoutMs: number): Promise<GetResult> {
    const bucket = await this.#bucketOf(request.address);
    return get(this.#env, { ...request, bucket, timeoutMs });
  }

  /** Puts or deletes: minted here when this is one of the key's owners, otherwise by one of them. */
  async write(request: WriteRequest, timeoutMs: number): Promise<WriteReply> {
    const bucket = await this.#bucketOf(request.address);
    checkWrite(request, bucket);
    const context = request.context.length === 0 ? undefined : this.#open(request);
    const minting = this.#minting;
    if (minting === undefined || !this.#env.view().placement(request.address, bucket.n).owners.includes(minting.self)) {
      return forwardWrite(this.#env, request, bucket.n, context?.fastest, timeoutMs);
    }
    // The position came from outside, and a wrong one would store the key where nobody looks for it.
    const verified = verifyAddress(request.address);
    if (!verified.ok) throw verified.error;
    const operation = request.operation as OperationId;
    const before = context ?? EMPTY_CONTEXT;
    const { set, dot, receipt } = await put(minting, { ...request, operation, bucket, context: before, timeoutMs });
    if (!request.options.returnContext) return { kind: 'write', context: EMPTY_BYTES, receipt };
    const after = this.#sealer.seal({ ...contextAfter(set, before, dot), fastest: minting.self }, request.address);
    return { kind: 'write', context: after, receipt };
  }

  scan(request: ScanRequest, timeoutMs: number): Promise<ScanReply> {
    return scan(this.#env, request, timeoutMs);
  }

  #open(request: WriteRequest): ContextContents {
    const opened = this.#sealer.open(request.context, request.address);
    if (!opened.ok) throw opened.error;
    return opened.value;
  }

  /** A bucket made a moment ago elsewhere may not have been heard of yet: membership is asked once before the name is refused. */
  async #bucketOf(address: Address): Promise<BucketProperties> {
    const name = bucketOfAddress(address);
    let view = this.#env.view();
    if (!view.buckets.has(name) || view.ring === undefined) view = await this.#env.refresh();
    if (view.ring === undefined) {
      throw new ArmatureError('no-cluster', 'the cluster has not been created yet', {
        remedy: 'Create it once: armature cluster create --nodes <name>,<name>,<name>',
      });
    }
    const bucket = view.buckets.get(name);
    if (bucket === undefined) throw unknownBucket(name);
    return bucket;
  }
}

function checkWrite(request: WriteRequest, bucket: BucketProperties): void {
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
}
