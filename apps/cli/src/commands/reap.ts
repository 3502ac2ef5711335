/**
 * `armature reap`: looks for tombstones that nobody needs any more, now, and tells what holds the others back. The nodes do the
 * work; workers have it done all the time.
 */
import { toArmatureError } from '@armature/kernel';
import { EXIT } from '@armature/process';
import { HOLD_REASONS, type HoldReason } from '@armature/protocol';
import { runReapPass, sharesToReap, type ReapTally } from '@armature/repair';
import { define, type Outcome } from '../command.js';
import { countText, durationText, plural } from '../format.js';
import { Refused } from '../refused.js';
import type { Session } from '../session.js';
import { chosenShares, shareOptions, type ShareOptions } from './share-options.js';

/** What stands in the way, in words. */
const REASON_TEXTS: Readonly<Record<HoldReason, string>> = {
  differs: 'an owner holds another state: "armature repair", or wait for the sweep',
  stray: 'a former owner still holds a copy',
  hinted: 'a hint is kept for an owner that was away',
  'in-hand': 'an operation under way may carry an old value',
  unsettled: 'a node stood still a moment ago',
  unanswered: 'a member did not answer',
  changed: 'written again meanwhile',
  full: 'the node remembers no more of them at once',
};

export const reapCommand = define<ShareOptions>({
  details:
    'A deleted key is kept as a tombstone until every member of the cluster has been found, twice, to hold nothing of it but that: no other state, no hint, no stray copy. ' +
    'Between the two lies the quarantine of the nodes (--reap-quarantine, 10 minutes). So the first run finds, and one that is later drops. ' +
    'The clock of a key with more than 16 entries loses those that nobody needs on the same condition. ' +
    'One member that is down blocks all of it until it is back, or removed.\n' +
    'Exit code 3: some partitions could not be gone through; repeat it when all nodes are up.',
  options: shareOptions,
  examples: ['reap', 'reap --bucket carts', 'reap --partition 17 --json'],
  run: (session, _args, options) => run(session, options),
});

async function run(session: Session, options: ShareOptions): Promise<Outcome> {
  const { admin } = await session.client();
  const { clock } = session.io;
  let view = await admin.view();
  const { bucket, ...filter } = chosenShares(session, view, options);
  const shares = sharesToReap(view, filter);
  const interrupted = session.io.catchInterrupt();
  const refused = new Refused();
  const startedMs = clock.monotonicMs();
  const tally = await runReapPass(
    {
      async reap({ first, partition, n }, start) {
        try {
          return await admin.reap(first, { ring: view.ringVersion, partition, n, start, bucket });
        } catch (thrown) {
          refused.note(thrown);
          if (toArmatureError(thrown).code === 'stale-ring') view = await admin.view();
          throw thrown;
        }
      },
      pace: () => Promise.resolve(),
      isCancelled: () => interrupted.aborted || refused.isSo,
      onResult: () => undefined,
      clock,
    },
    shares,
  );
  refused.check();
  const elapsedMs = Math.round(clock.monotonicMs() - startedMs);
  if (session.voice.json) await session.printJson({ ...tally, elapsedMs, interrupted: interrupted.aborted });
  else await session.print(summaryText(session, tally, elapsedMs));
  if (interrupted.aborted) return EXIT.interrupted;
  return tally.blocked > 0 ? EXIT.unavailable : undefined;
}

function summaryText({ colors }: Session, tally: ReapTally, elapsedMs: number): string {
  const { shares, scanned, candidates, reaped, pruned, waiting, heldBack, blocked, problem } = tally;
  const held = HOLD_REASONS.filter((reason) => heldBack[reason] > 0);
  return [
    `${plural(shares, 'partition')}, ${plural(scanned, 'key')} looked at in ${durationText(elapsedMs)}: ${plural(candidates, 'tombstone or long clock', 'tombstones and long clocks')}`,
    ...(reaped > 0 ? [colors.green(`${plural(reaped, 'tombstone')} dropped, on all owners`)] : []),
    ...(pruned > 0 ? [colors.green(`${plural(pruned, 'clock')} pruned, on all owners`)] : []),
    ...(waiting > 0
      ? [`${countText(waiting)} in quarantine: no member needs them now; a later run asks once more, and drops them`]
      : []),
    ...held.map((reason) => `${countText(heldBack[reason])} held back: ${REASON_TEXTS[reason]}`),
    ...(blocked > 0
      ? [colors.yellow(`! ${plural(blocked, 'partition')} could not be gone through; the last: ${problem ?? 'no reason given'}`)]
      : []),
  ].join('\n');
}
