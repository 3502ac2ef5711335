/** Builds what the processes of these tests run. Where nothing has changed, that is a matter of a second. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const ROOT = join(import.meta.dirname, '..', '..');

/** Throws with the compiler's words when the sources do not compile. */
export async function setup(): Promise<void> {
  try {
    await promisify(execFile)(join(ROOT, 'node_modules', '.bin', 'tsc'), ['-b'], { cwd: ROOT });
  } catch (thrown) {
    const { stdout, message } = thrown as Error & { readonly stdout?: string };
    throw new Error(`the sources do not compile, so there is nothing to run: ${stdout ?? message}`, { cause: thrown });
  }
}
