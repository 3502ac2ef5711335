/**
 * `@armature/kernel`: the few values everything else is made of. Pure: no promises, no clock, no I/O.
 */
export * from './assert.js';
export * from './brands.js';
export * from './bytes.js';
export * from './errors.js';
export * from './hlc.js';
export * from './plain-line.js';
export * from './quoted.js';
export * from './random.js';
export * from './redact-url.js';
export * from './reader.js';
export * from './result.js';
export * from './secrets.js';
export { VERSION } from './version.js';
export * from './writer.js';
