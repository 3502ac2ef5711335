/** Lines out of a stream of chunks, with bounded memory: a file without line ends is refused, not read whole. */
import { ArmatureError } from '@armature/kernel';
import { MAX_VALUE_BYTES } from '@armature/protocol';

export interface Line {
  readonly bytes: Uint8Array;
  /** Bytes of input up to and including this line. */
  readonly offsetBytes: number;
}

/** A value of the largest size, as base64 and with something around it. */
const MAX_LINE_BYTES = Math.ceil((MAX_VALUE_BYTES * 4) / 3) + 1024 * 1024;

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** Without line ends (LF or CRLF). The last line needs none. Throws `invalid-argument` for a line that is too long. */
export async function* linesOf(chunks: AsyncIterable<Uint8Array | string>, maxLineBytes = MAX_LINE_BYTES): AsyncGenerator<Line> {
  let held: Buffer[] = [];
  let heldBytes = 0;
  let offsetBytes = 0;
  const take = (tail: Buffer): Uint8Array => {
    const whole = held.length === 0 ? tail : Buffer.concat([...held, tail]);
    held = [];
    heldBytes = 0;
    return whole.at(-1) === CARRIAGE_RETURN ? whole.subarray(0, -1) : whole;
  };
  for await (const chunk of chunks) {
    const bytes =
      typeof chunk === 'string' ? Buffer.from(chunk, 'utf8') : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let start = 0;
    for (let end = bytes.indexOf(LINE_FEED); end >= 0; end = bytes.indexOf(LINE_FEED, start)) {
      offsetBytes += end + 1 - start + heldBytes;
      yield { bytes: take(bytes.subarray(start, end)), offsetBytes };
      start = end + 1;
    }
    const rest = bytes.subarray(start);
    if (rest.length === 0) continue;
    held.push(rest);
    heldBytes += rest.length;
    if (heldBytes > maxLineBytes) {
      throw new ArmatureError('invalid-argument', `a line is longer than ${maxLineBytes} bytes`, {
        remedy: 'The file has one JSON object per line; look at what follows the last record that was read.',
      });
    }
  }
  if (heldBytes > 0) {
    offsetBytes += heldBytes;
    yield { bytes: take(Buffer.alloc(0)), offsetBytes };
  }
}
