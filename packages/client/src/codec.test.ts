import { expect, test } from 'vitest';
import { bytes, json, utf8 } from './codec.js';

test('a value of another kind than the codec takes is refused, and the error names a codec that fits', () => {
  expect(() => utf8.encode(new Uint8Array(1) as unknown as string)).toThrow('give the bucket the codec `bytes`');
  expect(() => bytes.encode('text' as unknown as Uint8Array)).toThrow('no Uint8Array');
  expect(() => json().encode(undefined)).toThrow('no JSON form');
});

test('what has no exact form is refused both ways', () => {
  expect(() => utf8.encode('\ud800')).toThrow('half a surrogate pair');
  expect(() => utf8.decode(new Uint8Array([0xff]))).toThrow('read them with the codec `bytes`');
});
