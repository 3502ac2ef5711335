/**
 * `npm run chaos`, small: a node is killed, another stands still, one joins, a clock jumps, a second process is started,
 * nats-server restarts, all within half a minute of load.
 */
import { expect, test } from 'vitest';
import { pageOf, runChaos } from '@armature/tools/chaos';

test('after half a minute of faults nothing is lost, every fault has been recovered from, and the timeline shows them', async () => {
  const faults = [
    { kind: 'kill', target: 'n1', atMs: 3_000, lastMs: 1_000 },
    { kind: 'pause', target: 'n3', atMs: 7_000, lastMs: 4_000 },
    { kind: 'join', target: 'n5', atMs: 10_000, lastMs: 0 },
    { kind: 'clock', target: 'n2', atMs: 12_000, lastMs: 2_000, aheadMs: -20 * 365 * 24 * 3_600_000 },
    { kind: 'name-clash', target: 'n4', atMs: 14_000, lastMs: 0, data: 'copied' },
    { kind: 'nats-restart', target: 'nats', atMs: 22_000, lastMs: 500 },
  ] as const;
  const report = await runChaos({ seed: 4, durationMs: 24_000, quietMs: 2_000, nodes: 4, everyMs: 4_000, schedule: faults });

  expect(report.violations).toEqual([]);
  expect(report.account).toMatchObject({ lost: [], returned: [], surfaced: [] });
  expect(report.largeAccount).toMatchObject({ lost: [], returned: [], surfaced: [] });
  expect(report.account?.counts.acknowledged).toBe(report.timeline.reduce((sum, { acknowledged }) => sum + acknowledged, 0));
  expect(report.account?.counts.acknowledged).toBeGreaterThan(100);
  expect(report.faults.map(({ kind, target, skipped }) => ({ kind, target, skipped }))).toEqual(
    faults.map(({ kind, target }) => ({ kind, target, skipped: false })),
  );
  for (const { beganMs, liftedMs, recoveredMs } of report.faults) {
    expect(liftedMs).toBeGreaterThanOrEqual(beganMs);
    expect(recoveredMs).toBeGreaterThanOrEqual(liftedMs as number);
  }
  expect(report.equalAfterMs).toBeGreaterThan(0);
  const page = pageOf(report);
  for (const mark of ['1 kill -9', '2 SIGSTOP', '3 joins', '4 clock', '5 second process', '6 restart'])
    expect(page).toContain(mark);
});
