/**
 * What a node answers as a replica, or in the place of one: reads and merges of one key, and pages of many. All are fenced. Reads
 * and merges are on the path of every request, so a read makes no promise where nothing has to be waited for.
 *
 * Of a set that no message can carry a read answers the outline: its reader learns what there is, and can replace it.
 */
import { ArmatureError } from '@armature/kernel';
import type { LinkSender } from '@armature/bus';
import type { RequestHandlers } from '@armature/coordination';
import type { Membership } from '@armature/membership';
import {
  largestSetSentBytes,
  unknownBucket,
  type MergeReply,
  type MergeRequest,
  type PullRequest,
  type ReadReply,
  type ReadRequest,
} from '@armature/protocol';
import { pullPage, type ForegroundWatch, type HintStore, type Replica, type SliceBudget } from '@armature/replica';
import { bucketOfAddress, type Address } from '@armature/ring';
import { encodedOutlineOf, joinEncoded } from '@armature/versioning';
import { checkGiver, fenceByRing, fenced, type Fence } from './ring-fence.js';

export interface KeyRequestsEnv {
  readonly membership: Membership;
  readonly fence: Fence;
  readonly replica: Pick<Replica, 'read' | 'merge' | 'page'>;
  readonly hints: Pick<HintStore, 'read' | 'merge'>;
  /** Largest message of the link; `MAX_MESSAGE_BYTES` by default. */
  readonly messageBytes?: number | undefined;
  /** For listings of all that is held. */
  readonly inventory: Pick<SliceBudget, 'ready' | 'spend'>;
  /** What is done for a request is the foreground, which background work gives way to. */
  readonly foreground: Pick<ForegroundWatch, 'isRequestDue' | 'request'>;
}

export class KeyRequests {
  readonly #env: KeyRequestsEnv;
  readonly #largestSentBytes: number;
  readonly handlers: RequestHandlers<'read' | 'merge' | 'pull'>;

  constructor(env: KeyRequestsEnv) {
    this.#env = env;
    this.#largestSentBytes = largestSetSentBytes(env.messageBytes);
    const { fence, inventory } = env;
    const pull = fenced(fence, (request: PullRequest) => pullPage(env.replica, request, env.messageBytes));
    this.handlers = {
      read: (request, sender) => this.#asForeground(() => this.#read(request, sender)),
      merge: (request, sender) => this.#asForeground(() => this.#merge(request, sender)),
      async pull(request, sender) {
        // Of a bucket, somebody waits for the page; all that is held is asked for by audits. Before the fence, which must hold
        // for what is read.
        if (request.bucket !== undefined) return pull(request, sender);
        await inventory.ready();
        const page = await pull(request, sender);
        inventory.spend(page.entries.length);
        return page;
      },
    };
  }

  #asForeground<T>(answer: () => T | Promise<T>): T | Promise<T> {
    const { foreground } = this.#env;
    return foreground.isRequestDue() ? foreground.request(answer) : answer();
  }

  #read(request: ReadRequest, sender: LinkSender): ReadReply | Promise<ReadReply> {
    const catchingUp = fenceByRing(this.#env.fence, request.ring, sender.address);
    if (catchingUp !== undefined) return catchingUp.then(() => this.#read(request, sender));
    const set = request.standIn === true ? this.#readAsFallback(request.address) : this.#env.replica.read(request.address);
    return set instanceof Promise ? set.then((read) => this.#answerRead(request, read)) : this.#answerRead(request, set);
  }

  #answerRead({ outline }: ReadRequest, set: Uint8Array | undefined): ReadReply {
    if (set === undefined || (outline !== true && set.length <= this.#largestSentBytes)) return { kind: 'read', set };
    const outlined = encodedOutlineOf(set);
    if (outlined === undefined) throw new ArmatureError('storage-corrupt', 'a stored record holds no version set');
    return { kind: 'read', set: outlined, isOutline: true };
  }

  async #merge(request: MergeRequest, sender: LinkSender): Promise<MergeReply> {
    const { membership, fence, replica, hints } = this.#env;
    const catchingUp = fenceByRing(fence, request.ring, sender.address);
    if (catchingUp !== undefined) await catchingUp;
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
