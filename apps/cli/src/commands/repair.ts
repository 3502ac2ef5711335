/**
 * `armature repair`: replica synchronisation on demand (paper, section 4.7), and a word to the workers that do it all the time. A
 * sweep driven from here asks the nodes themselves to run the exchanges; no data passes through the command line.
 */
import { toArmatureError, type NodeId } from '@armature/kernel';
import type { Admin } from '@armature/client';
import { EXIT } from '@armature/process';
import type { WorkerCommand, WorkerStatus } from '@armature/protocol';
import { progressOf, roundsOf, runSweep, type Pair, type PairResult, type Sweep, type SweepLimits } from '@armature/repair';
import { systemRandom } from '@armature/runtime';
import { define, option, type Outcome } from '../command.js';
import { countText, durationText, plural, sizeText, tableText } from '../format.js';
import type { Session } from '../session.js';
import { Refused } from '../refused.js';
import { showWorkBar } from '../work-bar.js';
import { chosenShares, shareOptions, type ShareOptions } from './share-options.js';

interface RepairOptions extends ShareOptions {
  readonly watch?: boolean;
}

/** A node runs two exchanges at a time; with a worker about, one of ours per node leaves it room. */
const LIMITS: SweepLimits = { atOnce: 4, perNode: 2, attempts: 60, retryMs: 500 };

export const repairRunCommand = define<RepairOptions>({
  details:
    'Every pair of replicas of every partition compares hash trees, and what differs is merged both ways. Nothing is overwritten.\n' +
    'Nodes that are down are skipped. Exit code 3: some were, or some exchanges failed; repeat it when they are back.',
  options: [...shareOptions, option('--watch', 'a line for every exchange that found differences or failed')],
  examples: ['repair', 'repair --bucket carts --watch', 'repair --partition 17 --json'],
  run: (session, _args, options) => run(session, options),
});

export const repairStatusCommand = define({
  examples: ['repair status'],
  run: (session) => tellWorkers(session, 'status'),
});

export const repairPauseCommand = define({
  details: 'Until "armature repair resume", or until the worker restarts.',
  examples: ['repair pause'],
  run: (session) => tellWorkers(session, 'pause'),
});

export const repairResumeCommand = define({
  examples: ['repair resume'],
  run: (session) => tellWorkers(session, 'resume'),
});

async function run(session: Session, options: RepairOptions): Promise<Outcome> {
  const { admin } = await session.client();
  const { clock } = session.io;
  let view = await admin.view();
  const { bucket, ...filter } = chosenShares(session, view, options);
  const down = new Set((await admin.members()).filter(({ problem }) => problem !== undefined).map(({ node }) => node));
  const rounds = roundsOf(view, filter);
  const interrupted = session.io.catchInterrupt();
  const refused = new Refused();
  const startedMs = clock.monotonicMs();
  const bar = showWorkBar(session, 'repair', ({ progress }) => `${Math.floor(progress * 100)} %`);
  const sweep = await runSweep(
    {
      async exchange({ initiator, peer, partition, n }) {
        try {
          return await admin.exchange(initiator, { ring: view.ringVersion, partition, n, peer, bucket });
        } catch (thrown) {
          const { code } = toArmatureError(thrown);
          refused.note(thrown);
          if (code === 'stale-ring') view = await admin.view();
          if (code === 'unreachable') down.add(initiator);
          throw thrown;
        }
      },
      isDown: (node: NodeId) => down.has(node),
      pace: () => Promise.resolve(),
      isCancelled: () => interrupted.aborted || refused.isSo,
      onResult(pair, result, now) {
        bar.update(
          progressOf(now),
          1,
          `${plural(now.tally.exchanges, 'exchange')}, ${plural(now.tally.differing, 'difference')}`,
        );
        if (options.watch === true && isNews(result)) void session.note(newsText(pair, result));
      },
      clock,
      random: systemRandom(),
    },
    rounds,
    LIMITS,
  );
  bar.stop();
  refused.check();
  const elapsedMs = Math.round(clock.monotonicMs() - startedMs);
  const { tally } = sweep;
  if (session.voice.json)
    await session.printJson({ ...tally, partitions: rounds.length, elapsedMs, interrupted: interrupted.aborted });
  else await session.print(summaryText(session, sweep, elapsedMs));
  if (interrupted.aborted) return EXIT.interrupted;
  return tally.failed > 0 || tally.skipped > 0 ? EXIT.unavailable : undefined;
}

function isNews(result: PairResult): boolean {
  return result.kind !== 'reply' ? result.kind === 'error' : result.reply.differing > 0 || result.reply.outcome === 'failed';
}

function newsText({ partition, n, initiator, peer }: Pair, result: PairResult): string {
  const who = `partition ${partition}, n=${n}, ${initiator} and ${peer}`;
  if (result.kind !== 'reply') return `${who}: ${result.problem}`;
  const { outcome, problem, differing, pulled, pushed } = result.reply;
  if (outcome === 'failed') return `${who}: ${problem}`;
  return `${who}: ${plural(differing, 'key')} differed, ${pulled} merged at ${initiator}, ${pushed} at ${peer}`;
}

function summaryText({ colors }: Session, { rounds, tally }: Sweep, elapsedMs: number): string {
  const { exchanges, compared, differing, pulled, pushed, bytes, failed, skipped, skippedPeers, problem } = tally;
  return [
    `${plural(rounds.length, 'partition')}, ${plural(exchanges, 'exchange')} in ${durationText(elapsedMs)}, ${countText(compared)} keys compared`,
    differing === 0
      ? colors.green('No differences.')
      : `${plural(differing, 'difference')} found and merged: ${plural(pulled + pushed, 'version set')}, ${sizeText(bytes)}`,
    ...(failed > 0 ? [colors.yellow(`! ${plural(failed, 'exchange')} failed; the last: ${problem ?? 'no reason given'}`)] : []),
    ...(skipped > 0
      ? [
          colors.yellow(
            `! ${plural(skipped, 'pair')} skipped, because ${skippedPeers.join(', ')} did not answer: repeat when back`,
          ),
        ]
      : []),
  ].join('\n');
}

async function tellWorkers(session: Session, command: WorkerCommand): Promise<Outcome> {
  const admin: Admin = (await session.client()).admin;
  const workers = await admin.workers(command);
  if (session.voice.json) await session.printJson(workers);
  else if (workers.length === 0) await session.note('no anti-entropy worker answers: start one with armature-anti-entropy');
  else {
    const rows = workers.map((worker) => [
      worker.name,
      worker.state,
      worker.state === 'waiting' ? '-' : `${worker.progressPercent} %`,
      countText(worker.sweeps),
      countText(worker.exchanges),
      countText(worker.differing),
      sizeText(worker.bytes),
      countText(worker.failed),
      countText(worker.skipped),
      reapingText(worker.reaping),
    ]);
    const headings = [
      'worker',
      'state',
      'sweep',
      'sweeps',
      'exchanges',
      'differences',
      'merged',
      'failed',
      'skipped',
      'last reaping',
    ];
    await session.print(tableText(session, headings, rows));
  }
  return workers.length === 0 ? EXIT.unavailable : undefined;
}

/** Of the last pass for tombstones. */
function reapingText({ passes, reaped, waiting, heldBack, blocked }: WorkerStatus['reaping']): string {
  if (passes === 0) return '-';
  const counts = `${countText(reaped)} dropped, ${countText(waiting)} waiting, ${countText(heldBack)} held back`;
  return blocked === 0 ? counts : `${counts}, blocked in ${plural(blocked, 'partition')}`;
}
