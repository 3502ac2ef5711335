/**
 * The nemesis: does to a cluster what the world does, at random moments drawn from the seed, and makes good again in the end.
 *
 * Which kinds of faults a run has is drawn first (swarm testing: Groce and others, 2012): a run in which everything happens all the time
 * hides what only two faults together bring about. Every fault ends by itself after a while; `heal` ends what is left.
 */
import { pick, shuffle, type NodeId, type Random } from '@armature/kernel';
import type { SimulatedCluster } from '../cluster/simulated-cluster.js';

export type FaultKind =
  | 'partition'
  | 'one-way'
  | 'loss'
  | 'slow-link'
  | 'disorder'
  | 'bus-restart'
  | 'kill'
  | 'power'
  | 'stop'
  | 'pause'
  | 'slow-disk'
  | 'failing-disk'
  | 'full-disk'
  | 'rot';

export const FAULT_KINDS: readonly FaultKind[] = [
  'partition',
  'one-way',
  'loss',
  'slow-link',
  'disorder',
  'bus-restart',
  'kill',
  'power',
  'stop',
  'pause',
  'slow-disk',
  'failing-disk',
  'full-disk',
  'rot',
];

export interface NemesisOptions {
  /** All kinds that may occur; each run has a random subset. */
  readonly kinds: readonly FaultKind[];
  /** Mean time between the beginnings of two faults, ms. */
  readonly everyMs: number;
  /** Mean time of a fault, ms. */
  readonly lastMs: number;
}

export class Nemesis {
  readonly kinds: readonly FaultKind[];
  readonly #cluster: SimulatedCluster;
  readonly #options: NemesisOptions;
  readonly #random: Random;
  readonly #down = new Set<NodeId>();
  readonly #restarts = new Set<Promise<void>>();
  #loss = 0;
  #disorder = 0;
  #stopped = false;
  /** Faults done so far. */
  count = 0;

