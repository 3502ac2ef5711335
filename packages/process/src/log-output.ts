/**
 * Where the lines of a log go: a file, a pipe, a terminal. Each of them may stop taking lines (a disk is full, a reader is gone
 * or stands still), and a process that serves data must not end or wait because of its log. So a line that cannot be written is
 * lost and counted, and the next one is tried anew. When lines can be written again, the log says how many were lost.
 *
 * Lines are written in the turn that makes them, so that the last ones before the end are not lost. A pipe that is full takes
 * nothing at the moment: lines wait for it, up to a bound.
 */
import type { Clock } from '@armature/runtime';

export interface LogOutputOptions {
  /** Writes and says how many bytes it took, at once, like `fs.writeSync`; throws what that throws. */
  readonly write: (bytes: Uint8Array) => number;
  readonly clock: Clock;
  /** Told when lines can be written again: how many were lost since they last could, and the code of the last error. */
  readonly onRecovered?: (lost: number, code: string) => void;
}

const MAX_WAITING_BYTES = 1024 * 1024;
const RETRY_MS = 50;

/** How long the end of the process waits for a reader, in steps. */
const LAST_ATTEMPTS = 20;
const LAST_PAUSE_MS = 10;

export class LogOutput {
  readonly #options: LogOutputOptions;
  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #isRetrying = false;
  /** The last line was lost after a part of it had been written. */
  #isTorn = false;
  #lost = 0;
  #told = 0;
  #code = '';

  constructor(options: LogOutputOptions) {
    this.#options = options;
  }

  /** Lines lost since the process began. */
  get lost(): number {
    return this.#lost;
  }

  /** `line` ends with a newline. Never throws, never waits. */
  write(line: string): void {
    const bytes = Buffer.from(line);
    if (this.#waitingBytes + bytes.length > MAX_WAITING_BYTES) {
      this.#lost++;
      return;
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (!this.#isRetrying) this.#drain();
  }

  /** For the end of the process: gives a slow reader a moment. */
  flush(): void {
    for (let attempt = 0; this.#waiting.length > 0 && attempt < LAST_ATTEMPTS; attempt++) {
      if (attempt > 0) pause(LAST_PAUSE_MS);
      this.#drain();
    }
  }

  #drain(): void {
    for (let line = this.#waiting[0]; line !== undefined; line = this.#waiting[0]) {
      const outcome = this.#put(line);
      if (outcome === 'busy') {
        this.#retryLater();
        return;
      }
      this.#waiting.shift();
      this.#waitingBytes -= line.length;
      if (outcome === 'lost') this.#lost++;
      else this.#tellLost();
    }
  }

  #put(line: Uint8Array): 'written' | 'lost' | 'busy' {
    let written = 0;
    try {
      if (this.#isTorn) this.#options.write(NEWLINE);
      this.#isTorn = false;
      while (written < line.length) written += this.#options.write(written === 0 ? line : line.subarray(written));
      return 'written';
    } catch (thrown) {
      const code = codeOf(thrown);
      if (code === 'EAGAIN' || code === 'EBUSY') {
        // The rest of the line goes on from here.
        this.#waiting[0] = line.subarray(written);
        this.#waitingBytes -= written;
        return 'busy';
      }
      this.#code = code;
      this.#isTorn ||= written > 0;
      return 'lost';
    }
  }

  #retryLater(): void {
    if (this.#isRetrying) return;
    this.#isRetrying = true;
    this.#code = 'EAGAIN';
    this.#options.clock.after(RETRY_MS, () => {
      this.#isRetrying = false;
      this.#drain();
    });
  }

  #tellLost(): void {
    const lost = this.#lost - this.#told;
    if (lost === 0) return;
    this.#told = this.#lost;
    this.#options.onRecovered?.(lost, this.#code);
  }
}

const NEWLINE = Buffer.from('\n');

function codeOf(thrown: unknown): string {
  return thrown instanceof Error && 'code' in thrown ? String(thrown.code) : String(thrown);
}

/** Stands still: at the end of a process there is no later. */
function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
