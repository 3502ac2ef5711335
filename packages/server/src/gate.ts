/**
 * The gate: what every door for applications asks before a request is carried out. The plain API asks it, and so does whoever
 * serves a front door of the link; the decision itself is `authorize` of `@armature/rights`.
 *
 * A token is verified once, and its expiry and generation are looked at each time: the cluster may raise the generation between
 * two requests. Authentic tokens are remembered by their bytes, so that the price of a request with a token is a look-up. Others
 * are not, so nobody can push out those that are in use without making them.
 */
import {
  ArmatureError,
  toBinaryString,
  type BinaryString,
  type BucketName,
  type ClusterName,
  type Secrets,
} from '@armature/kernel';
import type { Membership } from '@armature/membership';
import { authorize, deriveTokenKeys, verifyToken, type Access, type Right, type Token, type TokenKeys } from '@armature/rights';
import type { Clock, Counter, Telemetry } from '@armature/runtime';

export interface GateEnv {
  readonly cluster: ClusterName;
  readonly secrets: Secrets;
  /** As the membership says now; undefined while no cluster is known, and so not what it demands. */
  readonly access: () => Access | undefined;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

/** What a cluster demands, as far as its membership is known. */
export function knownAccess({ view }: Pick<Membership, 'view'>): Access | undefined {
  return view.cluster === undefined ? undefined : view.access;
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
   * Why this is not to be carried out: `unauthenticated`, `forbidden` or `no-cluster`; undefined where it is. `key` is undefined
   * for a listing, `token` where none was shown; it is not kept, so it may be a view of a message.
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
    if (access === undefined) return noCluster();
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

/** Somebody who is let in now would have his request carried out by the time that the demand for a token is heard of. */
function noCluster(): ArmatureError {
  return new ArmatureError('no-cluster', 'this process knows of no cluster yet, and not what it demands of whoever comes', {
    remedy: 'If there is none, create it once: armature cluster create --nodes <name>,<name>,<name>. Else repeat in a moment.',
  });
}
