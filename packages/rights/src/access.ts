/**
 * Access: what a cluster demands of those who come to its doors. It is configured by records of the membership history, so every
 * router and node knows it without asking anybody, and a router that is started later knows it too.
 *
 * Two administrators may give commands that know nothing of each other, on two sides of a cut. The records are joined, and
 * nothing that one of them has closed is opened by the join: the greatest generation counts; of `tokens`, what the greatest
 * *revision* says, and of equal revisions `required`. So a command that raises the generation says nothing about `tokens`, and
 * takes nothing back that another one says of them at the same time.
 */

/** Whether somebody without a token is let in. A token that is shown is checked either way, and binds its holder. */
export type TokenDemand = 'optional' | 'required';

export interface Access {
  readonly tokens: TokenDemand;
  /** Counts the commands about `tokens`: each one states the next. */
  readonly revision: number;
  /** Tokens of a lower generation are void. It never goes back. */
  readonly generation: number;
}

/** Of a cluster of which nothing has been said: who reaches its subjects on the bus is let in. */
export const OPEN_ACCESS: Access = { tokens: 'optional', revision: 0, generation: 0 };

/** Commutative, associative and idempotent; never below either of the two. */
export function joinAccess(a: Access, b: Access): Access {
  const tokens = a.revision === b.revision ? strictest(a.tokens, b.tokens) : a.revision > b.revision ? a.tokens : b.tokens;
  return { tokens, revision: Math.max(a.revision, b.revision), generation: Math.max(a.generation, b.generation) };
}

function strictest(a: TokenDemand, b: TokenDemand): TokenDemand {
  return a === 'required' ? a : b;
}
