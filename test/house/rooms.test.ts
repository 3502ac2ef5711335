/**
 * How many rooms a put and a get pass on their way from the application to the disk and back. `npm run rooms` prints the ways;
 * `tools/src/rooms/ways.ts` says what counts as passing.
 */
import { climbs, enteredBy, findings, GET, nameOf, PUT, roomsOf, workspaceHouse, type Way } from '@armature/tools/rooms';
import { expect, test } from 'vitest';

/** They may only shrink: whoever shortens a way corrects its number here. They are to be 14 and 12. */
const ROOMS = { put: 32, get: 24 };

/**
 * Within the mint of a put there is one, to the hash trees. That the link gives a request to whoever serves it, in two steps,
 * cannot be done otherwise.
 */
const CLIMBS = {
  put: [
    'bus/link-responder.ts -> coordination/participant.ts start',
    'coordination/participant.ts -> server/node.ts write',
    'replica/replica.ts -> repair/tree-keeper.ts wrote',
    'coordination/participant.ts -> server/key-requests.ts merge',
  ],
  get: [
    'bus/link-responder.ts -> coordination/participant.ts start',
    'coordination/participant.ts -> server/key-requests.ts read',
  ],
};

const WAYS: readonly Way[] = [PUT, GET];
const house = workspaceHouse();

test.each(WAYS)('each step of a $operation calls the next, by an import or through a type that is named', (way) => {
  expect(findings(way, house)).toEqual([]);
});

test.each(WAYS)('a $operation passes no more rooms than it did', (way) => {
  expect(roomsOf(way)).toHaveLength(ROOMS[way.operation]);
});

test.each(WAYS)('a $operation climbs to a higher package where it did, and nowhere else', (way) => {
  expect(climbs(way, house)).toEqual(CLIMBS[way.operation]);
});

/** Not run by a cluster over the bus in memory, or not for each operation; everything else on the ways is. */
const NOT_RUN = new Set([
  'bus-nats/nats-bus.ts publish',
  'bus-nats/nats-bus.ts #callback',
  'bus-nats/handler-fence.ts around',
  // What they hand on runs for each operation; they run at the start.
  'coordination/participant.ts start',
  // Of reads, one in eight is observed.
  'replica/foreground-watch.ts request',
]);

/** Called like something behind a port, and yet no wrapper around it. */
const NAMESAKES = new Set([
  'bus/in-process-connection.ts publish', // stands where the NATS adapter does
  'storage/overlay.ts get', // asked before the engine is
  'storage/record-cache.ts get',
  'versioning/version-set.ts mint', // makes the set that is stored
]);

const runs = new Map<Way['operation'], ReturnType<typeof enteredBy>>();

function runOf(way: Way): ReturnType<typeof enteredBy> {
  const run = runs.get(way.operation) ?? enteredBy(way.operation);
  runs.set(way.operation, run);
  return run;
}

/** Functions off the way that ran for each operation, and are called like something that the way reaches through a type. */
async function unseenWrappers(way: Way): Promise<string[]> {
  const rooms = new Set(roomsOf(way));
  const reached = way.legs.flatMap(({ steps }) => steps.map((step) => step.reached));
  const names = new Set(reached.flatMap((one) => ('as' in one && one.kind !== 'handed-back' ? [one.as] : [])));
  const beside = [...(await runOf(way))].filter(([room]) => !rooms.has(room));
  return beside
    .flatMap(([room, functions]) => [...functions].filter((name) => names.has(name)).map((name) => `${room} ${name}`))
    .filter((name) => !NAMESAKES.has(name));
}

test.each(WAYS)('a $operation runs every step of its way', async (way) => {
  const entered = await runOf(way);
  const idle = way.legs.flatMap(({ steps }) => steps.filter(({ room, does }) => entered.get(room)?.has(does) !== true));
  expect(idle.map(nameOf).filter((name) => !NOT_RUN.has(name))).toEqual([]);
});

test.each(WAYS)('a $operation passes no wrapper that stands unseen between a port and what is behind it', async (way) => {
  expect(await unseenWrappers(way)).toEqual([]);
});

/** Where a leg ends: without it, the leg ends earlier, and what remains of it is true. */
const ENDS = {
  put: new Set(['bus-nats/nats-bus.ts', 'repair/tree-keeper.ts']),
  get: new Set(['bus-nats/nats-bus.ts', 'storage-level/level-engine.ts']),
};

test.each(WAYS)('the check itself: notices each room that is left out of a $operation', async (way) => {
  const unnoticed: string[] = [];
  for (const room of roomsOf(way).filter((one) => !ENDS[way.operation].has(one))) {
    const legs = way.legs.map((leg) => ({ ...leg, steps: leg.steps.filter((step) => step.room !== room) }));
    const shorter = { ...way, legs };
    if (findings(shorter, house).length === 0 && (await unseenWrappers(shorter)).length === 0) unnoticed.push(room);
  }
  expect(unnoticed).toEqual([]);
});
