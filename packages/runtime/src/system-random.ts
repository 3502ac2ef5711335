import { randomFillSync } from 'node:crypto';
import { randomFrom, type Random } from '@armature/kernel';

/** Numbers drawn at a time, so that the system call is paid once per thousand draws. */
const POOL_WORDS = 1024;

/** The operating system's randomness. Forks share it: independent streams come for free. */
export function systemRandom(): Random {
  const pool = new Uint32Array(POOL_WORDS);
  let next = POOL_WORDS;
  const random: Random = randomFrom(
    () => {
      if (next === POOL_WORDS) {
        randomFillSync(pool);
        next = 0;
      }
      return pool[next++] as number;
    },
    () => random,
  );
  return random;
}
