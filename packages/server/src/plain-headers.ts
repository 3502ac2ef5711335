/**
 * The request headers of the plain API: which there are, what each verb takes, and how a message's headers become them.
 *
 * A header that is passed over is a promise broken in silence: a quorum that nobody asks for, a context that is not used. So
 * names count in any case, and what a verb does not take, what is unknown and what is given twice is refused by name.
 */
import type { BusMessage } from '@armature/bus';
import { clipped } from '@armature/kernel';
import { invalid } from './plain-errors.js';

export type Verb = 'get' | 'put' | 'delete';

const EVERY: readonly Verb[] = ['get', 'put', 'delete'];
const WRITES: readonly Verb[] = ['put', 'delete'];

/** What takes each. A delete reads when it has no context, so it takes the quorums of a read, too. */
const TAKEN_BY = {
  'Armature-Bucket': EVERY,
  'Armature-Key': EVERY,
  'Armature-Key-Base64': EVERY,
  'Armature-Context': EVERY,
  'Armature-Timeout-Ms': EVERY,
  'Armature-Token': EVERY,
  'Armature-Sibling': ['get'],
  'Armature-R': ['get', 'delete'],
  'Armature-PR': ['get', 'delete'],
  'Armature-W': WRITES,
  'Armature-PW': WRITES,
  'Armature-DW': WRITES,
  'Armature-Operation': WRITES,
  'Armature-Repeated': WRITES,
} as const satisfies Record<string, readonly Verb[]>;

export type RequestHeader = keyof typeof TAKEN_BY;

const NAMES = Object.keys(TAKEN_BY) as RequestHeader[];
const SPELLING = new Map<string, RequestHeader>(NAMES.map((name) => [name.toLowerCase(), name]));
const OURS = 'armature-';
export const META_HEADER = 'Armature-Meta-';
const META = META_HEADER.toLowerCase();
const CONTENT_TYPE = 'content-type';

export interface RequestHeaders {
  readonly get: (name: RequestHeader) => string | undefined;
  /** The value's metadata as it was sent, still escaped: what follows the prefix, in lower case, and the value. */
  readonly meta: readonly (readonly [name: string, value: string])[];
}

/** Throws `invalid-argument` for a header of ours that the verb does not take, and for one that is given twice. */
export function readHeaders(verb: Verb, message: BusMessage): RequestHeaders {
  const found = new Map<RequestHeader, string>();
  const meta = new Map<string, string>();
  for (const [name, values] of headersOf(message)) {
    const lower = name.toLowerCase();
    const isType = lower === CONTENT_TYPE;
    if (!isType && !lower.startsWith(OURS)) continue;
    const [value = ''] = values;
    if (verb === 'put' && (isType || lower.startsWith(META))) {
      addOnce(meta, isType ? lower : lower.slice(META.length), name, value, values.length);
    } else if (!isType) {
      addOnce(found, taken(verb, name), name, value, values.length);
    }
  }
  return { get: (name) => found.get(name), meta: [...meta] };
}

function headersOf(message: BusMessage): Iterable<readonly [string, readonly string[]]> {
  try {
    return message.headers ?? [];
  } catch (thrown) {
    throw invalid(
      `the headers cannot be read: ${(thrown as Error).message}`,
      'A name is printable ASCII without spaces and colons.',
    );
  }
}

function addOnce<K>(into: Map<K, string>, key: K, name: string, value: string, times: number): void {
  if (into.has(key) || times > 1)
    throw invalid(`the header ${clipped(name)} is given twice`, 'Give it once; upper and lower case are the same.');
  into.set(key, value);
}

function taken(verb: Verb, name: string): RequestHeader {
  const known = SPELLING.get(name.toLowerCase());
  if (known === undefined) {
    if (name.toLowerCase().startsWith(META))
      throw invalid(`a ${verb} takes no metadata (${clipped(name)})`, 'Leave the header out.');
    throw invalid(
      `there is no request header ${clipped(name)}`,
      `Did you mean ${nearest(name)}? docs/protocol.md lists them all.`,
    );
  }
  const verbs: readonly Verb[] = TAKEN_BY[known];
  if (verbs.includes(verb)) return known;
  throw invalid(`${known} says nothing to a ${verb}`, `Leave it out; it is for: ${verbs.join(', ')}.`);
}

function nearest(name: string): string {
  const lower = name.toLowerCase().slice(0, 80);
  const all = [...NAMES, `${META_HEADER}<name>`].map((known) => ({ known, distance: editDistance(lower, known.toLowerCase()) }));
  return all.reduce((best, one) => (one.distance < best.distance ? one : best)).known;
}

/** Letters to insert, delete or replace (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
