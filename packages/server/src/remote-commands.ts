/**
 * Records of commands that were given to a router or a worker. These keep nothing, so a node does it for them. A command is
 * answered when its record is kept, or before long in any case: a worker can be paused while no node can be reached. What nobody
 * keeps is in the log of the process, like every command.
 */
import type { LinkAddress } from '@armature/bus';
import type { Participant } from '@armature/coordination';
import { toArmatureError, type ArmatureError } from '@armature/kernel';
import { nodeAddress, type CommandRecord } from '@armature/protocol';
import { waitAtMost, type Clock, type Logger } from '@armature/runtime';

const ATTEMPTS = 3;
const TIMEOUT_MS = 2_000;
const PATIENCE_MS = 500;
/** On their way at a time. Whoever gives commands faster than that has some of them kept. */
const MAX_UNDER_WAY = 32;

export class RemoteCommands {
  readonly #participant: Participant;
  readonly #clock: Clock;
  readonly #log: Logger;
  #underWay = 0;

  constructor(participant: Participant, { clock, log }: { readonly clock: Clock; readonly log: Logger }) {
    this.#participant = participant;
    this.#clock = clock;
    this.#log = log;
  }

  /** Resolves when a node keeps it, or cannot be waited for. Does not reject. */
  async keep(command: CommandRecord): Promise<void> {
    if (this.#underWay >= MAX_UNDER_WAY) {
      this.#log.warn({ ...command }, 'too many commands: no node keeps the record of this one');
      return;
    }
    this.#underWay++;
    const keeping = this.#keep(command).finally(() => this.#underWay--);
    await waitAtMost(this.#clock, PATIENCE_MS, keeping);
  }

  async #keep(command: CommandRecord): Promise<void> {
    const { membership, monitor, link } = this.#participant;
    let problem: ArmatureError | undefined;
    for (const node of monitor.order([...membership.view.members.keys()]).slice(0, ATTEMPTS)) {
      try {
        await link.request(nodeAddress(node) as LinkAddress, { kind: 'keep-command', command }, TIMEOUT_MS);
        return;
      } catch (thrown) {
        problem = toArmatureError(thrown);
        if (problem.details['executed'] !== 'no') break; // it may have been kept: two records would be two commands
      }
    }
    this.#log.warn({ err: problem, ...command }, 'no node keeps the record of this command');
  }
}
