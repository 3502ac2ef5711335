/**
 * All seeded bugs. Those that are *open* no run has been seen to find yet: either the simulation lacks what brings them out, or something else makes good for
 * them (replica synchronisation, a second check). They are hunted with `--open`, and belong to the others as soon as one is caught.
 */
import type { Mutation } from '../mutation.js';
import { availability } from './availability.js';
import { dots } from './dots.js';
import { hints } from './hints.js';
import { membership } from './membership.js';
import { quorums } from './quorums.js';
import { repair } from './repair.js';

const OPEN_NAMES: ReadonlySet<string> = new Set(['stale-ready-counts']);

export const MUTATIONS: readonly Mutation[] = [...availability, ...dots, ...hints, ...membership, ...quorums, ...repair];
export const OPEN: readonly Mutation[] = MUTATIONS.filter(({ name }) => OPEN_NAMES.has(name));
export const CLOSED: readonly Mutation[] = MUTATIONS.filter(({ name }) => !OPEN_NAMES.has(name));
