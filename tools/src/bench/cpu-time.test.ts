import { expect, test } from 'vitest';
import { cpuTimeUs } from './cpu-time.js';

test.runIf(process.platform === 'linux')('what a process has computed is counted, and one that has ended counts nothing', () => {
  const beforeUs = cpuTimeUs([process.pid]) as number;
  const began = process.cpuUsage();
  const spentUs = (): number => process.cpuUsage(began).user + process.cpuUsage(began).system;
  while (spentUs() < 60_000);
  const countedUs = (cpuTimeUs([process.pid, 2 ** 22 + 1]) as number) - beforeUs;
  expect(countedUs).toBeGreaterThan(30_000);
});
