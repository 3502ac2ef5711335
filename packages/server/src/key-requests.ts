/**
 * What a node answers for one key, as one of its replicas or in the place of one: reads and merges, fenced. They are on the path
 * of every request, so a read makes no promise where nothing has to be waited for.
 *
 * Of a set that no message can carry a read answers the outline: its reader learns what there is, and can replace it.
 */
import { ArmatureError } from '@armature/kernel';
import type { LinkSender } from '@armature/bus';
import type { Membership } from '@armature/membership';
import {
  largestSetSentBytes,
  unknownBucket,
  type MergeReply,
  type MergeRequest,
  type ReadReply,
  type ReadRequest,
} from '@armature/protocol';
import type { HintStore, Replica } from '@armature/replica';
import { bucketOfAddress, type Address } from '@armature/ring';
import { encodedOutlineOf, joinEncoded } from '@armature/versioning';
import { checkGiver, fenceByRing, type Fence } from './ring-fence.js';

export interface KeyRequestsEnv {
  readonly membership: Membership;
  readonly fence: Fence;
  readonly replica: Pick<Replica, 'read' | 'merge'>;
  readonly hints: Pick<HintStore, 'read' | 'merge'>;
  /** Largest message of the link; `MAX_MESSAGE_BYTES` by default. */
  readonly messageBytes?: number | undefined;
}

export class KeyRequests {
  readonly #env: KeyRequestsEnv;
  readonly #largestSentBytes: number;

  constructor(env: KeyRequestsEnv) {
    this.#env = env;
    this.#largestSentBytes = largestSetSentBytes(env.messageBytes);
  }

  read(request: ReadRequest, sender: LinkSender): ReadReply | Promise<ReadReply> {
    const fenced = fenceByRing(this.#env.fence, request.ring, sender.address);
    if (fenced !== undefined) return fenced.then(() => this.read(request, sender));
    const set = request.standIn === true ? this.#readAsFallback(request.address) : this.#env.replica.read(request.address);
    return set instanceof Promise ? set.then((read) => this.#answerRead(request, read)) : this.#answerRead(request, set);
  }

  #answerRead({ outline }: ReadRequest, set: Uint8Array | undefined): ReadReply {
    if (set === undefined || (outline !== true && set.length <= this.#largestSentBytes)) return { kind: 'read', set };
    const outlined = encodedOutlineOf(set);
    if (outlined === undefined) throw new ArmatureError('storage-corrupt', 'a stored record holds no version set');
    return { kind: 'read', set: outlined, isOutline: true };
  }

  async merge(request: MergeRequest, sender: LinkSender): Promise<MergeReply> {
    const { membership, fence, replica, hints } = this.#env;
    const fenced = fenceByRing(fence, request.ring, sender.address);
    if (fenced !== undefined) await fenced;
    checkGiver(membership.view, sender.address);
    const name = bucketOfAddress(request.address);
    const bucket = membership.view.buckets.get(name) ?? (await membership.refresh()).buckets.get(name);
    if (bucket === undefined) throw unknownBucket(name);
    fence.identity.check(); // again: the view may be another one by now
    const { address, set, durability, hintFor } = request;
    const isSameRing = (): boolean => membership.view.ringVersion === request.ring;
    if (hintFor === undefined) await replica.merge(address, set, bucket, durability, isSameRing);
    else await hints.merge(hintFor, address, set, bucket, durability);
    return { kind: 'merge', durable: request.durability === 'fsync' };
  }

  /** A fallback answers with what it holds of the key under any title: former owner, or keeper of hints. */
  async #readAsFallback(address: Address): Promise<Uint8Array | undefined> {
    const { view } = this.#env.membership;
    const n = view.buckets.get(bucketOfAddress(address))?.n ?? 1;
    const own = await this.#env.replica.read(address);
    const hinted = await this.#env.hints.read(address, view.placement(address, n).owners);
    if (hinted === undefined) return own;
    const joined = joinEncoded(own, hinted);
    return joined.ok ? joined.value.bytes : hinted;
  }
}
