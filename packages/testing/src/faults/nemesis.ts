/**
 * The nemesis: does to a cluster what its schedule says, and makes good again in the end. What cannot be done when its time comes
 * (a node that is down cannot be killed) is left out, and the trace says so.
 */
import type { NodeId, Random } from '@armature/kernel';
import { laterRelease, VERSION_REFUSAL } from '../cluster/later-release.js';
import { BUS_RESTART_MS, type SimulatedCluster } from '../cluster/simulated-cluster.js';
import { Administrator } from './administrator.js';
import type { Conditions } from './conditions.js';
import { Cuts } from './cuts.js';
import { describeFault, type Fault } from './fault.js';
import { cutOffMs, Namesakes } from './namesakes.js';
import { aloneMs, OldCopies } from './old-copies.js';
import { Supervisor } from './supervisor.js';

/** Of `slow-link`, ms; of `slow-disk`, times; of `loss` and `disorder`, share of messages; of `rot`, records. */
const WORST = { delayMs: 2_000, slowness: 500, loss: 0.2, disorder: 0.2, lateMs: 200, rot: 3 };

/**
 * How far clocks jump, ahead or back: by what still passes for right, by hours, by years, beyond the year 2200. Each as often as
 * the others.
 */
const FARTHEST_JUMPS_MS = [50_000, 24 * 3_600_000, 30 * 365 * 86_400_000, 250 * 365 * 86_400_000];
/** One jump in so many is not set right before the end. */
const STAYS_EACH = 4;
const SPEAKS_EVERY_MS = 500;

/** By how much a clock jumps, ms: ahead for a degree below a half, and back. */
function jumpOf(degree: number): number {
  const share = (degree * 2) % 1;
  const farthestMs = FARTHEST_JUMPS_MS[Math.floor(share * FARTHEST_JUMPS_MS.length)] as number;
  const jumpMs = ((share * FARTHEST_JUMPS_MS.length) % 1) * farthestMs;
  return degree < 0.5 ? jumpMs : -jumpMs;
}

/** How long a fault lasts whatever else happens, ms. */
function lengthOf(fault: Fault): number {
  if (fault.kind === 'bus-restart') return BUS_RESTART_MS;
  if (fault.kind === 'old-copy') return fault.lastMs + aloneMs(fault);
  return fault.kind === 'namesake' ? cutOffMs(fault) : fault.lastMs;
}

export class Nemesis {
  readonly #cluster: SimulatedCluster;
  readonly #schedule: readonly Fault[];
  readonly #conditions: Conditions | undefined;
  readonly #supervisor: Supervisor;
  readonly #cuts: Cuts;
  readonly #administrator: Administrator;
  readonly #namesakes: Namesakes;
  readonly #oldCopies: OldCopies;
  readonly #random: Random;
  #isHealed = false;
  #loss = 0;
  #disorder = 0;
  #lastEndMs = 0;

  constructor(cluster: SimulatedCluster, schedule: readonly Fault[], conditions?: Conditions) {
    this.#cluster = cluster;
    this.#schedule = schedule;
    this.#conditions = conditions;
    this.#random = cluster.world.random('bad network');
    this.#supervisor = new Supervisor(cluster);
    this.#cuts = new Cuts(cluster.network);
    this.#administrator = new Administrator(cluster, this.#supervisor);
    this.#oldCopies = new OldCopies(cluster, this.#supervisor, this.#cuts, schedule);
    this.#namesakes = new Namesakes(cluster, this.#supervisor, this.#cuts, schedule);
  }

