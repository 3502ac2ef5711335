/**
 * The way to the doors of administration: a link under the key of a token, opened when the first command is given.
 *
 * Who holds the secret of the cluster makes himself a token with the role of an administrator. It is never shown to anybody and
 * ends with this process, so it has no end of its own, by which the clock of a node that is wrong could refuse it; and since its
 * holder could make another one at once, no generation voids it.
 */
import { unwrap, type ClusterName, type Random, type Secrets } from '@armature/kernel';
import { LinkEndpoint, linkAddress, type Bus } from '@armature/bus';
import { requireToHear } from '@armature/coordination';
import { MAX_MESSAGE_BYTES, protocolCodec, type Reply, type Request } from '@armature/protocol';
import { MAX_GENERATION, deriveTokenKeys, proofOf, sealToken, type Token, type TokenProof } from '@armature/rights';
import type { Clock, Logger, Telemetry } from '@armature/runtime';

export interface AdminLinkEnv {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly telemetry: Telemetry;
  readonly prefix: string;
  readonly cluster: ClusterName;
  /** Unique among the clients; with a group before it, `shop.k3j9`, where there are groups. */
  readonly name: string;
  readonly proof: TokenProof;
}

/** A proof for who holds the secret. `who` stands beside the commands in the records. */
export function proofByHolderOfSecret(secrets: Secrets, cluster: ClusterName, who: string): TokenProof {
  const token: Token = {
    ...{ subject: who, grants: [], role: 'administrator' },
    ...{ expiresAtMs: Number.MAX_SAFE_INTEGER, generation: MAX_GENERATION },
  };
  return unwrap(proofOf(unwrap(sealToken(token, deriveTokenKeys(secrets, cluster))), cluster));
}

export class AdminLink {
  readonly #env: AdminLinkEnv;
  #link: Promise<LinkEndpoint<Request, Reply>> | undefined;

  constructor(env: AdminLinkEnv) {
    this.#env = env;
  }

  /** The same link each time. Error: `invalid-config` where the bus does not let us hear answers. */
  open(): Promise<LinkEndpoint<Request, Reply>> {
    this.#link ??= this.#open();
    return this.#link;
  }

  async close(): Promise<void> {
    const link = await this.#link?.catch(() => undefined);
    await link?.drain();
  }

  async #open(): Promise<LinkEndpoint<Request, Reply>> {
    const { proof, name, ...env } = this.#env;
    const link = LinkEndpoint.open<Request, Reply>(env.bus, protocolCodec, {
      ...env,
      address: linkAddress('guest', ...name.split('.')),
      keys: [proof.key],
      token: proof.claims,
      limits: { messageBytes: MAX_MESSAGE_BYTES },
    });
    await requireToHear(env.bus).catch((thrown: unknown) => {
      link.close();
      throw thrown;
    });
    return link;
  }
}
