/**
 * Conversations: with whom a process reconciles its history, when, and what becomes of failures. Each is one `exchange`; what
 * differs is who is chosen and who waits for it.
 */
import { toArmatureError, type ArmatureError, type Random } from '@armature/kernel';
import type { ChangeRecord } from '@armature/protocol';
import type { Counter, Logger, Telemetry } from '@armature/runtime';
import { choosePeer, exchange, parcel, peersOf, type GossipTransport, type Party } from './gossip.js';
import type { View } from './view.js';

export interface ConversationEnv {
  readonly self: { readonly address: string };
  readonly transport: GossipTransport;
  readonly random: Random;
  readonly log: Logger;
  readonly telemetry: Telemetry;
  readonly seeds: readonly string[];
}

/**
 * What came of asking everybody: somebody answered, and the histories are reconciled; everybody was silent; some answered, but
 * not with a history; there is nobody to ask; or the bus was away, so that silence says nothing.
 */
export type Sounding = 'answered' | 'silent' | 'refused' | 'nobody' | 'disconnected';

/** Peers tried by one `refresh` before it gives up. */
const REFRESH_ATTEMPTS = 3;
/** A member that takes longer to take in a record will hear of it by gossip: no command waits for the slowest machine. */
const HAND_OUT_TIMEOUT_MS = 1_000;
/** That a peer is down is the failure detector's news; anything else wants a person. */
const SILENCE: ReadonlySet<string> = new Set(['timeout', 'unreachable', 'bus-unavailable', 'closed']);
/** What is no silence of the peer's. */
const NO_BUS: ReadonlySet<string> = new Set(['bus-unavailable', 'closed']);
/** Whoever is of another cluster knows nothing about ours. */
const KNOWS_NOTHING: ReadonlySet<string> = new Set(['timeout', 'unreachable', 'wrong-cluster']);

export class Conversations {
  readonly #env: ConversationEnv;
  readonly #party: Party;
  readonly #count: Readonly<Record<'same' | 'differed' | 'failed', Counter>>;
  /** What went wrong with each peer last, so that a lasting problem is logged once. Bounded by the known peers. */
  readonly #problems = new Map<string, string>();
  #stopped = false;

  constructor(env: ConversationEnv, party: Party) {
    this.#env = env;
    this.#party = party;
    const exchanges = (outcome: string): Counter =>
      env.telemetry.counter('armature_gossip_exchanges_total', 'Reconciliations of the membership history with a peer.', {
        outcome,
      });
    this.#count = { same: exchanges('same'), differed: exchanges('differed'), failed: exchanges('failed') };
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Reconciles with `from` where given, then with others, until one has answered. Rejects with the last one's error. */
  async refresh(from: string | undefined): Promise<View> {
    const { transport, random, seeds, self } = this.#env;
    let peers = peersOf(this.#party.view(), seeds, self.address);
    let problem: ArmatureError | undefined;
    for (let attempt = 0; attempt < REFRESH_ATTEMPTS; attempt++) {
      const peer = attempt === 0 && from !== undefined ? from : await choosePeer(peers, transport, random, self.address);
      if (peer === undefined) break;
      problem = await this.converse(peer);
      if (problem === undefined) return this.#party.view();
      peers = peers.filter((address) => address !== peer);
    }
    if (problem !== undefined) throw problem;
    return this.#party.view(); // nobody else is there
  }

  /** Asks every member and seed at once. Resolves with the first answer, or when all have been waited for. */
  async sound(): Promise<Sounding> {
    const { transport, seeds, self } = this.#env;
    let peers = peersOf(this.#party.view(), seeds, self.address);
    if (peers.length === 0) {
      // Why nobody has proved itself is said by whoever answers, which may be anybody.
      const found = await transport.discover().catch(() => undefined);
      if (found === undefined || found === self.address) return 'nobody';
      peers = [found];
    }
    return new Promise((resolve) => {
      const problems: string[] = [];
      for (const peer of peers) {
        void this.converse(peer).then((problem) => {
          if (problem === undefined) resolve('answered');
          else if (problems.push(problem.code) === peers.length) resolve(soundingOf(problems));
        });
      }
    });
  }

  /** One turn of the periodic gossip: a random peer. */
  async round(): Promise<void> {
    const { transport, random, seeds, self, log } = this.#env;
    try {
      const peer = await choosePeer(peersOf(this.#party.view(), seeds, self.address), transport, random, self.address);
      if (peer !== undefined && !this.#stopped) await this.converse(peer);
    } catch (thrown) {
      log.debug({ err: thrown }, 'no peer to gossip with was found');
    }
  }

  /** One exchange with a peer. Resolves with what went wrong, which is also counted and, when new, logged. */
  async converse(address: string): Promise<ArmatureError | undefined> {
    try {
      const differed = await exchange(this.#party, this.#env.transport, address);
      (differed ? this.#count.differed : this.#count.same).add();
      this.#problems.delete(address);
      return undefined;
    } catch (thrown) {
      const error = toArmatureError(thrown);
      this.#count.failed.add();
      this.#noteProblem(address, error);
      return error;
    }
  }

  /**
   * Hands a record to every member and waits for those that answer soon, so that whoever gave the command finds it in force
   * wherever they look next. What was recorded there at the same time comes back with the answer. Gossip reaches the others.
   */
  async handOut(record: ChangeRecord): Promise<void> {
    const { transport, seeds, self } = this.#env;
    const request = parcel(this.#party.history(), [record]);
    const peers = peersOf(this.#party.view(), seeds, self.address);
    await Promise.allSettled(
      peers.map(async (address) => this.#party.absorb((await transport.gossip(address, request, HAND_OUT_TIMEOUT_MS)).records)),
    );
  }

  #noteProblem(address: string, error: ArmatureError): void {
    if (this.#stopped || this.#problems.get(address) === error.code) return;
    const known = new Set(peersOf(this.#party.view(), this.#env.seeds, this.#env.self.address));
    for (const other of [...this.#problems.keys()]) if (!known.has(other)) this.#problems.delete(other);
    this.#problems.set(address, error.code);
    this.#env.log[SILENCE.has(error.code) || !known.has(address) ? 'debug' : 'error'](
      { address, err: error, code: error.code, remedy: error.remedy },
      'gossip with a peer failed',
    );
  }
}

/** Of codes of errors, when nobody has answered. */
function soundingOf(problems: readonly string[]): Sounding {
  if (problems.some((code) => NO_BUS.has(code))) return 'disconnected';
  return problems.every((code) => KNOWS_NOTHING.has(code)) ? 'silent' : 'refused';
}
