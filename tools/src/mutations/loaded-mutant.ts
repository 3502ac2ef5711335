/** How a process knows which bug it runs with: the mutated module leaves this mark when it is evaluated. */
export const MARK = 'armatureMutant';

/** Name of the mutation; undefined where no mutated module was loaded. */
export function loadedMutant(): unknown {
  return (globalThis as Record<string, unknown>)[MARK];
}
