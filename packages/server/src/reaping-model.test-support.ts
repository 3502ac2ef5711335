/**
 * Reaping against a model: real replicas, hint stores, actors and reapers over crashable disks, and a world that does to them
 * what it can. Writes with contexts of any age, messages that are late, doubled or lost, hints, stray records, exchanges and
 * repairs that carry an old state in memory for as long as their kind allows, crashes in the middle of a pass, clean restarts.
 *
 * Beside every replica goes the set of writes that it has ever seen. So the model knows, without looking at any clock, which
 * writes have been superseded, and at the end exactly the others must be there: no deleted value has come back, no write after a
 * reaping is lost, and all owners are equal. Clocks are pruned in these worlds, too, and what they have lost must not be missed.
 */
import { ArmatureError, seededRandom, toHex, utf8Decode, utf8Encode, type NodeId, type Random } from '@armature/kernel';
import type { AskedRequest } from '@armature/repair';
import type { Address } from '@armature/ring';
import { ManualClock } from '@armature/runtime';
import {
  contextOf,
  EMPTY_CONTEXT,
  isReapable,
  join,
  liveSiblings,
  type CausalContext,
  type OperationId,
} from '@armature/versioning';
import {
  BUCKET,
  decoded,
  KEYS,
  Member,
  NODES,
  placementOf,
  PRUNE_ABOVE,
  QUARANTINE_MS,
  VIEW,
  type Load,
  type MemberWorld,
} from './reaping-member.test-support.js';

/**
 * A repair leaves its sender at most this old, a message is on its way at most so long; the quarantine is more than both
 * together.
 */
const REPAIR_AGE_MS = 20;
const TRANSIT_MS = 60;

export type Step =
  | { readonly kind: 'put'; readonly key: number; readonly at: number; readonly context: number; readonly tombstone: boolean }
  | { readonly kind: 'deliver'; readonly message: number; readonly again: boolean }
  | { readonly kind: 'lose' | 'end' | 'send' | 'finish'; readonly which: number }
  | { readonly kind: 'read'; readonly key: number; readonly at: number; readonly replicas: number }
  | { readonly kind: 'exchange'; readonly key: number; readonly from: number; readonly to: number }
  | { readonly kind: 'hints' | 'flush' | 'down' | 'up' | 'crash' | 'restart'; readonly at: number; readonly keep: number }
  | { readonly kind: 'reap'; readonly key: number; readonly interleaved: number; readonly lost: number }
  | { readonly kind: 'delete' | 'overwrite'; readonly key: number; readonly at: number }
  | { readonly kind: 'settle'; readonly key: number; readonly spared: number }
  | { readonly kind: 'advance'; readonly ms: number };

interface Message extends Load {
  readonly to: NodeId;
  readonly hintFor: NodeId | undefined;
  readonly sentMs: number;
}

/** Something under way at a node that carries a state in memory: a put to be replicated, an exchange to be merged here. */
interface Operation extends Load {
  readonly node: Member;
  readonly life: number;
  readonly kind: 'put' | 'exchange';
}

export class World implements MemberWorld {
  readonly clock = new ManualClock();
  readonly random: Random = seededRandom('reaping');
  readonly members = NODES.map((name) => new Member(name, this));
  readonly messages: Message[] = [];
  readonly operations: Operation[] = [];
  /** Repairs that routers have read and not sent yet. */
  readonly repairs: (Load & { readonly to: readonly NodeId[]; readonly begunMs: number })[] = [];
  readonly contexts: { readonly key: Address; readonly context: CausalContext; readonly seen: ReadonlySet<string> }[] = [];
  /** By operation: what it wrote, if anything, and where. */
  readonly writes = new Map<string, { readonly key: Address; readonly value: string | undefined }>();
  readonly superseded = new Set<string>();
  readonly dots = new Map<string, string>();
  readonly broken: string[] = [];
  readonly steps: Step[];
  reaped = 0;
  pruned = 0;
  beforeHealing: () => void = () => undefined;
  #interleaved = 0;
  #lost = 0;
  #asked = 0;
  #turn: Promise<void> = Promise.resolve();

  constructor(steps: readonly Step[]) {
    this.steps = [...steps];
  }

  member(name: NodeId): Member {
    return this.members.find((one) => one.name === name)!;
  }

