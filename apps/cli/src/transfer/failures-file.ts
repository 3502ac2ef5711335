/**
 * The list of failures of an import: one JSON line for each record that was not written, with the reason. Where the input could
 * be read, the line is itself a record, so the list can be imported again once the reason is gone; where it could not, the line
 * holds it as `source`, or as `sourceBase64` where it is no UTF-8. Made at the first failure.
 */
import { createWriteStream, type WriteStream } from 'node:fs';
import { bytesField } from '../format.js';
import { writeOut } from '../io.js';
import { formatRecord } from '../records/jsonl.js';
import type { ReadRecord } from '../records/record.js';

export interface Failure {
  readonly code: string;
  readonly message: string;
}

export class FailuresFile {
  readonly path: string;
  #stream: WriteStream | undefined;
  #broken: Error | undefined;

  constructor(path: string) {
    this.path = path;
  }

  /** Why the list could not be written, if so. */
  get broken(): Error | undefined {
    return this.#broken;
  }

  async add(read: ReadRecord, failure: Failure): Promise<void> {
    const own = read.record === undefined ? bytesField('source', read.source) : (JSON.parse(formatRecord(read.record)) as object);
    await this.#write(`${JSON.stringify({ ...own, line: read.line, error: failure })}\n`);
  }

  async close(): Promise<void> {
    const stream = this.#stream;
    if (stream === undefined || stream.destroyed) return;
    await new Promise<void>((resolve) => stream.end(resolve));
  }

  async #write(text: string): Promise<void> {
    if (this.#broken !== undefined) return;
    this.#stream ??= createWriteStream(this.path).on('error', (error) => (this.#broken ??= error));
    await writeOut(this.#stream, text).catch((error: unknown) => (this.#broken ??= error as Error));
  }
}
