/**
 * Following the transfers of a cluster until everything is where it belongs: asks all members, a few times a second, and tells of each report. Members
 * are polled and not listened to, so that it works with whoever answers, and can begin at any time.
 */
import type { Admin } from '@armature/client';
import { ArmatureError } from '@armature/kernel';
import type { Clock } from '@armature/runtime';
import { transferReport, type TransferReport } from './transfer-report.js';

const POLL_MS = 300;

export async function takeTransferReport(admin: Admin): Promise<TransferReport> {
  const view = await admin.view();
  if (view.cluster === undefined) {
    throw new ArmatureError('no-cluster', 'nodes run, but the cluster has not been created yet', {
      remedy: 'armature cluster create --nodes <names>',
    });
  }
  return transferReport(view, await Promise.all([...view.members.keys()].sort().map((node) => admin.member(node))));
}

/** Resolves with the last report: settled, or what it was when `interrupted`. Rejects as soon as no node answers any more. */
export async function followTransfers(
  admin: Admin,
  clock: Clock,
  interrupted: AbortSignal,
  tell: (report: TransferReport) => void | Promise<void>,
): Promise<TransferReport> {
  for (;;) {
    const report = await takeTransferReport(admin);
    await tell(report);
    if (report.settled || interrupted.aborted) return report;
    await pause(clock, interrupted);
    if (interrupted.aborted) return report;
  }
}

function pause(clock: Clock, interrupted: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      timer.cancel();
      interrupted.removeEventListener('abort', done);
      resolve();
    };
    const timer = clock.after(POLL_MS, done);
    interrupted.addEventListener('abort', done);
  });
}
