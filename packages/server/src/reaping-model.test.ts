/**
 * Reaping in the worlds of `reaping-model.test-support.ts`: the ways in which a deleted value could come back, one by one, and
 * then anything at all.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KEYS, NODES, placementOf, QUARANTINE_MS } from './reaping-member.test-support.js';
import { World, type Step } from './reaping-model.test-support.js';

const { owners, fallbacks } = placementOf(KEYS[0]!);
const [FIRST, SECOND, THIRD] = owners.map((owner) => NODES.indexOf(owner)) as [number, number, number];
const FALLBACK = NODES.indexOf(fallbacks[0]!);

const put = (at: number, { context = 0, tombstone = false } = {}): Step => ({ kind: 'put', key: 0, at, context, tombstone });
const remove = (at: number): Step => ({ kind: 'delete', key: 0, at });
const overwrite = (at: number): Step => ({ kind: 'overwrite', key: 0, at });
const reap: Step = { kind: 'reap', key: 0, interleaved: 0, lost: 0 };
const later = (ms: number): Step => ({ kind: 'advance', ms });
const one = (kind: 'deliver' | 'lose' | 'end' | 'send' | 'finish', which = 0): Step =>
  kind === 'deliver' ? { kind, message: which, again: false } : { kind, which };
const node = (kind: 'hints' | 'flush' | 'down' | 'up' | 'crash' | 'restart', at: number): Step => ({ kind, at, keep: 0 });
/** The value of the beginning is everywhere it belongs, and nowhere else. */
const CALM: readonly Step[] = [{ kind: 'settle', key: 0, spared: 99 }, node('flush', FALLBACK)];
/** To the two other owners. */
const DELIVER = [one('deliver'), one('deliver')];
const TWICE = [reap, later(QUARANTINE_MS + 10), reap];

async function after(...steps: readonly Step[]): Promise<World> {
  const world = new World([...CALM, ...steps]);
  await world.run();
  expect(world.broken).toEqual([]);
  return world;
}

/** The steps, and how many tombstones are gone, or clocks pruned, before anything is healed. */
async function countAfter(what: 'reaped' | 'pruned', steps: readonly Step[]): Promise<number> {
  const world = new World([...CALM, ...steps]);
  let count = 0;
  world.beforeHealing = () => (count = world[what]);
  await world.run();
  expect(world.broken).toEqual([]);
  return count;
}
const reapedBy = (...steps: readonly Step[]): Promise<number> => countAfter('reaped', steps);
const prunedBy = (...steps: readonly Step[]): Promise<number> => countAfter('pruned', steps);

describe('a tombstone', () => {
  const DELETED = [remove(FIRST), ...DELIVER, one('end')];

  test('that all owners hold, and nobody else anything, goes with the second pass after the quarantine, and no sooner', async () => {
    expect(await reapedBy(...DELETED, reap)).toBe(0);
    expect(await reapedBy(...DELETED, reap, later(QUARANTINE_MS - 1), reap)).toBe(0);
    expect(await reapedBy(...DELETED, ...TWICE)).toBe(1);
  });

  test('whose quarantine is forgotten in a restart begins anew', async () => {
    expect(await reapedBy(...DELETED, reap, later(110), node('restart', FIRST), reap)).toBe(0);
  });

  test('waits while a member is down, though it owns nothing of the key', async () => {
    expect(await reapedBy(...DELETED, node('down', FALLBACK), ...TWICE)).toBe(0);
    expect(await reapedBy(...DELETED, node('down', FALLBACK), ...TWICE, node('up', FALLBACK), ...TWICE)).toBe(1);
  });

  test('waits for a hint of the deleted value to come home', async () => {
    const hinted = [node('down', THIRD), put(FIRST), ...DELIVER, one('end'), node('up', THIRD), ...DELETED];
    expect(await reapedBy(...hinted, ...TWICE)).toBe(0);
    expect(await reapedBy(...hinted, node('hints', FALLBACK), ...TWICE)).toBe(1);
  });

  test('is safe from a hint that was delivered, and that a crash brings back', async () => {
    const hinted = [node('down', THIRD), put(FIRST), ...DELIVER, one('end'), node('up', THIRD), node('hints', FALLBACK)];
    expect(await reapedBy(...hinted, ...DELETED, ...TWICE, node('crash', FALLBACK))).toBe(1);
  });

  test('waits for a put of the deleted value that may still send it somewhere', async () => {
    const inHand = [put(FIRST), ...DELIVER, remove(SECOND), ...DELIVER, one('end', 1)];
    expect(await reapedBy(...inHand, ...TWICE, one('send'), one('deliver'))).toBe(0);
    expect(await reapedBy(...inHand, one('end'), ...TWICE)).toBe(1);
  });

  test('is there to absorb a message that was on its way when it was first found unneeded', async () => {
    const late = [put(FIRST), one('deliver', 1), one('end'), remove(FIRST), one('deliver', 1), one('deliver', 1), one('end')];
    expect(await reapedBy(...late, reap, later(15), reap, one('deliver'), later(110), reap)).toBe(1);
  });

  test('is there to absorb the repair of a router that has read before the delete', async () => {
    const lagging = [put(FIRST), one('lose'), one('lose'), one('end')];
    const read: Step = { kind: 'read', key: 0, at: 0, replicas: 3 };
    expect(await reapedBy(...lagging, read, ...DELETED, reap, later(15), reap, one('finish'), ...DELIVER)).toBe(0);
  });

  test('waits for a stray record of a former owner', async () => {
    const world = new World([{ kind: 'settle', key: 0, spared: 99 }, ...DELETED, ...TWICE]);
    await world.run();
    expect(world.broken).toEqual([]);
  });

  test('is kept by an owner that has a newer state, and the newer state by all', async () => {
    const racing: Step[] = [{ kind: 'reap', key: 0, interleaved: 1, lost: 0 }, put(SECOND), one('deliver')];
    expect(await reapedBy(...DELETED, reap, later(110), ...racing)).toBe(0);
  });

  test('that a crash leaves on some owners is copied back, and goes later', async () => {
    for (let lost = 1; lost <= 8; lost++)
      await after(...DELETED, reap, later(110), { kind: 'reap', key: 0, interleaved: 0, lost });
  });

  test('takes nothing of a key that is written again, be it with a context from before', async () => {
    const read: Step = { kind: 'read', key: 0, at: 0, replicas: 3 };
    for (const context of [0, 1, 2]) {
      for (const between of [node('restart', FIRST), node('crash', FIRST), later(1)]) {
        await after(read, ...DELETED, read, ...TWICE, between, put(FIRST, { context }), ...DELIVER, one('end'));
      }
    }
  });
});

