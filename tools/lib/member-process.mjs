/**
 * One member of the local cluster as a child process: its output goes to a log file, its end is an event, its stop
 * is bounded.
 *
 * A member gets a process group of its own. Ctrl-C in the terminal signals the whole foreground group, and the
 * members would all leave at once; this way they leave in the order that their supervisor chooses.
 */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readFileSync, readSync } from 'node:fs';
import { dirname } from 'node:path';
import { signalGroup, terminateAtExit } from './run-command.mjs';

/**
 * @typedef {object} MemberProcess
 * @property {number} pid
 * @property {Promise<string>} exited resolves, when it ends, to how: 'exit code 1', 'SIGKILL'
 * @property {() => boolean} isRunning
 * @property {(boundMs: number) => Promise<'stopped' | 'killed'>} stop asks it to leave; kills it when the bound has passed
 */

/**
 * @param {{args: readonly string[], cwd: string, logFile: string, env?: NodeJS.ProcessEnv}} options
 *   `args` are those of Node
 * @returns {MemberProcess}
 */
export function startMember({ args, cwd, logFile, env = process.env }) {
  mkdirSync(dirname(logFile), { recursive: true });
  const log = openSync(logFile, 'a');
  const child = spawn(process.execPath, [...args], { cwd, env, stdio: ['ignore', log, log], detached: true });
  closeSync(log);
  terminateAtExit(child);
  let running = true;
  /** @type {Promise<string>} */
  const exited = new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      running = false;
      resolve(signal ?? `exit code ${code}`);
    });
    child.once('error', (error) => {
      running = false;
      resolve(error.message);
    });
  });
  return {
    pid: child.pid ?? 0,
    exited,
    isRunning: () => running,
    async stop(boundMs) {
      if (!running) return 'stopped';
      signalGroup(child.pid, 'SIGTERM');
      const timer = setTimeout(() => signalGroup(child.pid, 'SIGKILL'), boundMs);
      const how = await exited;
      clearTimeout(timer);
      return how === 'SIGKILL' ? 'killed' : 'stopped';
    },
  };
}

/** Logs grow; their end is all that is read. */
const TAIL_BYTES = 65_536;

/**
 * @param {string} logFile
 * @param {number} count
 * @returns {string[]} the last lines of a log
 */
export function lastLogLines(logFile, count) {
  if (!existsSync(logFile)) return [];
  const file = openSync(logFile, 'r');
  try {
    const size = fstatSync(file).size;
    const tail = Buffer.alloc(Math.min(size, TAIL_BYTES));
    readSync(file, tail, 0, tail.length, size - tail.length);
    return tail.toString('utf8').trimEnd().split('\n').slice(-count);
  } finally {
    closeSync(file);
  }
}

/**
 * Whether a process that an earlier start noted is still there and still that member: process ids are reused.
 * @param {number | undefined} pid
 * @param {readonly string[]} marks texts that together only its command line has
 */
export function isStillRunning(pid, marks) {
  if (pid === undefined || pid === 0) return false;
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    const commandLine = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    return marks.every((mark) => commandLine.includes(mark));
  } catch {
    return !existsSync('/proc/self/cmdline'); // no /proc here (macOS): the pid alone has to do
  }
}
