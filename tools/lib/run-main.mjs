/**
 * The frame of every command: the version of Node checked, mistakes told without a stack, signals that end it.
 *
 * Children have process groups of their own, which a signal from the terminal does not reach; they are ended
 * when this process exits (see `terminateAtExit`), and a signal by itself would end it without that. Hence the handlers.
 */
import { constants } from 'node:os';
import { sayErr, UsageError } from './say.mjs';

/** `import.meta.resolve`, `require(esm)` and the development condition work from here on; so says package.json. */
const LEAST_NODE = [20, 19];

/** @typedef {'SIGINT' | 'SIGTERM' | 'SIGHUP'} StopSignal */
const STOP_SIGNALS = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']);

/** @param {StopSignal} signal */
const leave = (signal) => process.exit(128 + constants.signals[signal]);

/**
 * Replaces the end at once by something more orderly.
 * @param {(signal: StopSignal) => void} handler
 */
export function onStopSignals(handler) {
  for (const signal of STOP_SIGNALS) {
    process.off(signal, leave);
    process.on(signal, handler);
  }
}

/**
 * Runs a command's main function; what it throws becomes a message and exit code 1.
 * @param {() => Promise<number>} main resolves to the exit code
 */
export async function runMain(main) {
  for (const signal of STOP_SIGNALS) process.on(signal, leave);
  try {
    checkNode(process.versions.node);
    process.exitCode = await main();
  } catch (error) {
    if (error instanceof UsageError) sayErr([`error: ${error.message}`, ...error.hints.map((hint) => `  ${hint}`)].join('\n'));
    else sayErr(error instanceof Error ? (error.stack ?? error.message) : String(error));
    process.exitCode = 1;
  }
}

/** @param {string} version */
function checkNode(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [leastMajor = 0, leastMinor = 0] = LEAST_NODE;
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return;
  throw new UsageError(`this is Node ${version}; Armature needs ${LEAST_NODE.join('.')} or later`, [
    'Node 24 is a good choice: https://nodejs.org',
  ]);
}
