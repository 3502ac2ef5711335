/** What a coordinator needs from where it lives: the current view, a way to ask a node, and who is fast or down. */
import { ArmatureError, toArmatureError, type NodeId, type Random } from '@armature/kernel';
import type { FailureMonitor, View } from '@armature/membership';
import type { MergeRequest, PullRequest, ReadRequest, ReplyTo, WriteRequest } from '@armature/protocol';
import type { AlarmWheel, Clock, Logger } from '@armature/runtime';
import type { CoordinationMetrics } from './coordination-metrics.js';
import type { InHand } from './in-hand.js';

export type ReplicaRequest = ReadRequest | MergeRequest | PullRequest | WriteRequest;

/**
 * Asks one node, itself included, something about its own replica. Rejects with an `ArmatureError`, at the latest after
 * `timeoutMs`.
 */
export type AskReplica = <Q extends ReplicaRequest>(node: NodeId, request: Q, timeoutMs: number) => Promise<ReplyTo<Q>>;

export interface CoordinationEnv {
  readonly view: () => View;
  /** Catches up with membership now; resolves with the view after it. */
  readonly refresh: () => Promise<View>;
  readonly ask: AskReplica;
  readonly monitor: Pick<FailureMonitor, 'order' | 'hedgeDelayMs' | 'isSuspect' | 'doubt'>;
  readonly clock: Clock;
  readonly alarms: AlarmWheel;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: CoordinationMetrics;
  /** Largest message of the link. */
  readonly messageBytes: number;
  /** The keys of which an operation under way here may still send a state to somebody. */
  readonly inHand: Pick<InHand, 'hold'>;
  /** The node this coordinator lives in; undefined in routers and clients. */
  readonly self: NodeId | undefined;
}

/**
 * A ring change caught in the middle of an operation is caught up with and tried again; more often than this, membership is in
 * turmoil.
 */
export const MAX_RING_RETRIES = 3;

/**
 * `env.refresh`, for as long as the request has time: those who could tell of the membership may be as silent as the replicas
 * are. Errors: `timeout`, and those of `refresh`.
 */
export function refreshWithin(env: Pick<CoordinationEnv, 'refresh' | 'alarms'>, timeoutMs: number): Promise<View> {
  return new Promise((resolve, reject) => {
    const alarm = env.alarms.set(Math.max(0, timeoutMs), () => {
      reject(
        new ArmatureError('timeout', 'the membership could not be caught up with in time', {
          remedy: 'Repeat later. "armature cluster status" shows which nodes are down.',
        }),
      );
    });
    env.refresh().then(
      (view) => {
        alarm.cancel();
        resolve(view);
      },
      (thrown: unknown) => {
        alarm.cancel();
        reject(toArmatureError(thrown));
      },
    );
  });
}
