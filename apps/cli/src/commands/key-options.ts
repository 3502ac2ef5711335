/** Options and arguments that the commands about one key share. */
import type { Bucket, BucketOptions } from '@armature/client';
import type { QuorumWord } from '@armature/protocol';
import { option } from '../command.js';
import { parseKey, quorum } from '../parse.js';
import type { Session } from '../session.js';

export const base64Key = option('--base64-key', 'the key is given as base64');
export const showReceipt = option('--receipt', 'tell which replicas took part, on standard error');

export const writeQuorums = [
  option('-w, --w <quorum>', 'replicas that must acknowledge: a number, one, quorum, all', quorum('w')),
  option('--pw <quorum>', 'of these, how many must be primaries', quorum('pw')),
  option('--dw <quorum>', 'of these, how many must have it on stable storage', quorum('dw')),
];

export const readQuorums = [
  option('-r, --r <quorum>', 'replicas that must answer: a number, one, quorum, all', quorum('r')),
  option('--pr <quorum>', 'of these, how many must be primaries', quorum('pr')),
];

export interface KeyOptions {
  readonly base64Key?: boolean;
}

export interface WriteQuorumOptions {
  readonly w?: QuorumWord;
  readonly pw?: QuorumWord;
  readonly dw?: QuorumWord;
}

/** The quorums that were given, and no others. */
export function writeQuorumsOf({ w, pw, dw }: WriteQuorumOptions): WriteQuorumOptions {
  return { ...(w === undefined ? {} : { w }), ...(pw === undefined ? {} : { pw }), ...(dw === undefined ? {} : { dw }) };
}

export function keyOf(options: KeyOptions, text: string | undefined): Uint8Array {
  return parseKey(text ?? '', options.base64Key === true);
}

/** A bucket whose operations take as long as `--timeout` allows. */
export async function bucketOf<T>(session: Session, name: string | undefined, options: BucketOptions<T>): Promise<Bucket<T>> {
  return (await session.client()).bucket(name ?? '', { ...options, timeoutMs: session.timeoutMs });
}