  constructor(cluster: SimulatedCluster, options: NemesisOptions) {
    this.#cluster = cluster;
    this.#options = options;
    this.#random = cluster.world.random('nemesis');
    const share = this.#random.float();
    this.kinds = options.kinds.filter(() => this.#random.float() < share);
    cluster.world.trace.note('nemesis', `may do: ${this.kinds.join(', ')}`);
  }

  async run(): Promise<void> {
    while (!this.#stopped) {
      await this.#cluster.world.sleep(this.#options.everyMs * 2 * this.#random.float());
      const kind = pick(this.#random, this.kinds);
      if (kind === undefined || this.#stopped) continue;
      this.count++;
      this.#do(kind, this.#options.lastMs * 2 * this.#random.float());
    }
  }

  /** Ends everything, brings every node back, and lets nothing begin any more. */
  async heal(): Promise<void> {
    this.#stopped = true;
    const { world, network, members } = this.#cluster;
    world.trace.note('nemesis', 'heals all');
    network.healAll();
    this.#loss = 0;
    this.#disorder = 0;
    this.#cluster.shapeAsUsual();
    for (const { disk } of members.values()) Object.assign(disk.faults, { full: false, failing: 0, slowness: 1 });
    await Promise.all(this.#restarts);
    for (const { name, node } of members.values()) if (node === undefined) await this.#bringBack(name);
  }

  #do(kind: FaultKind, lastMs: number): void {
    const { world, network, members } = this.#cluster;
    const say = (what: string): void => world.trace.note('nemesis', `${what} for ${lastMs.toFixed(0)} ms`);
    const later = (end: () => void): void => void world.at(world.nowMs + lastMs, end);
    const names = shuffle(this.#random, [...this.#cluster.connections]);
    const member = pick(this.#random, [...members.values()]);
    if (member === undefined) return;
    const { disk } = member;
    switch (kind) {
      case 'partition': {
        const cut = 1 + this.#random.int(names.length - 1);
        const [left, right] = [names.slice(0, cut), names.slice(cut)];
        say(`cuts ${left.join(' ')} off from ${right.join(' ')}`);
        network.partition(left, right);
        later(() => {
          for (const a of left) for (const b of right) network.heal(a, b);
        });
        return;
      }
      case 'one-way': {
        const [a, b] = names;
        if (a === undefined || b === undefined) return;
        say(`loses all from ${a} to ${b}`);
        network.cutOneWay(a, b);
        later(() => network.heal(a, b));
        return;
      }
      case 'slow-link': {
        const [a, b] = names;
        if (a === undefined || b === undefined) return;
        const delayMs = 5 + this.#random.int(2_000);
        say(`delays all from ${a} to ${b} by ${delayMs} ms`);
        network.delay(a, b, delayMs);
        later(() => network.delay(a, b, 0));
        return;
      }
      case 'loss':
        this.#loss = this.#random.float() * 0.2;
        say(`loses ${(this.#loss * 100).toFixed(1)} % of all messages`);
        this.#reshape();
        later(() => {
          this.#loss = 0;
          this.#reshape();
        });
        return;
      case 'disorder':
        this.#disorder = this.#random.float() * 0.2;
        say(`repeats or delays ${(this.#disorder * 100).toFixed(1)} % of all messages`);
        this.#reshape();
        later(() => {
          this.#disorder = 0;
          this.#reshape();
        });
        return;
      case 'bus-restart':
        this.#cluster.restartBus();
        return;
      case 'kill':
      case 'power':
      case 'stop':
        this.#takeDown(member.name, kind, lastMs);
        return;
      case 'pause':
        if (member.process === undefined) return;
        say(`pauses ${member.name}`);
        member.process.pauseUntil(world.nowMs + lastMs);
        return;
      case 'slow-disk':
        disk.faults.slowness = 2 + this.#random.int(500);
        say(`makes the disk of ${member.name} ${disk.faults.slowness} times slower`);
        later(() => (disk.faults.slowness = 1));
        return;
      case 'failing-disk':
        disk.faults.failing = this.#random.float();
        say(`makes ${(disk.faults.failing * 100).toFixed(0)} % of the writes of ${member.name} fail`);
        later(() => (disk.faults.failing = 0));
        return;
      case 'full-disk':
        say(`fills the disk of ${member.name}`);
        disk.faults.full = true;
        later(() => (disk.faults.full = false));
        return;
      case 'rot':
        world.trace.note('nemesis', `rots ${disk.rot(1 + this.#random.int(3))} records of ${member.name}`);
        return;
    }
  }

  /** Not more than one node at a time is taken down, so that two remain of every three owners. */
  #takeDown(name: NodeId, how: 'kill' | 'power' | 'stop', lastMs: number): void {
    if (this.#down.size > 0) return;
    this.#down.add(name);
    const { world } = this.#cluster;
    const restart = async (): Promise<void> => {
      if (how === 'stop') await this.#cluster.stopNode(name);
      else this.#cluster.crashNode(name, how === 'kill' ? 'process' : 'machine');
      await world.sleep(lastMs);
      await this.#bringBack(name);
      this.#down.delete(name);
    };
    const restarted = restart().finally(() => this.#restarts.delete(restarted));
    this.#restarts.add(restarted);
  }

  /** As a supervisor does: again and again. */
  async #bringBack(name: NodeId): Promise<void> {
    for (;;) {
      try {
        await this.#cluster.startNode(name);
        return;
      } catch (thrown) {
        this.#cluster.world.trace.note(name, `does not start: ${String(thrown)}`);
        this.#cluster.abandonNode(name);
        await this.#cluster.world.sleep(1_000);
      }
    }
  }

  #reshape(): void {
    this.#cluster.shapeAsUsual((usualMs) => {
      if (this.#loss > 0 && this.#random.float() < this.#loss) return 'lost';
      if (this.#disorder === 0 || this.#random.float() >= this.#disorder) return usualMs;
      const late = usualMs + this.#random.float() * 200;
      return { delaysMs: this.#random.int(2) === 0 ? [late] : [usualMs, late] };
    });
  }
}
