/**
 * Who belongs together: the endpoints that hold the same secret are one *trust domain*. Two clusters of one name on one bus hear each other's frames, and
 * neither must act on what the other says.
 *
 * Every frame bears its sender's mark, a number derived from the secret; endpoints without the secret (applications behind a router, the command line) bear none.
 * A mark tells by mistake set-up clusters apart. It authenticates nobody: who can read the bus can copy it.
 */

/** A mark is never this. */
export const NO_MARK = 0;

export interface TrustDomain {
  /** 32 bits derived from the secret; not `NO_MARK`. What we send bears it. */
  readonly mark: number;
  /** Whether it is the mark of a secret that we hold: ours, or that of another one while the secret is being changed. */
  knows(mark: number): boolean;
  /** Whether the endpoint of this address must be of the domain, e.g. since it is a node. */
  requires(address: string): boolean;
}

/** *member*: of our domain; *guest*: of none, and allowed to be; *stranger*: of another one, or of none where it must be of ours. */
export type Belonging = 'member' | 'guest' | 'stranger';

/** What the sender of a frame is to an endpoint of `domain`; an endpoint of no domain cannot tell, and takes everybody for a guest. */
export function belongingOf(domain: TrustDomain | undefined, address: string, mark: number): Belonging {
  if (domain === undefined) return 'guest';
  if (domain.knows(mark)) return 'member';
  return mark === NO_MARK && !domain.requires(address) ? 'guest' : 'stranger';
}
