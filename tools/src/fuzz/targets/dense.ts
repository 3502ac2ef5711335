/** Dense inputs: as many of the smallest elements as fit. */
import { ByteWriter } from '@armature/kernel';

/** `head`, a count as a varint, that many times `element`, and `tail`. */
export function denseList(sizeBytes: number, head: Uint8Array, element: Uint8Array, tail: Uint8Array = NOTHING): Uint8Array {
  const count = Math.floor((sizeBytes - head.length - tail.length - 8) / element.length);
  const writer = new ByteWriter(sizeBytes).raw(head).varint(count);
  for (let i = 0; i < count; i++) writer.raw(element);
  return writer.raw(tail).copyOut();
}

/** `head`, as many of `element` as fit with commas between them, and `tail`. */
export function denseText(sizeBytes: number, head: string, element: string, tail: string): Uint8Array {
  const count = Math.max(1, Math.floor((sizeBytes - head.length - tail.length) / (element.length + 1)));
  return Buffer.from(head + Array.from({ length: count }, () => element).join(',') + tail, 'utf8');
}

/**
 * JSON that is small as text and large as objects: flat, deep, with many names, with numbers. `field` is where the decoder
 * expects a list or an object.
 */
export function denseJson(sizeBytes: number, field: string): readonly Uint8Array[] {
  const deep = Math.floor(sizeBytes / 2) - field.length - 8;
  return [
    denseText(sizeBytes, `{"${field}":[`, '{}', ']}'),
    denseText(sizeBytes, `{"${field}":[`, '[]', ']}'),
    denseText(sizeBytes, `{"${field}":[`, '1', ']}'),
    denseText(sizeBytes, `{"${field}":[`, '""', ']}'),
    Buffer.from(`{"${field}":${'['.repeat(deep)}${']'.repeat(deep)}}`),
    Buffer.from(`{"${field}":${'['.repeat(2 * deep)}`),
    Buffer.from(
      `{"${field}":{${Array.from({ length: Math.floor(sizeBytes / 12) }, (_, i) => `"${i.toString(36)}":1`).join(',')}}}`,
    ),
    Buffer.from(`{"${field}":"${'\\u0000'.repeat(Math.floor(sizeBytes / 6) - 4)}"}`),
  ];
}

const NOTHING = new Uint8Array(0);
