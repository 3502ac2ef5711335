/**
 * Discarding what a store holds from an earlier life of its node: records of partitions that the node does not own, and hints. An
 * old copy may have values whose tombstones have been reaped since; merged into what the others have, they would come back. What
 * the node has minted since it started is no older than that, may have been acknowledged, and stays.
 *
 * Record by record through the replica, so that the hash trees hear of it. Nothing is taken meanwhile, but for what a copy that
 * was under way may still bring: a record that changed under our hands is looked at again. A damaged record is left: nobody is
 * served it, and the next merge replaces it.
 */
import type { BinaryString, NodeId } from '@armature/kernel';
import type { View } from '@armature/membership';
import { retain, type HintStore, type Replica } from '@armature/replica';
import { bucketOfAddress, type Address } from '@armature/ring';
import type { Logger } from '@armature/runtime';

export interface DiscardEnv {
  readonly node: NodeId;
  readonly view: () => View;
  readonly replica: Pick<Replica, 'page' | 'drop' | 'reduce'>;
  readonly hints: Pick<HintStore, 'owners' | 'pages' | 'drop' | 'retain'>;
  /** Whether the present process took this actor, so that all it minted was acknowledged, if at all, since then. */
  readonly isOfThisLife: (actor: string) => boolean;
  readonly log: Logger;
}

const PAGE = { limit: 500, limitBytes: 4 * 1024 * 1024 };

/**
 * With `all`, everything: it is of another membership. Without, what the node owns stays, and so does what it minted since it
 * started. Errors: storage errors; it may be called again.
 */
export async function discard(env: DiscardEnv, all: boolean): Promise<void> {
  const records = await discardRecords(env, all);
  const hints = await discardHints(env, all);
  env.log.warn({ records, hints, all }, 'what this store held from an earlier life has been discarded');
}

async function discardRecords({ node, view, replica, isOfThisLife }: DiscardEnv, all: boolean): Promise<number> {
  let count = 0;
  let start: BinaryString | undefined = '' as BinaryString;
  while (start !== undefined) {
    const page: Awaited<ReturnType<Replica['page']>> = await replica.page({ start, ...PAGE });
    const unwanted = page.entries.filter(({ address }) => all || !isOwner(view(), node, address));
    const done = await Promise.all(
      unwanted.map(({ address, set }) => retain(replica, address, set, (actor) => !all && isOfThisLife(actor))),
    );
    count += done.filter((what) => what === 'dropped').length;
    if (!done.includes('changed')) start = page.next;
  }
  return count;
}

async function discardHints({ hints, isOfThisLife }: DiscardEnv, all: boolean): Promise<number> {
  let count = 0;
  for (const owner of await hints.owners()) {
    for await (const { entries } of hints.pages(owner)) {
      for (const { address, set } of entries) {
        const isGone = all
          ? await hints.drop(owner, address, set)
          : (await hints.retain(owner, address, set, isOfThisLife)) === 'dropped';
        if (isGone) count++;
      }
    }
  }
  return count;
}

/** Of a key whose bucket is not known nobody can say who owns it; it is kept. */
function isOwner(view: View, node: NodeId, address: Address): boolean {
  const n = view.buckets.get(bucketOfAddress(address))?.n;
  return n === undefined || view.placement(address, n).owners.includes(node);
}
