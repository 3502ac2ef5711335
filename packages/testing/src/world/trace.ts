/**
 * What happened, line by line: for people, and for telling whether two runs were the same. The hash is kept always, the lines
 * only when somebody is going to read them.
 */
import { createHash } from 'node:crypto';

export class Trace {
  readonly #nowMs: () => number;
  readonly #keep: boolean;
  readonly #hash = createHash('sha256');
  readonly #lines: string[] = [];
  #noted = 0;

  constructor(nowMs: () => number, keep: boolean) {
    this.#nowMs = nowMs;
    this.#keep = keep;
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  /** A fact of the run. */
  note(who: string, what: string): void {
    const line = this.#line(who, what);
    this.#hash.update(line).update('\n');
    this.#noted++;
    if (this.#keep) this.#lines.push(line);
  }

  /** For readers only: not part of the hash, so that a run that is traced has the hash of one that is not. */
  aside(who: string, what: () => string): void {
    if (this.#keep) this.#lines.push(this.#line(who, what()));
  }

  /** Of all lines so far, 16 hex digits. */
  get digest(): string {
    return `${this.#hash.copy().digest('hex').slice(0, 16)}-${this.#noted}`;
  }

  #line(who: string, what: string): string {
    return `${(this.#nowMs() / 1000).toFixed(6).padStart(14)}  ${who.padEnd(10)} ${what}`;
  }
}