describe('the clock of a key that was overwritten', () => {
  const OVERWRITTEN = [overwrite(FIRST), ...DELIVER, one('end')];

  test('is pruned with the second pass after the quarantine, and no sooner', async () => {
    expect(await prunedBy(...OVERWRITTEN, reap, later(QUARANTINE_MS - 1), reap)).toBe(0);
    expect(await prunedBy(...OVERWRITTEN, ...TWICE)).toBe(1);
  });

  test('waits for a hint of the value before to come home', async () => {
    const hinted = [node('down', THIRD), put(FIRST), ...DELIVER, one('end'), node('up', THIRD), ...OVERWRITTEN];
    expect(await prunedBy(...hinted, ...TWICE)).toBe(0);
    expect(await prunedBy(...hinted, node('hints', FALLBACK), ...TWICE)).toBe(1);
  });

  test('waits for a stray record, and for a put that may still send the value before', async () => {
    const world = new World([{ kind: 'settle', key: 0, spared: 99 }, ...OVERWRITTEN, ...TWICE]);
    world.beforeHealing = () => expect(world.pruned).toBe(0);
    await world.run();
    expect(world.broken).toEqual([]);
    const inHand = [put(FIRST), ...DELIVER, overwrite(SECOND), ...DELIVER, one('end', 1)];
    expect(await prunedBy(...inHand, ...TWICE, one('send'), one('deliver'))).toBe(0);
  });

  test('that some owners have not pruned becomes whole again, and is pruned later', async () => {
    for (let lost = 1; lost <= 8; lost++)
      await after(...OVERWRITTEN, reap, later(110), { kind: 'reap', key: 0, interleaved: 0, lost });
  });

  test('may be pruned of an actor that is in use: what it mints next has a dot of its own, with any context, after any stop', async () => {
    const read: Step = { kind: 'read', key: 0, at: 0, replicas: 3 };
    for (const context of [0, 1, 2]) {
      for (const between of [node('restart', SECOND), node('crash', SECOND), later(1)])
        await after(read, ...OVERWRITTEN, read, ...TWICE, between, put(SECOND, { context }), ...DELIVER, one('end'));
    }
  });
});

const key = fc.constantFrom(0, 0, 0, 1);
const at = fc.nat(NODES.length - 1);
const which = fc.nat(7);
const of = <K extends Step['kind']>(...kinds: K[]) => fc.constantFrom(...kinds);

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: of('put'), key, at, context: fc.nat(4), tombstone: fc.boolean() }) },
  { weight: 8, arbitrary: fc.record({ kind: of('deliver'), message: which, again: fc.boolean() }) },
  { weight: 5, arbitrary: fc.record({ kind: of('lose', 'end', 'end', 'end', 'send', 'finish'), which }) },
  { weight: 4, arbitrary: fc.record({ kind: of('read'), key, at, replicas: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: of('exchange'), key, from: at, to: at }) },
  {
    weight: 6,
    arbitrary: fc.record({ kind: of('hints', 'hints', 'flush', 'down', 'up', 'up', 'crash', 'restart'), at, keep: fc.nat(3) }),
  },
  // Without these two, worlds would hardly ever be so quiet that anything is reaped.
  { weight: 8, arbitrary: fc.record({ kind: of('delete', 'delete', 'overwrite'), key, at }) },
  { weight: 6, arbitrary: fc.record({ kind: of('settle'), key, spared: fc.nat(5) }) },
  { weight: 10, arbitrary: fc.record({ kind: of('reap'), key, interleaved: fc.constantFrom(0, 0, 1, 2), lost: fc.nat(40) }) },
  { weight: 6, arbitrary: fc.record({ kind: of('advance'), ms: fc.constantFrom(1, 15, 50, 110) }) },
);

test('nothing that was deleted comes back, nothing written after is lost, no dot names two writes, and no tombstone stays for ever', async () => {
  let reaped = 0;
  let pruned = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 120, size: 'max' }), async (steps) => {
      const world = new World(steps);
      await world.run();
      expect(world.broken).toEqual([]);
      reaped += world.reaped;
      pruned += world.pruned;
    }),
    { numRuns: 250 },
  );
  expect(reaped).toBeGreaterThan(50);
  expect(pruned).toBeGreaterThan(50);
  console.log(`${reaped} tombstones reaped and ${pruned} clocks pruned in 250 worlds`);
});
