/**
 * MD5, the paper's hash, for positions, tokens and fingerprints: all want uniformity, none relies on secrecy or on collision
 * resistance against an adversary (`position.ts` argues that for keys). The one-shot call costs a third of a Hash object; every
 * Node since 20.12 has it.
 */
import { hash } from 'node:crypto';
import type { BinaryString } from '@armature/kernel';

/** 16 bytes as a binary string. */
export function md5(bytes: Uint8Array): BinaryString {
  return hash('md5', bytes, 'binary') as BinaryString;
}
