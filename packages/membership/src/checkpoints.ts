/**
 * Which earlier states of a fold to keep, so that going back is cheap however far one has to, in little memory.
 *
 * Each kept state, and the beginning, lies at most twice as far from the end (plus one) as the next kept one after it. So a
 * record that belongs d places back costs the folding of fewer than 2d, and there are about two states for each doubling of the
 * length. Appending adds the same to all distances and thereby only brings their ratios down: the rule stays true by itself, and
 * states are dropped as it comes to hold without them.
 */

interface State {
  /** Records folded into it. */
  readonly count: number;
}

/** The states worth keeping, of those given in ascending order, when the end is at `total`. The last is among them. */
export function thinned<S extends State>(states: readonly S[], total: number): S[] {
  const kept: S[] = [];
  let olderDistance = total; // of the beginning
  for (const [i, state] of states.entries()) {
    const next = states[i + 1];
    if (next !== undefined && olderDistance <= 2 * (total - next.count) + 1) continue;
    kept.push(state);
    olderDistance = total - state.count;
  }
  return kept;
}

/** Whether a fold on its way to `total` must leave a state behind at `count` for the rule to hold: at distances 1, 2, 4, 8 ... */
export function isMilestone(count: number, total: number): boolean {
  return Number.isInteger(Math.log2(total - count));
}
