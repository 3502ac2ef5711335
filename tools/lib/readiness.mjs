/**
 * Waiting for a process by its HTTP door: `/readyz` answers 200 when it can serve, and something else (503, with the
 * reason) while it cannot yet.
 */
import { setTimeout as sleep } from 'node:timers/promises';

const PROBE_TIMEOUT_MS = 2_000;
const PROBE_INTERVAL_MS = 150;

/**
 * @typedef {{answers: boolean, ready: boolean, words: string}} Readiness
 */

/**
 * @param {number} httpPort
 * @returns {Promise<Readiness>}
 */
export async function probe(httpPort) {
  try {
    const response = await fetch(`http://127.0.0.1:${httpPort}/readyz`, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
    const words = (await response.text()).trim().slice(0, 300);
    // A process that is still starting has not joined the bus yet, and cannot be told anything there.
    return { answers: !words.includes('"starting"'), ready: response.status === 200, words };
  } catch (error) {
    return { answers: false, ready: false, words: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * Probes until `isEnough`, or until `signal` aborts or the time is up.
 * @param {number} httpPort
 * @param {(readiness: Readiness) => boolean} isEnough
 * @param {{timeoutMs: number, signal: AbortSignal}} bound
 * @returns {Promise<{reached: boolean, last: Readiness}>}
 */
export async function waitUntil(httpPort, isEnough, { timeoutMs, signal }) {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const last = await probe(httpPort);
    if (isEnough(last)) return { reached: true, last };
    if (signal.aborted || Date.now() > deadline) return { reached: false, last };
    await sleep(PROBE_INTERVAL_MS);
  }
}
