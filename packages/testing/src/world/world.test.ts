import { expect, test } from 'vitest';
import { InProcessBroker } from '@armature/bus';
import { ManualClock } from '@armature/runtime';
import { SimulatedProcess } from './process.js';
import { World } from './world.js';

test('a task that enters itself at one virtual time for ever ends the run', async () => {
  const world = new World({ seed: 1 });
  const again = (): void => void world.at(world.nowMs, again);
  again();
  await expect(world.run(1_000)).rejects.toThrow('time stands still at 0 ms');
});

/** The clocks that a process reads are rounded sums: what is left until an alarm may be too little to be added to them. */
test('an alarm that comes too early by less than its clock can tell, and is set for the rest, is rung in the end', async () => {
  const world = new World({ seed: 1 });
  const connection = new InProcessBroker({ clock: new ManualClock(0), random: world.random('broker') }).connect('n1');
  const { clock } = new SimulatedProcess(world, { name: 'n1', connection, rate: 1.000_037 }, 1);
  await world.run(77_777.777);
  const dueMs = clock.monotonicMs() + 2e-11;
  let rungMs = 0;
  const look = (): void => {
    const restMs = dueMs - clock.monotonicMs();
    if (restMs > 0) clock.after(restMs / 2, look);
    else rungMs = clock.monotonicMs();
  };
  clock.after(1e-13, look);
  await world.run(78_000);
  expect(rungMs).toBeGreaterThanOrEqual(dueMs);
});
