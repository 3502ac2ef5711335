/**
 * Metadata as headers. Names and values are any text, and other doors than this one write them: with blanks, umlauts, line
 * breaks. Headers are a line of printable ASCII, and client libraries change the case of names. So here all that is not plain is
 * escaped as in a URL, byte by byte of its UTF-8: `%0A`. What is sent is unescaped in the same way, and a percent sign is `%25`
 * both ways; so what one door wrote, every other reads, and what was read here can be written back here.
 *
 *   größe = "1\n2"     Armature-Meta-gr%C3%B6%C3%9Fe: 1%0A2
 *
 * The type of the value is the metadata entry `content-type`, and has the usual header.
 */
import { clipped, exactUtf8Decode, exactUtf8Encode, REPLACEMENT } from '@armature/kernel';
import type { Meta } from '@armature/protocol';
import { META_HEADER } from './plain-headers.js';
import { invalid } from './plain-errors.js';

/**
 * What HTTP allows in a header's name (RFC 9110, token), without the percent sign, and without capitals, since case does not
 * last.
 */
const PLAIN_NAME = /[a-z0-9!#$&'*+.^_`|~-]/;
const PLAIN_VALUE = /[\x20-\x24\x26-\x7e]/;
const CONTENT_TYPE = 'content-type';
const ESCAPE = /%([0-9a-fA-F]{2})?/g;

/** `meta` as headers of an answer. */
export function headersOfMeta(meta: Meta): [name: string, value: string][] {
  return meta.map(([name, value]) => [
    name === CONTENT_TYPE ? 'Content-Type' : META_HEADER + escaped(name, PLAIN_NAME),
    // White space at the ends is no part of a header's value.
    escaped(value, PLAIN_VALUE).replaceAll(/^ | $/g, '%20'),
  ]);
}

/**
 * Metadata from a request: names in lower case, without the prefix. Throws `invalid-argument` for what is not escaped as it must
 * be.
 */
export function metaOfHeaders(sent: readonly (readonly [name: string, value: string])[]): Meta {
  return sent.map(([name, value]) => [
    unescaped(name, `the metadata name ${clipped(name)}`),
    unescaped(value, `the metadata value of ${clipped(name)}`),
  ]);
}

function escaped(text: string, plain: RegExp): string {
  let out = '';
  for (const byte of Buffer.from(text, 'utf8')) {
    const char = String.fromCharCode(byte);
    out += byte < 0x80 && plain.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return out;
}

function unescaped(text: string, what: string): string {
  const remedy = 'Escape it as in a URL: each byte of its UTF-8 as % and two hex digits, a percent sign as %25.';
  const encoded = text.includes(REPLACEMENT) ? undefined : exactUtf8Encode(text);
  if (encoded === undefined) throw invalid(`${what} is not UTF-8`, remedy);
  if (!text.includes('%')) return text;
  const bytes = Buffer.from(encoded)
    .toString('latin1')
    .replaceAll(ESCAPE, (_, hex: string | undefined) => {
      if (hex === undefined) throw invalid(`${what} has a percent sign without two hex digits`, remedy);
      return String.fromCharCode(Number.parseInt(hex, 16));
    });
  const decoded = exactUtf8Decode(Buffer.from(bytes, 'latin1'));
  if (decoded === undefined) throw invalid(`${what} is not UTF-8`, remedy);
  return decoded;
}
