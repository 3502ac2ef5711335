/** Key pairs of NATS users: the server knows the public key, and the user proves that he has the seed. */
import { nkeys } from 'nats';
import { parseSeed } from './nats-credentials.js';

interface KeyPair {
  getPublicKey(): string;
  getSeed(): Uint8Array;
}

// The library exports it without a type.
const library = nkeys as { createUser(): KeyPair; fromSeed(seed: Uint8Array): KeyPair };

/** A new seed, `SU...`. */
export function newUserSeed(): string {
  return new TextDecoder().decode(library.createUser().getSeed());
}

/** The public key, `U...`, of a seed as a file holds it. Throws `invalid-config`, calling it `what`. */
export function publicKeyOfSeed(text: string, what: string): string {
  return library.fromSeed(new TextEncoder().encode(parseSeed(text, what))).getPublicKey();
}
