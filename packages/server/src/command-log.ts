/**
 * The commands that a node keeps record of: those that were given at its own door of administration, and those that routers and
 * workers, which keep nothing, have handed to it. They are in the node's store, so that they survive it, and there are only so
 * many: the oldest go first.
 *
 * A command that is given again before long adds to the record of the one before, so that a repair, which is a command for each
 * two replicas, is one record, and whoever is refused over and over again pushes out nobody else's. It is written at most once a
 * second meanwhile.
 */
import { toArmatureError } from '@armature/kernel';
import { MAX_COMMANDS, type CommandRecord } from '@armature/protocol';
import type { Logger } from '@armature/runtime';

export interface CommandStore {
  /** Oldest first. */
  load(): Promise<readonly CommandRecord[]>;
  /** Puts one in the place of the one with its id and time, if there is one, and drops others. */
  save(kept: CommandRecord, dropped: readonly CommandRecord[]): Promise<void>;
}

/** A command given again after less than that is the same one. */
const SAME_WITHIN_MS = 600_000;
/** The counts of the last second may be lost with the process. */
const SAVE_EVERY_MS = 1_000;

export interface Kept {
  /** Oldest first. */
  readonly commands: readonly CommandRecord[];
  /** The one that is new, or has been added to. */
  readonly written: CommandRecord;
  readonly dropped: readonly CommandRecord[];
}

/** What is kept once this command has been given. */
export function withCommand(commands: readonly CommandRecord[], given: CommandRecord, limit = MAX_COMMANDS): Kept {
  const place = commands.findLastIndex((one) => isSame(one, given));
  const before = commands[place];
  if (before !== undefined) {
    const lastMs = Math.max(before.lastMs, given.lastMs);
    const written = { ...before, lastMs, count: before.count + given.count };
    return { commands: commands.with(place, written), written, dropped: [] };
  }
  const all = [...commands, given];
  const excess = Math.max(0, all.length - limit);
  return { commands: all.slice(excess), written: given, dropped: all.slice(0, excess) };
}

function isSame(one: CommandRecord, other: CommandRecord): boolean {
  const isAlike =
    one.at === other.at && one.author === other.author && one.command === other.command && one.outcome === other.outcome;
  return isAlike && Math.abs(other.lastMs - one.lastMs) < SAME_WITHIN_MS;
}

export class CommandLog {
  readonly #store: CommandStore;
  readonly #log: Logger;
  #commands: readonly CommandRecord[];
  /** By id: when the record was written last, by its own time. */
  readonly #savedMs = new Map<string, number>();

  private constructor(store: CommandStore, log: Logger, commands: readonly CommandRecord[]) {
    this.#store = store;
    this.#log = log;
    this.#commands = commands;
  }

  /** Errors: those of the store. */
  static async open(store: CommandStore, log: Logger): Promise<CommandLog> {
    return new CommandLog(store, log, await store.load());
  }

  /** Oldest first. */
  get commands(): readonly CommandRecord[] {
    return this.#commands;
  }

  /**
   * Resolves when it is stored. A store that fails keeps nobody from giving commands, least of all those that mend it: then the
   * log of the process has it, and this node until it stops.
   */
  async keep(command: CommandRecord): Promise<void> {
    const { commands, written, dropped } = withCommand(this.#commands, command);
    this.#commands = commands;
    for (const { id } of dropped) this.#savedMs.delete(id);
    const savedMs = this.#savedMs.get(written.id);
    if (savedMs === undefined || Math.abs(written.lastMs - savedMs) >= SAVE_EVERY_MS) await this.#save(written, dropped);
  }

  /** Writes what was counted since it was written last. */
  async close(): Promise<void> {
    for (const one of this.#commands) if (this.#isUnsaved(one)) await this.#save(one, []);
  }

  #isUnsaved({ id, lastMs }: CommandRecord): boolean {
    const savedMs = this.#savedMs.get(id);
    return savedMs !== undefined && savedMs !== lastMs;
  }

  async #save(command: CommandRecord, dropped: readonly CommandRecord[]): Promise<void> {
    this.#savedMs.set(command.id, command.lastMs);
    await this.#store.save(command, dropped).catch((thrown: unknown) => {
      this.#log.warn({ err: toArmatureError(thrown), ...command }, 'the record of a command could not be stored');
    });
  }
}
