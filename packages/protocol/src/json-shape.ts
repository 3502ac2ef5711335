/**
 * The shape of untrusted JSON, checked a field at a time. Each check returns the value at its type or throws `Refused`
 * with the path of the offending field; `guarded` turns that into a Result. Messages never repeat more of
 * the input than a name's worth: they end up in logs.
 */
import { ArmatureError, err, ok, parseNodeId, type NodeId, type Result } from '@armature/kernel';

export class Refused extends Error {}

export type Json = Readonly<Record<string, unknown>>;

/** Runs a parser made of the checks below; what they refuse becomes an `invalid-argument` that begins with `what`. */
export function guarded<T>(what: string, parse: () => T): Result<T, ArmatureError> {
  try {
    return ok(parse());
  } catch (thrown) {
    if (!(thrown instanceof Refused)) throw thrown;
    return err(new ArmatureError('invalid-argument', `${what}: ${thrown.message}`));
  }
}

export function object(value: unknown, path: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Refused(`${path} must be an object`);
  return value as Json;
}

export function list(value: unknown, path: string, limit: number): readonly unknown[] {
  if (!Array.isArray(value)) throw new Refused(`${path} must be a list`);
  if (value.length > limit) throw new Refused(`${path} has more than ${limit} elements`);
  return value as readonly unknown[];
}

export function integer(value: unknown, path: string, low: number, high: number): number {
  if (!Number.isSafeInteger(value) || (value as number) < low || (value as number) > high) {
    throw new Refused(`${path} must be an integer from ${low} to ${high}`);
  }
  // Minus zero, which JSON can spell, is zero.
  return (value as number) + 0;
}

export function text(value: unknown, path: string): string {
  if (typeof value !== 'string') throw new Refused(`${path} must be a text`);
  return value;
}

export function boolean(value: unknown, path: string): boolean {
  if (typeof value !== 'boolean') throw new Refused(`${path} must be true or false`);
  return value;
}

export function hex(value: unknown, path: string, length: number): string {
  if (typeof value !== 'string' || value.length !== length || !/^[0-9a-f]*$/.test(value))
    throw new Refused(`${path} must be ${length} hex characters`);
  return value;
}

export function named<T>(parse: (text: string) => Result<T, ArmatureError>, value: unknown, path: string): T {
  if (typeof value !== 'string') throw new Refused(`${path} must be a name`);
  const parsed = parse(value);
  if (!parsed.ok) throw new Refused(`${path}: ${parsed.error.message}`);
  return parsed.value;
}

export function node(value: unknown, path: string): NodeId {
  return named(parseNodeId, value, path);
}
