/**
 * Clocks with more entries are pruned where they can be. Random runs are short, and so are the clocks of their keys: here it is
 * whenever they can be.
 */
export const PRUNE_ABOVE = 1;
