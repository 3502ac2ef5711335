/**
 * The administrator: changes the membership while everything else goes on. A change that is refused is left out, as a person
 * would; one that goes to a node that is just going down is tried at another.
 */
import { pick, toArmatureError, type NodeId, type Random } from '@armature/kernel';
import type { Change, MemberSettings } from '@armature/protocol';
import type { SimulatedCluster } from '../cluster/simulated-cluster.js';
import type { Supervisor } from './supervisor.js';

const ATTEMPTS = 20;
const RETRY_MS = 2_000;
/** At the most. */
const WAVERS_EVERY_MS = 400;

export class Administrator {
  readonly #cluster: SimulatedCluster;
  readonly #supervisor: Supervisor;
  readonly #random: Random;
  readonly #work = new Set<Promise<void>>();

  constructor(cluster: SimulatedCluster, supervisor: Supervisor) {
    this.#cluster = cluster;
    this.#supervisor = supervisor;
    this.#random = cluster.world.random('administrator');
  }

  get isBusy(): boolean {
    return this.#work.size > 0;
  }

  /** A new node is started and joins. */
  join(name: NodeId): void {
    this.#keep(async () => {
      if (!this.#cluster.members.has(name)) await this.#supervisor.bringUp(name);
      await this.#propose({ kind: 'join', ...this.#settingsOf(name) });
    });
  }

  leave(name: NodeId): void {
    this.#keep(() => this.#propose({ kind: 'leave', node: name }));
  }

  /**
   * Nobody is sure about it: the node is told to leave, is called back, is told to leave again, each time at another node, and
   * nobody waits for the last command to be everywhere.
   */
  waver(name: NodeId, forMs: number): void {
    const { world } = this.#cluster;
    this.#keep(async () => {
      for (const untilMs = world.nowMs + forMs; world.nowMs < untilMs;) {
        this.#command({ kind: 'leave', node: name });
        await world.sleep(this.#random.float() * WAVERS_EVERY_MS);
        this.#command({ kind: 'join', ...this.#settingsOf(name) });
        await world.sleep(this.#random.float() * WAVERS_EVERY_MS);
      }
      await this.#propose({ kind: 'join', ...this.#settingsOf(name) });
    });
  }

  reweigh(name: NodeId, weight: number): void {
    this.#keep(() => this.#propose({ kind: 'weight', node: name, weight }));
  }

  /** The node is gone, and removed. */
  remove(name: NodeId, awayMs: number): void {
    this.#keep(async () => {
      if (this.#memberCount() <= 3) return;
      await this.#loseForAWhile(name, awayMs, () => this.#propose({ kind: 'remove', node: name }));
    });
  }

  /** A new node is started and takes over from another, which goes in good order. */
  relieve(name: NodeId, by: NodeId): void {
    this.#keep(() => this.#replace(name, by, false));
  }

  /** The node is gone, and a new one takes its place. */
  replaceDead(name: NodeId, by: NodeId, awayMs: number): void {
    this.#keep(() => this.#loseForAWhile(name, awayMs, () => this.#replace(name, by, true)));
  }

  /** Resolves when every change has been made or refused. */
  async settle(): Promise<void> {
    while (this.#work.size > 0) await Promise.all(this.#work);
  }

  /** After that while somebody finds the machine, and it joins again with whatever is on its disk. */
  async #loseForAWhile(name: NodeId, awayMs: number, meanwhile: () => Promise<void>): Promise<void> {
    if (!(await this.#supervisor.putAway(name, 'kill'))) return;
    const stints = this.#stintsOf(name);
    const allKnow = this.#cluster.member(name).disk.removed();
    await meanwhile();
    void this.#untilForgotten(name, stints).then(allKnow);
    await this.#cluster.world.sleep(awayMs);
    await this.#supervisor.bringUp(name);
    await this.#propose({ kind: 'join', ...this.#settingsOf(name) });
  }

  /** Those of its memberships that anybody counts who runs. */
  #stintsOf(name: NodeId): readonly string[] {
    return this.#cluster.running.flatMap(({ participant }) => participant.membership.view.members.get(name)?.stint ?? []);
  }

  /**
   * Until nobody counts one of these memberships any more; at once where nobody has heard that they are over, since they are not.
   */
  async #untilForgotten(name: NodeId, stints: readonly string[]): Promise<void> {
    const counting = (): number => this.#stintsOf(name).filter((stint) => stints.includes(stint)).length;
    if (counting() === this.#cluster.running.length) return;
    while (counting() > 0) await this.#cluster.world.sleep(RETRY_MS);
  }

  async #replace(node: NodeId, by: NodeId, dead: boolean): Promise<void> {
    if (!this.#cluster.members.has(by)) await this.#supervisor.bringUp(by);
    await this.#propose({ kind: 'replace', node, by: this.#settingsOf(by), dead });
  }

  #settingsOf(node: NodeId): MemberSettings {
    return { node, weight: 1, zone: this.#cluster.zoneOf(node) };
  }

  #memberCount(): number {
    return Math.max(0, ...this.#cluster.running.map((node) => node.participant.membership.view.members.size));
  }

  /** At some node, once, whatever becomes of it. */
  #command(change: Change): void {
    const { world } = this.#cluster;
    const members = this.#cluster.running.filter(({ options, participant }) =>
      participant.membership.view.members.has(options.node),
    );
    const at = pick(this.#random, members);
    if (at === undefined) return;
    this.#cluster
      .propose(at.options.node, change)
      .catch((thrown: unknown) => world.trace.note('admin', `refused: ${toArmatureError(thrown).message}`));
  }

  async #propose(change: Change): Promise<void> {
    const { world } = this.#cluster;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const at = this.#cluster.running.find((node) => node.participant.membership.view.cluster !== undefined);
      if (at !== undefined) {
        try {
          await this.#cluster.propose(at.options.node, change);
          return;
        } catch (thrown) {
          const error = toArmatureError(thrown);
          world.trace.note('admin', `refused: ${error.code}: ${error.message}`);
          if (error.code === 'invalid-argument') return;
        }
      }
      await world.sleep(RETRY_MS);
    }
  }

  #keep(work: () => Promise<void>): void {
    const done = work().finally(() => this.#work.delete(done));
    this.#work.add(done);
  }
}
