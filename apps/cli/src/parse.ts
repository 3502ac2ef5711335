/** What users type, checked where it enters: keys, quorums, properties, lists. All throw `invalid-argument` with the way out. */
import { ArmatureError, exactUtf8Encode, fromBase64, quoted, unwrap } from '@armature/kernel';
import { parseQuorumWord, type QuorumWord } from '@armature/protocol';

export function invalid(message: string, remedy: string): ArmatureError {
  return new ArmatureError('invalid-argument', message, { remedy });
}

/** A key as typed: text, or base64 of any bytes. */
export function parseKey(text: string, isBase64: boolean): Uint8Array {
  if (!isBase64) return bytesOfText(text, 'the key', 'Give it as base64, with --base64-key.');
  const bytes = fromBase64(text);
  if (bytes === undefined) throw invalid(`the key ${quoted(text)} is not base64`, 'Encode it as base64 or base64url.');
  return bytes;
}

/** Text as UTF-8; refused where it has none. */
export function bytesOfText(text: string, what: string, remedy: string): Uint8Array {
  const bytes = exactUtf8Encode(text);
  if (bytes === undefined) throw invalid(`${what} holds half a surrogate pair, which UTF-8 cannot express`, remedy);
  return bytes;
}

export function quorum(name: string): (text: string) => QuorumWord {
  return (text) => unwrap(parseQuorumWord(name, text));
}

export function integerBetween(name: string, low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d{1,15}$/.test(text) && value >= low && value <= high) return value;
    throw invalid(`${name} ${quoted(text)} is not valid`, `Give a whole number from ${low} to ${high}.`);
  };
}

/** `1.5`. The limits are the cluster's to state. */
export function decimal(name: string): (text: string) => number {
  return (text) => {
    if (/^\d{1,6}(\.\d{1,6})?$/.test(text)) return Number(text);
    throw invalid(`${name} ${quoted(text)} is not a number`, 'Write it like 1 or 0.5.');
  };
}

/** `a,b,c`; not empty. */
export function words(name: string): (text: string) => readonly string[] {
  return (text) => {
    const list = text
      .split(',')
      .map((word) => word.trim())
      .filter((word) => word !== '');
    if (list.length > 0) return list;
    throw invalid(`${name} names nothing`, 'Give one or more names, separated by commas.');
  };
}

/** `a=x,b=y` as a map. */
export function pairs(name: string): (text: string) => ReadonlyMap<string, string> {
  return (text) => new Map(words(name)(text).map((word) => pair(name, word)));
}

/** `k=v`; the value may be empty and may contain `=`. */
export function pair(name: string, text: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw invalid(`${name} ${quoted(text)} is not a pair`, 'Write it as name=value.');
}
