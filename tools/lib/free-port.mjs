/**
 * A free loopback port near a preferred one, so that a local cluster keeps its addresses from one start to the next
 * unless somebody else took them meanwhile.
 */
import { createServer } from 'node:net';
import { UsageError } from './say.mjs';

const ATTEMPTS = 200;

/**
 * The first free port from `preferred` upwards that is not in `taken`, and is added to it.
 * @param {number} preferred
 * @param {Set<number>} taken ports promised to others of the same start, not listening yet
 * @returns {Promise<number>}
 */
export async function freePort(preferred, taken) {
  for (let port = preferred; port < Math.min(preferred + ATTEMPTS, 65_536); port++) {
    if (taken.has(port) || !(await isFree(port))) continue;
    taken.add(port);
    return port;
  }
  throw new UsageError(`no free port between ${preferred} and ${preferred + ATTEMPTS}`);
}

/**
 * @param {number} port
 * @returns {Promise<boolean>}
 */
function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}
