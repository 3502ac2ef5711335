import type { ClusterName, NodeId, ZoneName } from '@armature/kernel';
import { hlcFromMs } from '@armature/kernel';
import { foldHistory, History, type View } from '@armature/membership';
import type { Change, ChangeRecord } from '@armature/protocol';
import { ManualClock, silentLog } from '@armature/runtime';
import { describe, expect, test } from 'vitest';
import { Departure } from './departure.js';

const names = ['n1', 'n2', 'n3', 'n4'] as NodeId[];
const [n1, n2, n3, n4] = names as [NodeId, NodeId, NodeId, NodeId];

/** A node n4 whose membership is told change by change. */
class World {
  readonly clock = new ManualClock();
  readonly records: ChangeRecord[] = [];
  view: View = foldHistory(History.empty);
  emptyHanded = true;
  refusals = 0;
  declared = 0;
  looked = 0;
  readonly departure = new Departure({
    node: n4,
    membership: this.#membership(),
    isEmptyHanded: () => {
      this.looked++;
      return Promise.resolve(this.emptyHanded);
    },
    clock: this.clock,
    log: silentLog,
  });

  happen(change: Change, by = n1): this {
    const sequence = this.records.length + 1;
    this.records.push({ id: sequence.toString(16).padStart(16, '0'), at: hlcFromMs(sequence), by, author: by, change });
    const merged = History.empty.merge(this.records);
    if (!merged.ok) throw merged.error;
    this.view = foldHistory(merged.value.history);
    this.departure.follow();
    return this;
  }

  create(): this {
    const zone = 'z' as ZoneName;
    const members = names.map((node) => ({ node, weight: 1, zone }));
    const cluster = 'test' as ClusterName;
    return this.happen({
      kind: 'create',
      clusterId: 'c1'.repeat(16),
      cluster,
      strategy: 3,
      partitionCount: 16,
      targetN: 3,
      members,
    });
  }

  successorsReady(): this {
    for (const node of [n1, n2, n3]) {
      const copies = this.view.pendingFor(node);
      const [first] = copies;
      if (first === undefined) continue;
      this.happen({ kind: 'ready', node, change: first.change, partitions: copies.map(({ partition }) => partition) }, node);
    }
    return this;
  }

  #membership(): ConstructorParameters<typeof Departure>[0]['membership'] {
    // eslint-disable-next-line @typescript-eslint/no-this-alias -- the getter below is another object's
    const world = this;
    return {
      get view() {
        return world.view;
      },
      declareLeft: () => {
        if (world.refusals-- > 0) return Promise.reject(new Error('the disk is full'));
        world.declared++;
        world.happen({ kind: 'left', node: n4 }, n4);
        return Promise.resolve(world.records.at(-1));
      },
    };
  }
}

describe('departure', () => {
  test('phases: no member, staying, serving until the successors are ready, clearing, gone', async () => {
    const world = new World();
    world.emptyHanded = false;
    expect(world.departure.phase).toBe('gone');
    expect(world.create().departure.phase).toBe('staying');
    expect(world.happen({ kind: 'leave', node: n4 }).departure.phase).toBe('serving');
    expect(world.successorsReady().departure.phase).toBe('clearing');
    world.emptyHanded = true;
    await world.clock.advance(1_000);
    expect(world.departure.phase).toBe('gone');
    expect(world.declared).toBe(1);
    expect(world.clock.pending).toBe(0);
  });

  test('nothing is asked while it serves; then every second until the hands are empty', async () => {
    const world = new World().create().happen({ kind: 'leave', node: n4 });
    world.emptyHanded = false;
    await world.clock.advance(5_000);
    expect(world.looked).toBe(0);
    world.successorsReady();
    await world.clock.advance(5_000);
    expect(world.looked).toBeGreaterThanOrEqual(5);
    expect(world.declared).toBe(0);
    world.emptyHanded = true;
    await world.clock.advance(1_000);
    expect(world.declared).toBe(1);
  });

  test('a record that cannot be kept is tried again', async () => {
    const world = new World().create();
    world.refusals = 2;
    world.happen({ kind: 'leave', node: n4 }).successorsReady();
    await world.clock.advance(5_000);
    expect(world.declared).toBe(1);
  });

  test('called back while it clears: it stays, and no more is asked', async () => {
    const world = new World().create().happen({ kind: 'leave', node: n4 });
    world.emptyHanded = false;
    world.successorsReady();
    await world.clock.advance(2_000);
    world.happen({ kind: 'join', node: n4, weight: 1, zone: 'z' as ZoneName });
    world.emptyHanded = true;
    await world.clock.advance(5_000);
    expect(world.declared).toBe(0);
    expect(world.departure.phase).toBe('staying');
    expect(world.clock.pending).toBe(0);
  });

  test('stopped: nothing is stated any more', async () => {
    const world = new World().create().happen({ kind: 'leave', node: n4 });
    world.emptyHanded = false;
    world.successorsReady();
    world.departure.stop();
    world.emptyHanded = true;
    await world.clock.advance(5_000);
    expect(world.declared).toBe(0);
    expect(world.clock.pending).toBe(0);
  });
});
