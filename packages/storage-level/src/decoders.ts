/** Decoders that nobody outside of this package calls, but for `npm run fuzz`, which gives them what nobody honest would send. */
export { isMarked } from './durability-mark.js';
export { LogParser } from './log-format.js';
export { readEdit } from './manifest.js';
export { seal, unseal } from './sealed-value.js';
