/**
 * Deletes and re-creations: few keys, each put, deleted and put again and again, by everybody. Now with the context of a read
 * just made, now with the context that the last write gave, now with one that has been lying about for a while and knows nothing
 * of what came since, now with none.
 */
import { pick } from '@armature/kernel';
import type { LoggedRegisters, Seen } from './registers.js';
import { SteppingClient } from './workload.js';
import type { KeySpace } from './key-space.js';
import type { Random } from '@armature/kernel';
import type { World } from '../world/world.js';

/** Contexts that a client keeps of a key. */
const KEPT = 8;

export class RecreationClient extends SteppingClient {
  readonly #registers: LoggedRegisters;
  readonly #keys: KeySpace;
  readonly #kept = new Map<string, Seen[]>();

  constructor(world: World, random: Random, registers: LoggedRegisters, options: { keys: KeySpace; thinkMs: number }) {
    super(world, random, options.thinkMs);
    this.#registers = registers;
    this.#keys = options.keys;
  }

  protected override async step(): Promise<void> {
    const key = this.#keys.pick(this.random);
    const kind = this.random.int(2) === 0 ? 'delete' : 'put';
    const kept = this.#kept.get(key) ?? [];
    const way = this.random.int(8);
    // A delete without a context is a read and a delete, whose context nobody gets to see; so is one with an old context that
    // read nothing.
    if (way === 0 && kind === 'put') return this.#write(kind, key, undefined);
    if (way === 1) return this.#writeOver(kind, key, kept.at(-1));
    if (way <= 3) return this.#writeOver(kind, key, pick(this.random, kept));
    return this.#writeOver(kind, key, await this.#read(key));
  }

  async #writeOver(kind: 'put' | 'delete', key: string, seen: Seen | undefined): Promise<void> {
    if (seen?.context === undefined && kind === 'delete') return;
    await this.#write(kind, key, seen);
  }

  async #read(key: string): Promise<Seen | undefined> {
    const seen = await this.#registers.read(key);
    if (seen !== undefined) this.#keep(key, seen);
    return seen;
  }

  async #write(kind: 'put' | 'delete', key: string, seen: Seen | undefined): Promise<void> {
    const after = await this.#registers.write(kind, key, seen);
    if (after !== undefined) this.#keep(key, after);
  }

  #keep(key: string, seen: Seen): void {
    this.#kept.set(key, [...(this.#kept.get(key) ?? []), seen].slice(-KEPT));
  }
}
