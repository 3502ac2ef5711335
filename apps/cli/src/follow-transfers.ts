/**
 * Following the transfers of a cluster until everything is where it belongs: asks all members, a few times a second, and tells of
 * each report. Members are polled and not listened to, so that it works with whoever answers, and can begin at any time.
 */
import type { Admin } from '@armature/client';
import { ArmatureError, toArmatureError } from '@armature/kernel';
import type { Clock } from '@armature/runtime';
import { transferReport, type TransferReport } from './transfer-report.js';

const POLL_MS = 300;
/** A node that is asked for the history may be restarting, or the bus reconnecting: transfers take longer than that. */
const PATIENCE_MS = 30_000;

export async function takeTransferReport(admin: Admin): Promise<TransferReport> {
  const view = await admin.view();
  if (view.cluster === undefined) {
    throw new ArmatureError('no-cluster', 'nodes run, but the cluster has not been created yet', {
      remedy: 'armature cluster create --nodes <names>',
    });
  }
  return transferReport(view, await Promise.all([...view.members.keys()].sort().map((node) => admin.member(node))));
}

/**
 * Resolves with the last report: settled, or what it was when `interrupted`. Rejects when no node has answered for half a minute.
 */
export async function followTransfers(
  admin: Admin,
  clock: Clock,
  interrupted: AbortSignal,
  tell: (report: TransferReport) => void | Promise<void>,
): Promise<TransferReport> {
  let last: TransferReport | undefined;
  let answeredMs = clock.monotonicMs();
  for (;;) {
    try {
      last = await takeTransferReport(admin);
      answeredMs = clock.monotonicMs();
      await tell(last);
      if (last.settled) return last;
    } catch (thrown) {
      const isLasting = clock.monotonicMs() - answeredMs > PATIENCE_MS;
      if (last === undefined || isLasting || !toArmatureError(thrown).retryable) throw thrown;
    }
    if (!interrupted.aborted) await pause(clock, interrupted);
    if (interrupted.aborted) return last;
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
