/** A broken invariant: always a bug in Armature, never the user's doing. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/** States an invariant. Cheap enough to stay on in production: a wrong answer costs more than a branch. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/**
 * The default branch of a switch over a union: the compiler proves that nothing reaches it. Names the value's kind, and none of
 * its content.
 */
export function unreachable(value: never): never {
  const reached: unknown = value;
  const kind = typeof reached === 'object' && reached !== null && 'kind' in reached ? reached.kind : reached;
  throw new AssertionError(`unreachable: ${typeof kind === 'string' ? kind.slice(0, 80) : typeof kind}`);
}
