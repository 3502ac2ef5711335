/**
 * Running another program to its end: its output kept, its time bounded.
 *
 * Children get a process group of their own, so that a time limit takes down what they started too (a shell's
 * children, a test runner's workers), and so that Ctrl-C in the terminal reaches only the tool that has to decide.
 */
import { spawn } from 'node:child_process';

/**
 * @typedef {object} CommandResult
 * @property {number} code exit code; 127 when the program could not be started, 124 when it ran out of time
 * @property {string} output stdout and stderr as they came, the last 1 MiB
 * @property {string} stdout stdout alone, the last 1 MiB
 */

/** Output kept per stream, in characters: more than any message worth reading, less than memory notices. */
const OUTPUT_LIMIT = 1 << 20;

/**
 * Runs to the end; never throws for a program's failure.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{cwd?: string, env?: NodeJS.ProcessEnv, timeoutMs?: number, show?: boolean}} [options]
 *   `show` passes the output on as it comes. Default time limit: 10 minutes.
 * @returns {Promise<CommandResult>}
 */
export function runCommand(command, args, options = {}) {
  const { cwd, env = process.env, timeoutMs = 600_000, show = false } = options;
  return new Promise((resolve) => {
    const child = spawn(command, [...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    let output = '';
    let stdout = '';
    let timedOut = false;
    terminateAtExit(child);
    const timer = setTimeout(() => {
      timedOut = true;
      signalGroup(child.pid, 'SIGKILL');
    }, timeoutMs);
    child.stdout.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
      output = (output + text).slice(-OUTPUT_LIMIT);
      stdout = (stdout + text).slice(-OUTPUT_LIMIT);
      if (show) process.stdout.write(text);
    });
    child.stderr.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
      output = (output + text).slice(-OUTPUT_LIMIT);
      if (show) process.stderr.write(text);
    });
    const finish = (/** @type {number} */ code) => {
      clearTimeout(timer);
      if (timedOut) output += `\n${command}: stopped after ${timeoutMs / 1000} s\n`;
      resolve({ code: timedOut ? 124 : code, output, stdout });
    };
    child.on('error', (error) => {
      output += `${error.message}\n`;
      finish(127);
    });
    child.on('close', (code) => finish(code ?? 1));
  });
}

/** Children that are to end with us. @type {Set<import('node:child_process').ChildProcess>} */
const mortal = new Set();

/**
 * A child with a process group of its own would outlive us; when we end by accident, it is asked to end too.
 * @param {import('node:child_process').ChildProcess} child
 */
export function terminateAtExit(child) {
  if (mortal.size === 0) process.on('exit', terminateMortals);
  mortal.add(child);
  child.once('exit', () => {
    mortal.delete(child);
    if (mortal.size === 0) process.off('exit', terminateMortals);
  });
}

function terminateMortals() {
  for (const { pid } of mortal) signalGroup(pid, 'SIGTERM');
}

/**
 * Signals a whole process group; one that is gone already is no error.
 * @param {number | undefined} pid the group's leader
 * @param {NodeJS.Signals} signal
 */
export function signalGroup(pid, signal) {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ESRCH') throw error;
  }
}
