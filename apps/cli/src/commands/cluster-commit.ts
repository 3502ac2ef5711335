/**
 * `armature cluster commit`: makes the changes of a plan, provided that the membership is still the one that it was made for.
 * What was approved is then what happens, or nothing does. It asks no questions: whoever has a plan has been told.
 */
import { readFileSync } from 'node:fs';
import { checkUnchanged, type Admin, type Committed, type CostedPlan } from '@armature/client';
import { EXIT } from '@armature/process';
import { define, option, type Outcome } from '../command.js';
import { followTransfers, takeTransferReport } from '../follow-transfers.js';
import { countText, durationText, plural, sizeText } from '../format.js';
import { invalid } from '../parse.js';
import { cautionsFor } from '../plan/cautions.js';
import { readPlan } from '../plan/plan-document.js';
import { amountText, planText } from '../plan/plan-text.js';
import type { Session } from '../session.js';
import { ReceivedSince, type TransferReport } from '../transfer-report.js';
import { showWorkBar } from '../work-bar.js';

/** A plan of a thousand nodes has some tens of megabytes. */
const MAX_PLAN_BYTES = 256 * 1024 * 1024;

export const clusterCommitCommand = define<{ wait?: boolean }>({
  details:
    'Only if the membership is still the one that the plan was made for; otherwise nothing is done, and the exit code is 1: plan\n' +
    'again. Nodes that join must answer. The changes are made at once and in their order; the data moves after that.',
  options: [option('--wait', 'follow the transfers to their end; Ctrl-C stops following, not the transfers')],
  examples: [
    'cluster commit plan.json',
    'cluster commit plan.json --wait',
    'armature cluster plan join n4 --json | armature cluster commit - --wait',
  ],
  run: (session, [file = '-'], options) => commit(session, file, options.wait === true),
});

async function commit(session: Session, file: string, isToWait: boolean): Promise<Outcome> {
  const { changes, against } = readPlan(await readText(session, file), file === '-' ? 'standard input' : file);
  const { admin } = await session.client();
  checkUnchanged(await admin.view(), against); // before anything else is said about a plan that is void
  const plan = await admin.plan(changes);
  const cautions = await cautionsFor(admin, changes);
  const forbidding = cautions.filter(({ forbids }) => forbids);
  if (forbidding.length > 0)
    throw invalid(
      `nothing was done: ${forbidding.map(({ message }) => message).join('; ')}`,
      'Start the nodes with their names and this cluster, and commit again.',
    );
  if (!session.voice.json) await session.print(planText(session, plan));
  for (const { message } of cautions) await session.note(`! ${message}`);
  const first = isToWait ? await takeTransferReport(admin) : undefined;
  const committed = await admin.commit(changes, against);
  if (!session.voice.json) await session.print(`\n${plural(committed.records.length, 'change is', 'changes are')} made.`);
  if (!committed.asPlanned)
    await session.note(
      '! Somebody else changed the membership at the same moment: the ring is not the planned one. Look at: armature cluster history',
    );
  if (first === undefined) {
    if (session.voice.json) await session.printJson(outcomeDocument(plan, committed));
    else if (plan.transfers.length > 0) await session.note('Follow the transfers: armature cluster transfers --watch');
    return undefined;
  }
  return wait(session, admin, first, { plan, committed });
}

async function wait(
  session: Session,
  admin: Admin,
  first: TransferReport,
  { plan, committed }: { plan: CostedPlan; committed: Committed },
): Promise<Outcome> {
  const { clock } = session.io;
  const interrupted = session.io.catchInterrupt();
  const startedMs = clock.monotonicMs();
  const received = new ReceivedSince(first);
  const bar = showWorkBar(session, 'copied', ({ value, total }) => `${value} of ${total}`);
  let most = plan.transfers.length;
  const tellJson = async (settled: boolean): Promise<void> => {
    if (!session.voice.json) return;
    const moved = { records: received.records, bytes: received.bytes };
    const tookMs = Math.round(clock.monotonicMs() - startedMs);
    await session.printJson({ ...outcomeDocument(plan, committed), settled, moved, tookMs });
  };
  const last = await followTransfers(admin, clock, interrupted, (report) => {
    received.take(report);
    most = Math.max(most, report.pending);
    const rate = report.nodes.reduce((sum, { bytesPerSecond }) => sum + bytesPerSecond, 0);
    bar.update(
      most - report.pending,
      most,
      `${countText(received.records)} records, ${sizeText(received.bytes)}, ${sizeText(rate)}/s${problemText(report)}`,
    );
  })
    .catch(async (thrown: unknown) => {
      await tellJson(false); // the changes are made all the same
      throw thrown;
    })
    .finally(() => bar.stop());
  const tookMs = clock.monotonicMs() - startedMs;
  await tellJson(last.settled);
  if (!last.settled) {
    await session.note('not waited for: the transfers go on. Follow them with: armature cluster transfers --watch');
    return EXIT.interrupted;
  }
  if (!session.voice.json) {
    await session.print(
      `Settled in ${durationText(tookMs)}: ${countText(received.records)} records, ${sizeText(received.bytes)} received (planned: ${amountText(plan.total)}).`,
    );
  }
  return undefined;
}

function outcomeDocument(plan: CostedPlan, committed: Committed): Readonly<Record<string, unknown>> {
  return { records: committed.records, asPlanned: committed.asPlanned, planned: plan.total, warnings: plan.warnings };
}

function problemText({ nodes }: TransferReport): string {
  const stuck = nodes.find(
    ({ problem, pending, isLeaving, stray }) => problem !== undefined && (pending > 0 || isLeaving || stray > 0),
  );
  return stuck === undefined ? '' : `; ${stuck.node}: ${stuck.problem}`;
}

async function readText(session: Session, file: string): Promise<string> {
  if (file !== '-') {
    try {
      return readFileSync(file, 'utf8');
    } catch (thrown) {
      throw invalid(
        `cannot read ${file}: ${(thrown as Error).message}`,
        'Make a plan: armature cluster plan join n4 --out plan.json',
      );
    }
  }
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of session.io.stdin) {
    const bytes = Buffer.from(chunk as Uint8Array);
    sizeBytes += bytes.length;
    if (sizeBytes > MAX_PLAN_BYTES)
      throw invalid('standard input is too long to be a plan', 'Give it what "armature cluster plan --json" prints.');
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}
