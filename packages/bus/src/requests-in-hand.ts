/**
 * Requests of peers that have been taken and are not answered yet, bounded in number and in bytes.
 *
 * What a request holds is the buffer that it came in: a decoded value is a part of it. A frame of many requests is held until the
 * last of them has been answered, so frames are counted, each once, and not requests. Those of one group of peers
 * (`peer-quota.ts`) count together, wherever a quota is shared.
 */
import type { LinkLimits } from './link-limits.js';
import type { PeerGroup } from './peer-quota.js';

/** A frame, or a message that has been put together from fragments. */
export class IncomingBuffer {
  readonly sizeBytes: number;
  /** Requests in it that are not answered yet. */
  inHand = 0;

  constructor(sizeBytes: number) {
    this.sizeBytes = sizeBytes;
  }
}

/** What is counted of a peer. */
interface Asker {
  readonly group: PeerGroup;
  /** Its requests that are not answered yet. */
  executing: number;
}

export class RequestsInHand {
  readonly #limits: Pick<LinkLimits, 'executing' | 'executingPerGroup' | 'executingBytes' | 'executingBytesPerGroup'>;
  #count = 0;

  constructor(limits: Pick<LinkLimits, 'executing' | 'executingPerGroup' | 'executingBytes' | 'executingBytesPerGroup'>) {
    this.#limits = limits;
  }

  get count(): number {
    return this.#count;
  }

  /**
   * Why no more is taken of the group, as a part of a sentence; undefined if one is. A buffer that goes beyond a bound of bytes
   * is taken, and the next is not.
   */
  fullWith(group: PeerGroup): string | undefined {
    const { executing, executingPerGroup, executingBytes, executingBytesPerGroup } = this.#limits;
    if (group.executing >= executingPerGroup || group.executingBytes >= executingBytesPerGroup) return ` of ${group.name}`;
    return this.#count >= executing || group.all.executingBytes >= executingBytes ? '' : undefined;
  }

  begin(asker: Asker, buffer: IncomingBuffer): void {
    this.#count++;
    asker.executing++;
    asker.group.executing++;
    if (buffer.inHand++ === 0) count(asker.group, buffer.sizeBytes);
  }

  end(asker: Asker, buffer: IncomingBuffer): void {
    this.#count--;
    asker.executing--;
    asker.group.executing--;
    if (--buffer.inHand === 0) count(asker.group, -buffer.sizeBytes);
  }
}

function count(group: PeerGroup, sizeBytes: number): void {
  group.executingBytes += sizeBytes;
  group.all.executingBytes += sizeBytes;
}
