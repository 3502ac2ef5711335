/**
 * Names used twice: a second process of a node's name, a *namesake*, is started while the first runs, as when a container is
 * started twice, or a machine from the image of another. Its disk is empty, or a copy of the first one's. It starts at once, or
 * while the first is cut off from everybody; then it finds nobody of its name.
 *
 * A namesake that has come too late is refused; one that has started ends when the two can hear each other. Where nothing else is
 * wrong in a run it is known who can hear whom, and both are claimed here. That the first never gives up what it holds is for
 * `check/names.ts`.
 *
 * An administrator looks on: whoever ends because its name is another's is started again, and a node that says that another
 * process has run under its name is restarted, as it asks.
 */
import type { NodeId } from '@armature/kernel';
import type { SimulatedCluster } from '../cluster/simulated-cluster.js';
import type { SimulatedProcess } from '../world/process.js';
import type { Cuts } from './cuts.js';
import type { Fault } from './fault.js';
import type { Supervisor } from './supervisor.js';

/**
 * A namesake lives for less than the quarantine of reaping, as a run has it: else it could clear, twice, in the name of one that
 * is cut off and holds what the tombstone covers. In production it has stated its actor long before that, in a minute, and the
 * first learns by it that its store is not the only one.
 */
const LONGEST_CUT_MS = 5_000;
/** Two that hear each other find out with the next beat (`server/presence.ts`). */
const MEETING_MS = 6_000;
/** Of two that have been up for about as long, either may stay (`server/name-claim.ts`). */
const OLDER_MS = 3_000;
const LOOK_MS = 500;
const CONTESTED = 'another process has run under its name';

/** Whether the first is cut off from everybody meanwhile. */
export function isCutOff({ degree }: Pick<Fault, 'degree'>): boolean {
  return Math.floor(degree * 4) % 2 === 1;
}

function hasCopy({ degree }: Pick<Fault, 'degree'>): boolean {
  return degree >= 0.5;
}

/** How long the first is cut off. */
export function cutOffMs({ lastMs }: Pick<Fault, 'lastMs'>): number {
  return Math.min(lastMs, LONGEST_CUT_MS);
}

export class Namesakes {
  readonly #cluster: SimulatedCluster;
  readonly #supervisor: Supervisor;
  readonly #cuts: Cuts;
  /** Whether nothing else is wrong in the run. */
  readonly #isAlone: boolean;
  /** Names of all processes that may yet come. */
  readonly #names: readonly string[];
  #running: Promise<void> | undefined;
  /** The last that had a namesake, if it had been up for so long that it must stay. */
  #first: SimulatedProcess | undefined;
  #isOver = false;
  #isLookingOn = false;

  constructor(cluster: SimulatedCluster, supervisor: Supervisor, cuts: Cuts, schedule: readonly Fault[]) {
    this.#cluster = cluster;
    this.#supervisor = supervisor;
    this.#cuts = cuts;
    this.#isAlone = schedule.every(({ kind }) => kind === 'namesake');
    this.#names = schedule.flatMap(({ whom }) => whom);
  }

  get isBusy(): boolean {
    return this.#running !== undefined;
  }

  begin(fault: Fault): void {
    const name = fault.whom[0] as NodeId;
    if (this.isBusy || this.#isOver || !this.#supervisor.isUp(name)) return;
    if (!this.#isLookingOn) this.#lookOn();
    this.#isLookingOn = true;
    this.#running = this.#run(name, fault).finally(() => (this.#running = undefined));
  }

  /** Resolves when there is one process of every name, and begins nothing more. */
  async end(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  async #run(name: NodeId, fault: Fault): Promise<void> {
    const { world } = this.#cluster;
    const member = this.#cluster.member(name);
    const isOlder = world.nowMs - (member.process?.startedMs ?? world.nowMs) > OLDER_MS;
    this.#first = isOlder ? member.process : undefined;
    const isCut = isCutOff(fault);
    const others = [...new Set([...this.#cluster.connections, ...this.#names, `${name}'`])].filter((other) => other !== name);
    const heal = isCut ? this.#cuts.partition([name], others) : () => undefined;
    const healedMs = world.nowMs + cutOffMs(fault);
    const image = hasCopy(fault) ? member.disk.image() : undefined;
    const started = await this.#cluster.startNamesake(name, image).then(
      () => true,
      () => false,
    );
    if (started && !isCut) this.#claim(false, `a second ${name} was started beside the first`);
    await this.#until(() => world.nowMs >= healedMs, healedMs);
    heal();
    await this.#until(() => member.namesake === undefined, world.nowMs + MEETING_MS);
    this.#claim(member.namesake === undefined || !isOlder, `a second ${name} went on beside the first`);
    this.#cluster.endNamesake(name);
  }

  /** Until then, or until it is so, or the faults are over. */
  async #until(isSo: () => boolean, limitMs: number): Promise<void> {
    const { world } = this.#cluster;
    while (!isSo() && world.nowMs < limitMs && !this.#isOver) await world.sleep(Math.min(LOOK_MS, limitMs - world.nowMs));
  }

  #claim(isSo: boolean, problem: string): void {
    if (!isSo && this.#isAlone && !this.#isOver) this.#cluster.world.problems.push(`names: ${problem}`);
  }

  /** To the end of the run: who learns of a namesake may learn of it late. */
  #lookOn(): void {
    const { world, members } = this.#cluster;
    /** Processes that have lost their names, and are to end. One may be starting still. */
    const ended = new Map<NodeId, SimulatedProcess | undefined>();
    this.#cluster.onNameLost = (name) => {
      const life = this.#cluster.member(name).process;
      ended.set(name, life);
      this.#claim(life !== this.#first, `${name} gave way to a second one, which was younger`);
    };
    const look = (): void => {
      for (const member of members.values()) {
        const { name, node, disk, namesake } = member;
        const isContested = namesake === undefined && node?.notes.some((note) => note.includes(CONTESTED)) === true;
        if (isContested && this.#supervisor.takeDown(name, 'stop', 0)) disk.suffered('replaced'); // it is going to discard what it holds
        if (ended.has(name) && (ended.get(name) !== member.process || this.#supervisor.takeDown(name, 'kill', 0)))
          ended.delete(name);
      }
      world.at(world.nowMs + LOOK_MS, look);
    };
    look();
  }
}
