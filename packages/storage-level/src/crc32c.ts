/**
 * CRC-32C (Castagnoli), the checksum of LevelDB's logs. Node's `zlib.crc32` is another polynomial. Eight bytes at a time
 * ("slicing by eight", Kounavis and Berry, 2005): about a gigabyte per second, while a log has some 64 MiB.
 */

/** The polynomial 0x1EDC6F41 with its bits reversed. */
const POLYNOMIAL = 0x82f63b78;

/** `TABLES[256 * n + b]`: what the byte `b` contributes when `n` more bytes follow it. */
const TABLES = new Uint32Array(8 * 256);
for (let byte = 0; byte < 256; byte++) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
  TABLES[byte] = crc;
}
for (let index = 256; index < TABLES.length; index++) {
  const shorter = TABLES[index - 256] as number;
  TABLES[index] = (shorter >>> 8) ^ (TABLES[shorter & 0xff] as number);
}

const at = (index: number): number => TABLES[index] as number;

/** The checksum of `bytes[start, end)`, as an unsigned number. */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let crc = 0xffffffff;
  let i = start;
  for (; i + 8 <= end; i += 8) {
    crc ^= byteAt(bytes, i) | (byteAt(bytes, i + 1) << 8) | (byteAt(bytes, i + 2) << 16) | (byteAt(bytes, i + 3) << 24);
    crc =
      at(0x700 + (crc & 0xff)) ^
      at(0x600 + ((crc >>> 8) & 0xff)) ^
      at(0x500 + ((crc >>> 16) & 0xff)) ^
      at(0x400 + (crc >>> 24)) ^
      at(0x300 + byteAt(bytes, i + 4)) ^
      at(0x200 + byteAt(bytes, i + 5)) ^
      at(0x100 + byteAt(bytes, i + 6)) ^
      at(byteAt(bytes, i + 7));
  }
  for (; i < end; i++) crc = (crc >>> 8) ^ at((crc ^ byteAt(bytes, i)) & 0xff);
  return ~crc >>> 0;
}

function byteAt(bytes: Uint8Array, index: number): number {
  return bytes[index] as number;
}
