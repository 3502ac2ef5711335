/** All seeded bugs. Each has been caught, and must be each time. */
import type { Mutation } from '../mutation.js';
import { availability } from './availability.js';
import { clocks } from './clocks.js';
import { doors } from './doors.js';
import { dots } from './dots.js';
import { hints } from './hints.js';
import { listings } from './listings.js';
import { membership } from './membership.js';
import { names } from './names.js';
import { quorums } from './quorums.js';
import { repair } from './repair.js';
import { sizes } from './sizes.js';

export const MUTATIONS: readonly Mutation[] = [
  ...availability,
  ...clocks,
  ...doors,
  ...dots,
  ...hints,
  ...listings,
  ...membership,
  ...names,
  ...quorums,
  ...repair,
  ...sizes,
];
