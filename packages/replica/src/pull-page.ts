/**
 * A page of what a replica holds, as it answers `pull`: bounded in entries and in bytes, so that every page fits into a message
 * whatever the values weigh. An entry that is larger than a page by itself has a page of its own: a bucket can be listed as long
 * as each of its keys can be read. One that no message can carry is an error, which names it, once a page would begin with it; it
 * does not keep its key from being listed without values.
 */
import { largestSetSentBytes, pageBytes, tooLargeToSend, type PullReply, type PullRequest } from '@armature/protocol';
import { bucketOfAddress } from '@armature/ring';
import { encodedOutlineOf } from '@armature/versioning';
import type { Replica } from './replica.js';

/** Whatever the request asks for. */
const MAX_PULL_ENTRIES = 1_000;
const MAX_PULL_BYTES = 4 * 1024 * 1024;

/** Rejects with storage errors, and `too-large` (see above). `messageBytes`: the largest message of the link. */
export async function pullPage(replica: Pick<Replica, 'page'>, request: PullRequest, messageBytes?: number): Promise<PullReply> {
  const limitBytes = Math.min(Math.max(1, request.limitBytes), pageBytes(MAX_PULL_BYTES, messageBytes));
  const { start, end, bucket, withValues } = request;
  const held = await replica.page({ start, end, limit: Math.min(Math.max(1, request.limit), MAX_PULL_ENTRIES), limitBytes });
  const entries: PullReply['entries'][number][] = [];
  let sizeBytes = 0;
  for (const { address, set } of held.entries) {
    if (bucket !== undefined && bucketOfAddress(address) !== bucket) continue;
    const shown = withValues ? set : encodedOutlineOf(set);
    if (shown === undefined) continue; // damage: another replica has the key whole
    sizeBytes += address.length + shown.length;
    // The store ends its page with the entry that reaches the limit, which may be a large one: it is left for the next page.
    if (sizeBytes > limitBytes && entries.length > 0) return { kind: 'pull', entries, next: address };
    if (shown.length > largestSetSentBytes(messageBytes)) throw tooLargeToSend(address);
    entries.push({ address, set: shown });
  }
  return { kind: 'pull', entries, next: held.next };
}
