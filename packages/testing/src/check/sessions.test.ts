import { expect, test } from 'vitest';
import type { NodeId } from '@armature/kernel';
import { DEFAULT_BUCKET_PROPERTIES, type Receipt } from '@armature/protocol';
import type { Mishap } from '../world/disk.js';
import type { LoadedBucket } from '../workload/workload.js';
import { Custody } from './custody.js';
import { OperationLog } from './operation-log.js';
import { checkSessions } from './sessions.js';

const bucket: LoadedBucket = { name: 'b' as LoadedBucket['name'], properties: DEFAULT_BUCKET_PROPERTIES };

/** "n1 n2" are primaries that took part, "-n3" did not answer, "+n4" is a fallback. */
function receiptOf(text: string): Receipt {
  const replicas = text.split(' ').map((word) => ({
    node: word.replace(/[-+]/, '') as NodeId,
    role: word.startsWith('+') ? ('fallback' as const) : ('primary' as const),
    outcome: word.startsWith('-') ? ('timeout' as const) : ('durable' as const),
  }));
  return { coordinator: 'n1' as NodeId, replicas };
}

class Story {
  readonly log = new OperationLog();
  #nowMs = 0;

  put(id: string, seen: string, by: string): this {
    return this.#write('put', id, seen, receiptOf(by));
  }

  delete(id: string, seen: string): this {
    return this.#write('delete', id, seen, undefined);
  }

  read(values: string, by: string, beganMs = this.#nowMs + 1): this {
    this.#nowMs += 2;
    this.log.reads.push({ key: 'k', client: 'c', values: listOf(values), receipt: receiptOf(by), beganMs, endedMs: this.#nowMs });
    return this;
  }

  judge(custody = new Custody({ mishaps: new Map(), ownersChanged: false }), repeated: string[] = []): string[] {
    const { violations } = checkSessions(this.log, bucket, custody, new Set(repeated));
    return violations.map((found) => found.split(' ').slice(0, 3).join(' '));
  }

  #write(kind: 'put' | 'delete', id: string, seen: string, receipt: Receipt | undefined): this {
    const operation = this.log.begin({ id, key: 'k', kind, client: 'c', seen: listOf(seen), beganMs: this.#nowMs });
    Object.assign(operation, { outcome: 'acknowledged', receipt, endedMs: ++this.#nowMs });
    return this;
  }
}

function listOf(text: string): string[] {
  return text === '' ? [] : text.split(' ');
}

test('a put that a primary acknowledged is in what a later read of that primary returns, or something that superseded it is', () => {
  const story = (): Story => new Story().put('a', '', 'n1 n2 -n3');
  expect(story().read('a', 'n2 n3').judge()).toEqual([]);
  expect(story().read('', 'n2 n3').judge()).toEqual(['not read: a']);
  expect(story().read('x', 'n3 n1').judge()).toEqual(['not read: a']);
  expect(story().put('b', 'a', 'n1 n3').read('b', 'n2 n3').judge()).toEqual([]);
  expect(story().delete('d', 'a').read('', 'n2 n3').judge()).toEqual([]);
});

test('nothing is said of reads that began before, that no primary of the put answered, or that a fallback answered', () => {
  const story = (by = 'n1 n2 -n3'): Story => new Story().put('a', '', by);
  expect(story().read('', 'n1 n2', 0).judge()).toEqual([]);
  expect(story().read('', 'n3 -n1').judge()).toEqual([]);
  expect(story('n1 +n4').read('', 'n3 +n4').judge()).toEqual([]);
});

test('what a write has superseded is not read again where that write is, unless it was minted twice', () => {
  const story = new Story().put('a', '', 'n1 n2').put('b', 'a', 'n1 n2').read('a b', 'n2 n3');
  expect(story.judge()).toEqual(['read again: a']);
  expect(story.judge(undefined, ['a'])).toEqual([]);
});

test('a primary whose disk was replaced in between answers for nothing; one whose machine lost its power does', () => {
  const story = new Story().put('a', '', 'n1 n2 -n3').read('', 'n2 n3');
  const after = (kind: Mishap['kind']): Custody =>
    new Custody({ mishaps: new Map([['n2' as NodeId, [{ kind, atMs: 1, endedMs: 1, keys: [] }]]]), ownersChanged: false });
  expect(story.judge(after('replaced'))).toEqual([]);
  expect(story.judge(after('power'))).toEqual(['not read: a']);
});
