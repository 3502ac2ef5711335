/**
 * Message headers: names and values of printable ASCII, as in HTTP. Service errors travel in two headers of fixed name, which
 * any NATS client library and the `nats` command line understand.
 */
import { assert } from '@armature/kernel';

/** Header name (its case is kept) to its values. */
export type BusHeaders = ReadonlyMap<string, readonly string[]>;

const SERVICE_ERROR_CODE_HEADER = 'Nats-Service-Error-Code';
const SERVICE_ERROR_HEADER = 'Nats-Service-Error';

const NAME = /^[!-9;-~]+$/;
// eslint-disable-next-line no-control-regex -- control characters are what must not get through
const FORBIDDEN_IN_VALUE = /[\u0000-\u001f\u007f]+/g;

/** Headers from pairs. Control characters in a value become spaces: values often come from error messages. */
export function headersOf(entries: Readonly<Record<string, string>>): BusHeaders {
  const headers = new Map<string, readonly string[]>();
  for (const [name, value] of Object.entries(entries)) {
    assert(NAME.test(name), `header name ${JSON.stringify(name)} is printable ASCII without a colon`);
    headers.set(name, [value.replace(FORBIDDEN_IN_VALUE, ' ').trim()]);
  }
  return headers;
}

/** The headers of a service's error answer. `code` is like HTTP's: 4xx the requester's doing, 5xx the service's. */
export function serviceErrorHeaders(code: number, description: string): BusHeaders {
  return headersOf({ [SERVICE_ERROR_CODE_HEADER]: String(code), [SERVICE_ERROR_HEADER]: description });
}

/** The first value of a header, or undefined. */
export function headerValue(headers: BusHeaders | undefined, name: string): string | undefined {
  return headers?.get(name)?.[0];
}

/** The error of a service's answer, or undefined when it is none. */
export function serviceErrorOf(
  headers: BusHeaders | undefined,
): { readonly code: number; readonly description: string } | undefined {
  const code = headerValue(headers, SERVICE_ERROR_CODE_HEADER);
  if (code === undefined) return undefined;
  return { code: Number.parseInt(code, 10) || 500, description: headerValue(headers, SERVICE_ERROR_HEADER) ?? '' };
}

/** Bytes that headers take on the wire, which count towards the payload limit. */
export function encodedHeadersBytes(headers: BusHeaders): number {
  let bytes = 'NATS/1.0\r\n\r\n'.length;
  for (const [name, values] of headers)
    for (const value of values) bytes += name.length + Buffer.byteLength(value) + ': \r\n'.length;
  return bytes;
}
