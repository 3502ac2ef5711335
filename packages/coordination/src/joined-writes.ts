/**
 * Repetitions of a large write that this process is busy with already.
 *
 * Who has lost patience with a large write repeats it, under the same operation id. To carry it out beside the first attempt
 * would take what the first one lacks: time and room on the network and on the disks. So a repetition waits for the attempt under
 * way, and has its answer. Only if that fails is it carried out itself, and then further repetitions wait for it.
 *
 * Small writes are not looked up: they are done before anybody could repeat them.
 */
import { bytesEqual } from '@armature/kernel';
import type { WriteReply, WriteRequest } from '@armature/protocol';

/** Writes with values from this size on, in bytes. */
export const LARGE_WRITE_BYTES = 16 * 1024;

interface Attempt {
  readonly request: WriteRequest;
  readonly done: Promise<WriteReply>;
}

export class JoinedWrites {
  /** By operation. */
  readonly #attempts = new Map<string, Attempt>();

  /** As `attempt`, or as the same write that is under way. `isLate`: there is no time left to begin anything. */
  async join(request: WriteRequest, attempt: () => Promise<WriteReply>, isLate: () => boolean): Promise<WriteReply> {
    for (;;) {
      const first = this.#attempts.get(request.operation);
      if (first === undefined) return this.#begin(request, attempt);
      if (!isSame(first.request, request)) return attempt();
      try {
        return await first.done;
      } catch (thrown) {
        if (isLate()) throw thrown;
        // Its time may have been up, and this one may have more. Whoever comes first begins anew, the others wait for that.
      }
    }
  }

  /** An attempt that has ended is not in the map any more when those who wait for it learn of that. */
  #begin(request: WriteRequest, attempt: () => Promise<WriteReply>): Promise<WriteReply> {
    const done = attempt().finally(() => this.#attempts.delete(request.operation));
    this.#attempts.set(request.operation, { request, done });
    return done;
  }
}

/** Whether the answer to one of them answers the other: they write the same over the same, and ask for the same copies of it. */
function isSame(one: WriteRequest, other: WriteRequest): boolean {
  const [a, b] = [one.options, other.options];
  return (
    one.address === other.address &&
    one.ring === other.ring &&
    one.standIn === other.standIn &&
    a.w === b.w &&
    a.pw === b.pw &&
    a.dw === b.dw &&
    a.returnContext === b.returnContext &&
    bytesEqual(one.context, other.context) &&
    bytesEqual(one.value, other.value)
  );
}
