/**
 * MD5, the paper's hash, for positions, tokens and fingerprints: all want uniformity, none relies on secrecy or collision resistance
 * against an adversary (`position.ts` argues that for keys). The one-shot call costs a third of a Hash object, where the platform has it.
 */
import * as crypto from 'node:crypto';
import type { BinaryString } from '@armature/kernel';

/** 16 bytes as a binary string. */
export const md5: (bytes: Uint8Array) => BinaryString =
  typeof crypto.hash === 'function'
    ? (bytes) => crypto.hash('md5', bytes, 'binary') as BinaryString
    : (bytes) => crypto.createHash('md5').update(bytes).digest('binary') as BinaryString;