  hasInHand(member: Member, life: number, address: Address): boolean {
    return this.operations.some((one) => one.node === member && one.life === life && one.key === address);
  }

  async run(): Promise<void> {
    for (const member of this.members) await member.open();
    // Somebody who owned the first key once still has its first value.
    const [first] = KEYS as [Address];
    await this.#step({ kind: 'put', key: 0, at: NODES.indexOf(placementOf(first).owners[1]!), context: 0, tombstone: false });
    await this.member(placementOf(first).fallbacks[0]!).merge(this.member(placementOf(first).owners[1]!).held(first)!);
    for (let next = this.steps.shift(); next !== undefined; next = this.steps.shift()) await this.#step(next);
    this.beforeHealing();
    await this.#heal();
  }

  /** A question of a reaper: other things happen before it is answered, and it or its answer may be lost. */
  async carry(to: NodeId, request: AskedRequest): Promise<unknown> {
    const nth = ++this.#asked;
    // Members are asked all at once, but a step is whole: what the model knows of it must be what the replicas do.
    this.#turn = this.#turn.then(async () => {
      for (let i = 0; i < this.#interleaved; i++) {
        const next = this.steps[0]?.kind === 'reap' ? undefined : this.steps.shift();
        if (next !== undefined) await this.#step(next);
      }
    });
    await this.#turn;
    const member = this.member(to);
    if (!member.up || nth === this.#lost) throw new ArmatureError('timeout', 'no answer');
    const answer = await member.answer(request);
    if (nth + 1 === this.#lost) throw new ArmatureError('timeout', 'the answer is lost');
    return answer;
  }

  async #step(one: Step): Promise<void> {
    const address = 'key' in one ? KEYS[one.key]! : KEYS[0]!;
    const member = 'at' in one ? this.members[one.at]! : this.members[0]!;
    switch (one.kind) {
      case 'put':
        return this.#put(one, address, member);
      case 'deliver': {
        const place = one.message % Math.max(1, this.messages.length);
        const message = this.messages[place];
        if (message === undefined) return;
        if (!one.again) this.messages.splice(place, 1);
        return this.#arrive(message);
      }
      case 'lose':
        this.messages.splice(one.which, 1);
        return;
      case 'end':
        return this.#end(this.operations.splice(one.which % Math.max(1, this.operations.length), 1)[0]);
      case 'send': {
        // A put that is still in hand sends its version on, as a hint, however long ago it was.
        const operation = this.operations[one.which];
        if (operation?.kind !== 'put' || operation.life !== operation.node.life) return;
        const { owners, fallbacks } = placementOf(operation.key);
        this.#send(operation, fallbacks[0]!, owners[one.which % owners.length]);
        return;
      }
      case 'finish': {
        const [repair] = this.repairs.splice(one.which, 1);
        if (repair === undefined || this.clock.monotonicMs() - repair.begunMs > REPAIR_AGE_MS) return;
        for (const to of repair.to) this.#send(repair, to);
        return;
      }
      case 'read':
        return this.#read(address, one.replicas, one.at);
      case 'exchange': {
        const { owners } = placementOf(address);
        const from = this.member(owners[one.from % owners.length]!);
        const to = this.member(owners[one.to % owners.length]!);
        const load = from.up && to.up && from !== to ? from.held(address) : undefined;
        if (load !== undefined) this.operations.push({ ...load, node: to, life: to.life, kind: 'exchange' });
        return;
      }
      case 'hints':
        return member.up ? this.#takeHome(member) : undefined;
      case 'flush':
        return member.up ? this.#flush(member) : undefined;
      case 'down':
        member.up = false;
        return;
      case 'up':
        member.up = true;
        return;
      case 'crash':
        member.disk.crash(one.keep);
        return member.open();
      case 'restart':
        member.disk.sync();
        await member.epoch.close();
        return member.open();
      case 'reap':
        return this.#reap(address, one);
      case 'delete':
      case 'overwrite': {
        // With the context of all that any owner holds.
        const owners = placementOf(address).owners.map((owner) => this.member(owner));
        if (owners.every(({ up }) => up)) await this.#read(address, owners.length, 0);
        return this.#put({ ...one, kind: 'put', context: 1, tombstone: one.kind === 'delete' }, address, member);
      }
      case 'settle':
        return this.#settle(address, one.spared);
      case 'advance':
        return this.clock.advance(one.ms);
    }
  }

  async #put(one: Extract<Step, { kind: 'put' }>, address: Address, asked: Member): Promise<void> {
    const { owners, fallbacks } = placementOf(address);
    const member = owners.includes(asked.name) ? asked : this.member(owners[one.at % owners.length]!);
    const known = one.context === 0 ? undefined : this.contexts.filter((each) => each.key === address).at(-one.context);
    const operation = toHex(this.random.bytes(8)) as OperationId;
    const value = one.tombstone ? undefined : `v${this.writes.size}`;
    const request = {
      ...{ address, bucket: BUCKET, context: known?.context ?? EMPTY_CONTEXT, operation, tombstone: one.tombstone },
      ...{ value: utf8Encode(value ?? ''), meta: [] },
    };
    // Where no owner is up, a fallback mints.
    const standIn = owners.every((owner) => !this.member(owner).up) ? this.member(fallbacks[0]!) : undefined;
    const minting = standIn ?? (member.up ? member : this.member(owners.find((owner) => this.member(owner).up)!));
    if (!minting.up) return;
    const keptFor = standIn === undefined ? undefined : owners[0]!;
    const minted = await (keptFor === undefined ? minting.replica.mint(request) : minting.hints.mint(keptFor, request));
    this.writes.set(operation, { key: address, value });
    for (const before of known?.seen ?? []) this.superseded.add(before);
    const name = `${address} ${minted.dot!.actor} ${minted.dot!.counter}`;
    if (this.dots.has(name)) this.broken.push(`${name} names two writes`);
    this.dots.set(name, operation);
    const seen = new Set([...(known?.seen ?? []), operation]);
    minting.saw(address, seen, keptFor);
    const load = { key: address, set: minted.encoded, seen: minting.seen.get(`${keptFor ?? ''} ${address}`)! };
    for (const owner of owners) {
      if (owner === minting.name) continue;
      if (this.member(owner).up) this.#send(load, owner);
      else if (standIn === undefined) this.#send(load, fallbacks[0]!, owner);
    }
    this.operations.push({ ...load, node: minting, life: minting.life, kind: 'put' });
  }

  /** Of a router, which is no member: it repairs whom it has found behind, a little later. */
  async #read(address: Address, replicas: number, from: number): Promise<void> {
    const { owners } = placementOf(address);
    const asked = Array.from({ length: replicas }, (_, i) => this.member(owners[(from + i) % owners.length]!));
    if (asked.some(({ up }) => !up)) return;
    const answers = asked.map((one) => one.held(address));
    const all = answers.map((one) => decoded(one?.set)).reduce(join);
    if (all.clock.length === 0) return;
    const seen = new Set(answers.flatMap((one) => [...(one?.seen ?? [])]));
    this.contexts.push({ key: address, context: contextOf(all), seen });
    const full = answers.find((one) => one !== undefined && Buffer.from(one.set).equals(Buffer.from(answers[0]?.set ?? one.set)));
    const to = asked.filter((_, place) => answers[place] === undefined).map(({ name }) => name);
    if (full !== undefined && to.length > 0) this.repairs.push({ ...full, to, begunMs: this.clock.monotonicMs() });
  }

  #send(load: Load, to: NodeId, hintFor?: NodeId): void {
    this.messages.push({ ...load, to, hintFor, sentMs: this.clock.monotonicMs() });
  }

  async #arrive(message: Message): Promise<void> {
    const member = this.member(message.to);
    if (!member.up || this.clock.monotonicMs() - message.sentMs > TRANSIT_MS) return;
    await member.merge(message, message.hintFor);
  }

  async #end(operation: Operation | undefined): Promise<void> {
    if (operation?.kind === 'exchange' && operation.life === operation.node.life) await operation.node.merge(operation);
  }

  /** Nearly all that is under way comes to its end, and all nodes come up. */
  async #settle(address: Address, spared: number): Promise<void> {
    for (const member of this.members) member.up = true;
    const messages = this.messages.splice(0);
    for (const [place, message] of messages.entries()) if (place !== spared) await this.#arrive(message);
    const operations = this.operations.splice(0);
    for (const [place, operation] of operations.entries()) if (place !== spared) await this.#end(operation);
    this.messages.push(...messages.slice(spared, spared + 1));
    this.operations.push(...operations.slice(spared, spared + 1));
    if (spared !== 0) for (const member of this.members) await this.#takeHome(member);
    await this.#exchangeAll(address);
  }

  async #takeHome(member: Member): Promise<void> {
    for (const owner of await member.hints.owners()) {
      if (!this.member(owner).up) continue;
      for await (const page of member.hints.pages(owner)) {
        for (const { address, set } of page.entries) {
          await this.member(owner).merge({ key: address, set, seen: member.seen.get(`${owner} ${address}`) ?? new Set() });
          await member.hints.drop(owner, address, set);
        }
      }
    }
  }

  /** A node that is no owner hands over what it has to the owners, and drops it. */
  async #flush(member: Member): Promise<void> {
    for (const address of KEYS) {
      const { owners } = placementOf(address);
      const stray = owners.includes(member.name) ? undefined : member.held(address);
      if (stray === undefined || owners.some((owner) => !this.member(owner).up)) continue;
      for (const owner of owners) await this.member(owner).merge(stray);
      await member.replica.drop(address, stray.set);
    }
  }

  async #reap(address: Address, { interleaved, lost }: Extract<Step, { kind: 'reap' }>): Promise<void> {
    const { partition, owners } = placementOf(address);
    const first = this.member(owners[0]!);
    if (!first.up) return;
    [this.#interleaved, this.#lost, this.#asked] = [interleaved, lost, 0];
    const request = {
      kind: 'reap',
      ring: VIEW.ringVersion,
      partition,
      n: BUCKET.n,
      start: undefined,
      bucket: undefined,
    } as const;
    try {
      const { reaped, pruned } = await first.reaper.run(request);
      this.reaped += reaped;
      this.pruned += pruned;
    } catch {
      // the process has ended in the middle of it
    } finally {
      [this.#interleaved, this.#lost] = [0, 0];
    }
  }

  async #heal(): Promise<void> {
    for (const member of this.members) member.up = true;
    for (const operation of this.operations.splice(0)) await this.#end(operation);
    for (const message of this.messages.splice(0)) await this.#arrive(message);
    for (const member of this.members) await this.#takeHome(member);
    for (const member of this.members) await this.#flush(member);
    for (const address of KEYS) await this.#exchangeAll(address);
    this.#check('at rest');
    for (let pass = 0; pass < 2; pass++) {
      for (const key of KEYS.keys()) await this.#step({ kind: 'reap', key, interleaved: 0, lost: 0 });
      await this.clock.advance(QUARANTINE_MS);
    }
    this.#check('after the last reaping');
    for (const address of KEYS) {
      const left = this.members.filter((one) => one.held(address) !== undefined);
      const isDeleted = left.every((one) => liveSiblings(decoded(one.held(address)?.set)).length === 0);
      if (!isDeleted && left.some((one) => isReapable(decoded(one.held(address)?.set), PRUNE_ABOVE)))
        this.broken.push('a clock has kept entries that nobody needs');
      if (isDeleted && left.length > 0) this.broken.push(`a tombstone is left on ${left.map(({ name }) => name).join()}`);
    }
  }

  async #exchangeAll(address: Address): Promise<void> {
    const owners = placementOf(address).owners.map((owner) => this.member(owner));
    for (let round = 0; round < 2; round++) {
      for (const from of owners) {
        const load = from.held(address);
        for (const to of owners) if (load !== undefined && to !== from) await to.merge(load);
      }
    }
  }

  #check(when: string): void {
    for (const address of KEYS) {
      const owners = placementOf(address).owners.map((owner) => this.member(owner));
      const [first, ...others] = owners.map((one) => toHex(one.held(address)?.set ?? new Uint8Array(0)));
      if (others.some((set) => set !== first)) this.broken.push(`${when}: owners differ`);
      const values = liveSiblings(decoded(owners[0]?.held(address)?.set)).map(({ version }) => utf8Decode(version.value));
      const alive = [...this.writes].filter(([operation, write]) => write.key === address && !this.superseded.has(operation));
      const expected = alive.flatMap(([, { value }]) => value ?? []);
      if (values.sort().join() !== expected.sort().join())
        this.broken.push(`${when}: ${values.join() || 'nothing'} where there should be ${expected.join() || 'nothing'}`);
    }
  }
}
