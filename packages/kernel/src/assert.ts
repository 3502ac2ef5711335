/** A broken invariant: always a bug in Armature, never the user's doing. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/** States an invariant. Cheap enough to stay on in production: a wrong answer costs more than a branch. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** The default branch of a switch over a union: the compiler proves that nothing reaches it. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${JSON.stringify(value)}`);
}
