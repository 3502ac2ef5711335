/**
 * A record: one key with its values, as it travels through files. Usually there is one value; a key whose concurrent values
 * nobody has merged has several, and keeps them on the way out and in.
 */
export interface RecordValue {
  readonly bytes: Uint8Array;
  /** Its type among them. */
  readonly meta: Readonly<Record<string, string>>;
}

export interface KeyRecord {
  readonly key: Uint8Array;
  /** At least one. */
  readonly values: readonly RecordValue[];
}

/** A piece of input: a record, or what is wrong with it. */
export interface ReadRecord {
  /** Where it began, counted from 1. */
  readonly line: number;
  /** How much of the input was read when it had been. */
  readonly offsetBytes: number;
  readonly record: KeyRecord | undefined;
  /** Why there is no record. */
  readonly problem: string | undefined;
  /** The input's own bytes, for the list of failures. */
  readonly source: Uint8Array;
}

export const JSON_TYPE = 'application/json';
export const TEXT_TYPE = 'text/plain; charset=utf-8';
export const BINARY_TYPE = 'application/octet-stream';
