/**
 * The account of an import: what was written, what was not, and when to give up: too many failures, or a cluster that takes
 * nothing.
 */
import { plural } from '../format.js';
import type { ReadRecord } from '../records/record.js';

export interface AccountLimits {
  readonly maxFailures: number;
  /** Records in a row that the cluster may refuse for reasons that could pass, though each was repeated. */
  readonly maxRefusedInARow: number;
}

export class ImportAccount {
  readonly #limits: AccountLimits;
  #written = 0;
  #valueBytes = 0;
  #failed = 0;
  #refusedInARow = 0;
  #offsetBytes = 0;

  constructor(limits: AccountLimits) {
    this.#limits = limits;
  }

  get written(): number {
    return this.#written;
  }

  get valueBytes(): number {
    return this.#valueBytes;
  }

  get failed(): number {
    return this.#failed;
  }

  /** How far into the input the records lie that are done with. */
  get offsetBytes(): number {
    return this.#offsetBytes;
  }

  wrote(read: ReadRecord): void {
    this.#written++;
    this.#refusedInARow = 0;
    this.#valueBytes += read.record?.values.reduce((sum, { bytes }) => sum + bytes.length, 0) ?? 0;
    this.#offsetBytes = Math.max(this.#offsetBytes, read.offsetBytes);
  }

  /** `mayPass`: the error is one that a later attempt may not meet. */
  failedAt(read: ReadRecord, mayPass: boolean): void {
    this.#failed++;
    if (mayPass) this.#refusedInARow++;
    this.#offsetBytes = Math.max(this.#offsetBytes, read.offsetBytes);
  }

  /** Why to give up now, or undefined. */
  hopeless(): string | undefined {
    const { maxFailures, maxRefusedInARow } = this.#limits;
    if (this.#failed >= maxFailures) return `${plural(this.#failed, 'failure')} (--max-failures)`;
    if (this.#refusedInARow < maxRefusedInARow) return undefined;
    return `the cluster took none of the last ${plural(this.#refusedInARow, 'record')}`;
  }
}
