/**
 * The gate: what every door for applications asks before a request is carried out. The plain API asks it, and so does whoever serves a front door of the link; the
 * decision itself is `authorize` of `@armature/rights`.
 *
 * A token is verified once, and its expiry and generation are looked at each time: the cluster may raise the generation between two requests. Authentic tokens are
 * remembered by their bytes, so that the price of a request with a token is a look-up. Others are not, so nobody can push out those that are in use without making them.
 */
import {
  toBinaryString,
  type ArmatureError,
  type BinaryString,
  type BucketName,
  type ClusterName,
  type Secrets,
} from '@armature/kernel';
import { authorize, deriveTokenKeys, verifyToken, type Access, type Right, type Token, type TokenKeys } from '@armature/rights';
import type { Clock, Counter, Telemetry } from '@armature/runtime';

export interface GateEnv {
  readonly cluster: ClusterName;
  readonly secrets: Secrets;
  /** As the membership says now. */
  readonly access: () => Access;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

/** At 4 KiB each, a few MiB. */
const MAX_REMEMBERED = 1_024;

export class Gate {
  readonly #env: GateEnv;
  readonly #keys: TokenKeys;
  readonly #refusals: Counter;
  /** In the order in which they came. */
  readonly #remembered = new Map<BinaryString, Token>();

  constructor(env: GateEnv) {
    this.#env = env;
    this.#keys = deriveTokenKeys(env.secrets, env.cluster);
    this.#refusals = env.telemetry.counter(
      'armature_gate_refusals_total',
      'Requests of applications refused for want of a token that counts, or by what it allows.',
    );
  }

  /**
   * Why this is not to be carried out: `unauthenticated` or `forbidden`; undefined where it is. `key` is undefined for a listing, `token` where none was shown; it is not
   * kept, so it may be a view of a message.
   */
  authorize(
    bucket: BucketName,
    right: Right,
    key: Uint8Array | undefined,
    token: Uint8Array | undefined,
  ): ArmatureError | undefined {
    const refusal = this.#decide(bucket, right, key, token);
    if (refusal !== undefined) this.#refusals.add();
    return refusal;
  }

  #decide(
    bucket: BucketName,
    right: Right,
    key: Uint8Array | undefined,
    token: Uint8Array | undefined,
  ): ArmatureError | undefined {
    const access = this.#env.access();
    const nowMs = this.#env.clock.nowMs();
    if (token === undefined) return authorize(access, nowMs, undefined, { right, bucket, key });
    const name = toBinaryString(token);
    const known = this.#remembered.get(name);
    if (known !== undefined) return authorize(access, nowMs, known, { right, bucket, key });
    const verified = verifyToken(token, this.#keys);
    if (!verified.ok) return verified.error;
    this.#remember(name, verified.value);
    return authorize(access, nowMs, verified.value, { right, bucket, key });
  }

  #remember(name: BinaryString, token: Token): void {
    const [oldest] = this.#remembered.keys();
    if (this.#remembered.size >= MAX_REMEMBERED && oldest !== undefined) this.#remembered.delete(oldest);
    this.#remembered.set(name, token);
  }
}
