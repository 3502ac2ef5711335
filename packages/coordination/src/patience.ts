/**
 * How long silence is put up with. A peer behind a network that drops packets refuses nothing: requests to it wait until their
 * deadlines, each of them, and by then their callers have gone. A peer that is merely slow must not be given up for that. So
 * whoever has waited for a while has the peer pinged, which tells the two apart (`FailureMonitor.doubt`: a process with a slow
 * disk answers pings), and goes on without it once it has become a suspect. Nothing is taken back: an answer that comes after all
 * counts.
 */
import { ArmatureError, type NodeId } from '@armature/kernel';
import type { ReplyTo } from '@armature/protocol';
import type { Alarm } from '@armature/runtime';
import type { CoordinationEnv, ReplicaRequest } from './environment.js';

/**
 * Far above a healthy answer, and with the pings that follow about a second in all: what a user puts up with, once, when a site
 * is cut off.
 */
const PATIENCE_MS = 250;

type WatchEnv = Pick<CoordinationEnv, 'self' | 'monitor' | 'alarms'>;

/**
 * Until it is cancelled: `doubtful` (those who are silent, and those who would be asked instead, since a cut rarely parts us from
 * one node only) are doubted, again and again, and `look` is to see whom that has made suspect.
 */
export function watchSilent(env: WatchEnv, doubtful: () => readonly NodeId[], look: () => void): Alarm {
  let isCancelled = false;
  let alarm: Alarm | undefined;
  const wait = (): void => {
    alarm = env.alarms.set(PATIENCE_MS, () => {
      for (const node of doubtful()) if (node !== env.self) env.monitor.doubt(node);
      look();
      if (!isCancelled) wait();
    });
  };
  wait();
  return {
    cancel: () => {
      isCancelled = true;
      alarm?.cancel();
    },
  };
}

/** As `env.ask`; gives up, with `timeout`, when the node becomes a suspect meanwhile. `others` would be asked instead. */
export function askWhileUp<Q extends ReplicaRequest>(
  env: CoordinationEnv,
  node: NodeId,
  request: Q,
  timeoutMs: number,
  others: readonly NodeId[],
): Promise<ReplyTo<Q>> {
  return whileUp(env, node, env.ask(node, request, timeoutMs), others);
}

/**
 * As `asking`, a question that `node` was asked; rejects with `timeout` when the node becomes a suspect meanwhile. `others` would
 * be asked instead.
 */
export function whileUp<T>(env: WatchEnv, node: NodeId, asking: Promise<T>, others: readonly NodeId[] = []): Promise<T> {
  if (env.monitor.isSuspect(node)) return asking;
  return new Promise((resolve, reject) => {
    const watch = watchSilent(
      env,
      () => [node, ...others],
      () => {
        if (!env.monitor.isSuspect(node)) return;
        watch.cancel();
        reject(new ArmatureError('timeout', `${node} seems to be down`, { details: { executed: 'unknown' } }));
      },
    );
    asking.finally(() => watch.cancel()).then(resolve, reject);
  });
}