  /** Virtual time at which the last fault that has begun is over, as far as its end is known. */
  get quietSinceMs(): number {
    const isBusy = [this.#supervisor, this.#administrator, this.#namesakes].some((one) => one.isBusy);
    return isBusy ? Infinity : this.#lastEndMs;
  }

  /** Enters all faults into the agenda of the world, from now on. */
  start(): void {
    const { world } = this.#cluster;
    const startedMs = world.nowMs;
    for (const fault of this.#schedule) {
      world.at(startedMs + fault.atMs, () => {
        world.trace.note('nemesis', describeFault(fault));
        this.#lastEndMs = Math.max(this.#lastEndMs, world.nowMs + fault.lastMs);
        this.#conditions?.begins(fault, lengthOf(fault));
        this.#do(fault);
      });
    }
  }

  /** See `OldCopies`. */
  putBackOldest(): Promise<NodeId | undefined> {
    return this.#oldCopies.putBackOldest();
  }

  /**
   * Ends everything and brings every node back, but for the `frozen`: from now on they are cut off from all `others`. To be
   * called when the schedule is over.
   */
  async heal(frozen: readonly string[] = [], others: readonly string[] = []): Promise<void> {
    const { world, network, members } = this.#cluster;
    world.trace.note('nemesis', frozen.length === 0 ? 'heals all' : `heals all, and freezes ${frozen.join(' ')}`);
    this.#isHealed = true;
    await this.#namesakes.end();
    this.#cuts.heal();
    network.partition(frozen, others);
    this.#loss = 0;
    this.#disorder = 0;
    this.#cluster.shapeAsUsual();
    for (const { kind, whom } of this.#schedule) if (kind === 'clock') this.#cluster.setClock(whom[0] ?? '', 0);
    for (const { disk } of members.values()) {
      disk.atNextWrite = undefined;
      Object.assign(disk.faults, { full: false, failing: 0, slowness: 1 });
    }
    // Nobody wakes a process that stands still but the end of its pause.
    const awakeMs = Math.max(0, ...[...members.values()].map((member) => member.process?.pausedUntilMs ?? 0));
    await world.sleep(awakeMs - world.nowMs);
    await this.#administrator.settle();
    await this.#supervisor.settle();
  }

  #do(fault: Fault): void {
    const { kind, lastMs, whom, degree } = fault;
    const { world, network, members } = this.#cluster;
    const later = (end: () => void): void => void world.at(world.nowMs + lastMs, end);
    const [first = '', second = ''] = whom;
    const member = members.get(first as NodeId);
    switch (kind) {
      case 'partition': {
        const cut = whom.indexOf('');
        const [left, right] = [whom.slice(0, cut), whom.slice(cut + 1)];
        later(this.#cuts.partition(left, right));
        return;
      }
      case 'link-cut':
        // Two nodes that everybody else can hear, and who can hear everybody else.
        later(this.#cuts.partition([first], [second]));
        return;
      case 'one-way':
        later(this.#cuts.oneWay(first, second));
        return;
      case 'slow-link':
        network.delay(first, second, degree * WORST.delayMs);
        later(() => network.delay(first, second, 0));
        return;
      case 'loss':
        this.#loss = degree * WORST.loss;
        this.#reshape();
        later(() => {
          this.#loss = 0;
          this.#reshape();
        });
        return;
      case 'disorder':
        this.#disorder = degree * WORST.disorder;
        this.#reshape();
        later(() => {
          this.#disorder = 0;
          this.#reshape();
        });
        return;
      case 'bus-restart':
        this.#cluster.restartBus();
        return;
      case 'clock':
        this.#cluster.setClock(first, jumpOf(degree));
        if (Math.floor(degree * 1_000) % STAYS_EACH > 0) later(() => this.#cluster.setClock(first, 0));
        return;
      case 'join':
        this.#administrator.join(first as NodeId);
        return;
      default:
        if (member === undefined) return;
    }
    const { name, disk } = member;
    switch (kind) {
      case 'power':
        // Half of the time in the middle of a write.
        if (degree >= 0.5) {
          disk.atNextWrite = () => void world.at(world.nowMs + degree, () => void this.#supervisor.takeDown(name, kind, lastMs));
          return;
        }
        this.#supervisor.takeDown(name, kind, lastMs);
        return;
      case 'kill':
      case 'stop':
        this.#supervisor.takeDown(name, kind, lastMs);
        return;
      case 'wipe':
        this.#supervisor.takeDown(name, 'power', lastMs, () => {
          disk.wipe();
          return undefined;
        });
        return;
      case 'old-copy':
        this.#oldCopies.befall(fault);
        return;
      case 'fail-over': {
        // The standby has what there was a while ago. The process finds out, and ends; the next one opens what is there. One that
        // is not due before all is healed does not take place.
        const image = disk.image();
        later(() => {
          if (this.#isHealed) return;
          this.#supervisor.takeDown(name, 'kill', 0, () => {
            disk.failOver(image);
            return undefined;
          });
        });
        return;
      }
      case 'namesake':
        this.#namesakes.begin(fault);
        return;
      case 'pause':
        member.process?.pauseUntil(world.nowMs + lastMs);
        return;
      case 'suspend':
        member.process?.suspendUntil(world.nowMs + lastMs);
        return;
      case 'other-version':
        this.#supervisor.takeDown(name, 'stop', lastMs, () => this.#stepIn(name));
        return;
      case 'slow-disk':
        disk.faults.slowness = 1 + degree * WORST.slowness;
        later(() => (disk.faults.slowness = 1));
        return;
      case 'failing-disk':
        disk.faults.failing = degree;
        later(() => (disk.faults.failing = 0));
        return;
      case 'full-disk':
        disk.faults.full = true;
        later(() => (disk.faults.full = false));
        return;
      case 'rot':
        disk.rot(Math.ceil(degree * WORST.rot));
        return;
      case 'leave':
        this.#administrator.leave(name);
        return;
      case 'waver':
        this.#administrator.waver(name, lastMs);
        return;
      case 'remove':
        this.#administrator.remove(name, lastMs);
        return;
      case 'replace':
        if (degree < 0.5) this.#administrator.relieve(name, second as NodeId);
        else this.#administrator.replaceDead(name, second as NodeId, lastMs);
        return;
      case 'weight':
        this.#administrator.reweigh(name, Math.ceil(degree * 3));
        return;
    }
  }

  /**
   * A later release runs in the place of the node: whatever it says, it must be told that nobody understands it. The result ends
   * it.
   */
  #stepIn(name: NodeId): () => void {
    const { world } = this.#cluster;
    const later = laterRelease(this.#cluster, name);
    const beganMs = world.nowMs;
    let isOver = false;
    const speak = (): void => {
      if (isOver) return;
      for (const { options } of this.#cluster.running) later.speakTo(options.node);
      world.at(world.nowMs + SPEAKS_EVERY_MS, speak);
    };
    speak();
    return () => {
      isOver = true;
      const [other] = later.answers.filter((answer) => answer !== VERSION_REFUSAL);
      if (other !== undefined) world.problems.push(`versions: ${name} spoke another version and was answered: ${other}`);
      // Where nothing else is wrong in the run, everybody hears it, and says so.
      const isHeard = this.#schedule.every(({ kind }) => kind === 'other-version') && world.nowMs - beganMs > 2 * SPEAKS_EVERY_MS;
      if (isHeard && later.answers.length === 0)
        world.problems.push(`versions: ${name} spoke another version and was not refused`);
      void later.end();
    };
  }

  #reshape(): void {
    const random = this.#random;
    this.#cluster.shapeAsUsual((usualMs) => {
      if (this.#loss > 0 && random.float() < this.#loss) return 'lost';
      if (this.#disorder === 0 || random.float() >= this.#disorder) return usualMs;
      const late = usualMs + random.float() * WORST.lateMs;
      return { delaysMs: random.int(2) === 0 ? [late] : [usualMs, late] };
    });
  }
}
