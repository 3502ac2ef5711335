/**
 * Records of commands: who had what done, and what became of it. A change of the membership is a record of the history, which
 * bears its author, so what is recorded here is the rest: work that was asked for, what was told of holdings, and commands that
 * were refused. Nothing follows from these records; they are for people.
 *
 * The same command by the same person with the same outcome, given again before long, adds to the record that there is: a repair
 * asks for an exchange of every two replicas.
 */
import { ERROR_CODES, isPlainName, type ArmatureError, type ErrorCode, type Result } from '@armature/kernel';
import { guarded, hex, integer, list, object, Refused, text } from './json-shape.js';
import { MAX_AUTHOR_CHARS } from './limits.js';

export type CommandOutcome = 'done' | ErrorCode;

export interface CommandRecord {
  /** 16 hex characters, random. */
  readonly id: string;
  /**
   * When it was given for the first and for the last time, by the wall clock of the process that answered it, ms since the Unix
   * epoch.
   */
  readonly firstMs: number;
  readonly lastMs: number;
  /** How often. */
  readonly count: number;
  /** Role and name of the process that answered it, e.g. `node.n1`. */
  readonly at: string;
  /** See `ChangeRecord`. */
  readonly author: string;
  /** In words, e.g. `repair of bucket carts`. 1 to `MAX_COMMAND_CHARS` printable characters. */
  readonly command: string;
  readonly outcome: CommandOutcome;
}

/** What commands have been given, other than changes of the membership? */
export interface CommandsRequest {
  readonly kind: 'commands';
}

export interface CommandsReply {
  readonly kind: 'commands';
  /** Those that this process keeps, oldest first. */
  readonly commands: readonly CommandRecord[];
}

/** Keep this: from a process that keeps nothing, to a node. */
export interface KeepCommandRequest {
  readonly kind: 'keep-command';
  readonly command: CommandRecord;
}

export interface KeepCommandReply {
  readonly kind: 'keep-command';
}

/** Two names of 64, and a few words. */
export const MAX_COMMAND_CHARS = 200;
/** A node keeps so many of the latest. */
export const MAX_COMMANDS = 1_000;
const MAX_AT_CHARS = 80;

export function parseCommandRecord(input: unknown): Result<CommandRecord, ArmatureError> {
  return guarded('not the record of a command', () => readCommandRecord(input));
}

/** Throws `Refused`. */
function readCommandRecord(input: unknown): CommandRecord {
  const record = object(input, 'command');
  const count = (field: string): number => integer(record[field], field, 0, Number.MAX_SAFE_INTEGER);
  return {
    id: hex(record['id'], 'id', 16),
    firstMs: count('firstMs'),
    lastMs: count('lastMs'),
    count: count('count'),
    at: plain(record['at'], 'at', MAX_AT_CHARS),
    author: plain(record['author'], 'author', MAX_AUTHOR_CHARS),
    command: plain(record['command'], 'command', MAX_COMMAND_CHARS),
    outcome: outcome(record['outcome']),
  };
}

export function parseCommandRecords(input: unknown): Result<readonly CommandRecord[], ArmatureError> {
  return guarded('not records of commands', () => list(input, 'commands', MAX_COMMANDS).map(readCommandRecord));
}

function plain(value: unknown, path: string, maxChars: number): string {
  const word = text(value, path);
  if (isPlainName(word, maxChars)) return word;
  throw new Refused(`${path} must be 1 to ${maxChars} printable characters`);
}

/** A code that this version does not know is some failure. */
function outcome(value: unknown): CommandOutcome {
  const word = text(value, 'outcome');
  if (word === 'done' || Object.hasOwn(ERROR_CODES, word)) return word as CommandOutcome;
  return 'internal';
}
