/** Decoders that nobody outside of this package calls, but for `npm run fuzz`, which gives them what nobody honest would send. */
export { parseWishes } from './nats-config/wishes.js';
export { bytesOfText, decimal, integerBetween, pairs, parseKey, words } from './parse.js';
export { changeWord, parseChanges } from './plan/change-words.js';
export { readPlan } from './plan/plan-document.js';
export { readCsv } from './records/csv.js';
export { formatRecord, parseRecord, readJsonLines } from './records/jsonl.js';
