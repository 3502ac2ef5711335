/**
 * A private nats-server: on the loopback interface, on a given port or one that the system picks, without persistence.
 */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { signalGroup, terminateAtExit } from './run-command.mjs';

const READY_TIMEOUT_MS = 10_000;
const STOP_TIMEOUT_MS = 5_000;
const LISTENING = /Listening for client connections on [^\s:]+:(\d+)/;

/**
 * @typedef {object} PrivateNats
 * @property {string} url
 * @property {number} port
 * @property {number} pid
 * @property {Promise<string>} exited resolves, when the server ends, to how: 'exit code 1', 'SIGKILL'
 * @property {() => Promise<void>} stop ends it; resolves when it is gone, after 5 s at most
 */

/**
 * Starts a server and waits until it accepts clients.
 * @param {{binary: string, port?: number, args?: readonly string[], logFile?: string}} options
 *   without `port`, the system picks a free one; `args` are nats-server's own, for example `['-c', 'server.conf']`
 * @returns {Promise<PrivateNats>} rejects with the server's last words when it does not come up within 10 s
 */
export function spawnNats({ binary, port, args = [], logFile }) {
  if (logFile !== undefined) mkdirSync(dirname(logFile), { recursive: true });
  const log = logFile === undefined ? undefined : openSync(logFile, 'a');
  const child = spawn(binary, ['-a', '127.0.0.1', '-p', String(port ?? -1), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // Ctrl-C in the terminal is for the one who started us: the nodes must leave first
  });
  terminateAtExit(child);
  /** @type {Promise<string>} */
  const exited = new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
    child.once('error', (error) => resolve(error.message));
  });
  const stop = async () => {
    signalGroup(child.pid, 'SIGTERM');
    const timer = setTimeout(() => signalGroup(child.pid, 'SIGKILL'), STOP_TIMEOUT_MS);
    await exited;
    clearTimeout(timer);
  };

  return new Promise((resolve, reject) => {
    let words = '';
    let settled = false;
    const fail = (/** @type {string} */ why) => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      signalGroup(child.pid, 'SIGKILL');
      reject(new Error(`nats-server did not start (${why}): ${words.trim().split('\n').slice(-3).join(' | ')}`));
    };
    const timer = setTimeout(() => fail(`not ready after ${READY_TIMEOUT_MS / 1000} s`), READY_TIMEOUT_MS);
    const listen = (/** @type {Buffer} */ chunk) => {
      if (log !== undefined) writeSync(log, chunk);
      if (settled) return;
      words += chunk.toString('utf8');
      const listening = LISTENING.exec(words);
      if (listening === null || child.pid === undefined) return;
      settled = true;
      clearTimeout(timer);
      const actual = Number(listening[1]);
      resolve({ url: `nats://127.0.0.1:${actual}`, port: actual, pid: child.pid, exited, stop });
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    child.once('close', () => log !== undefined && closeSync(log));
    void exited.then((how) => {
      fail(how);
    });
  });
}
