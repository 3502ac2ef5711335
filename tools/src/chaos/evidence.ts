/**
 * What is known of a key that breaches a promise: what was asked of it, with what answer and when, and what each node holds of it
 * in the end. Without it, a breach by real processes is a riddle, since the run cannot be had again. Pure.
 */
import { unwrap, utf8Decode } from '@armature/kernel';
import { keyOfAddress } from '@armature/ring';
import { decodeVersionSet } from '@armature/versioning';
import type { Inventory } from '../audit/inventory.js';
import type { Operation } from '../audit/ledger.js';

/** Lines for people; times are seconds since `startedMs`. */
export function evidenceOf(key: string, operations: readonly Operation[], startedMs: number, inventory: Inventory): string[] {
  const seconds = (ms: number): string => ((ms - startedMs) / 1000).toFixed(3);
  const asked = operations
    .filter((operation) => operation.key === key)
    .map(({ action, id, outcome, problem, ...operation }) =>
      `${seconds(operation.startedMs)} to ${seconds(operation.endedMs)} s: ${action} ${id} ${outcome} ${problem}`.trimEnd(),
    );
  const held = [...inventory.holdings].flatMap(([node, records]) =>
    [...records]
      .filter(([address]) => utf8Decode(keyOfAddress(address)) === key)
      .map(([, bytes]) => {
        const { clock, siblings } = unwrap(decodeVersionSet(bytes));
        const versions = siblings.map(
          ({ dot, version }) =>
            `${version.tombstone ? 'tombstone' : 'value'} ${version.operation} as ${dot.actor}:${dot.counter}`,
        );
        return `${node} holds ${versions.join(' and ')}, having seen ${JSON.stringify(clock)}`;
      }),
  );
  return [...asked, ...held];
}
