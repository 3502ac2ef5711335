/** Values of options that several tools take. */
import { InvalidArgumentError } from 'commander';

/** How many, or which seed: a whole number from 1 on. */
export function count(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('a whole number from 1 on');
  return value;
}
