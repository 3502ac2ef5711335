/** Messages put together from fragments, in whatever order they come. */
import { ReassemblyBudget } from '@armature/bus';
import { FRAGMENT_OVERHEAD_BYTES, Reassembly } from '@armature/bus/decoders';
import { holds, type Target } from '../target.js';

const REASSEMBLY_BYTES = 2_000;
const MESSAGE_BYTES = 1_000;
/** Bytes of a fragment's description in an input. */
const STEP_BYTES = 4;

/**
 * An input is a list of fragments of a few messages: message, index, count, length, and so many bytes. Whatever their order, what
 * is held is what came in, and within the budget; what becomes whole is what its fragments were.
 */
export const reassembly: Target = {
  name: 'reassembly',
  what: 'messages put together from fragments that come in any order',
  covers: ['bus/Reassembly'],
  ownBytesPerByte: 100,
  seeds: () => [
    fragmentsOf([0, 0, 3, 2], [0, 1, 3, 2], [0, 2, 3, 1]),
    fragmentsOf([1, 0, 1, 5], [2, 0, 2, 0], [2, 1, 2, 4]),
    fragmentsOf([3, 0, 255, 200], [3, 1, 255, 200], [3, 2, 255, 200], [4, 0, 2, 1], [4, 1, 2, 1]),
    fragmentsOf([5, 0, 2, 1], [5, 0, 2, 1], [5, 1, 2, 1], [6, 1, 2, 1], [6, 0, 2, 1]),
  ],
  dense: (sizeBytes) => [
    Buffer.concat(Array.from({ length: Math.floor(sizeBytes / STEP_BYTES) }, (_, i) => Uint8Array.of(0, i & 0xff, 0xff, 0))),
    Buffer.concat(Array.from({ length: Math.floor(sizeBytes / STEP_BYTES) }, (_, i) => Uint8Array.of(i & 0xff, 0, 2, 0))),
  ],
  run(input) {
    const budget = new ReassemblyBudget(REASSEMBLY_BYTES);
    const one = new Reassembly(budget, MESSAGE_BYTES, 'guest');
    const ended = new Set<string>();
    let parts: Uint8Array[] = [];
    for (let at = 0; at + STEP_BYTES <= input.length;) {
      const [message = 0, index = 0, count = 0, length = 0] = input.subarray(at, at + STEP_BYTES);
      const bytes = input.subarray(at + STEP_BYTES, at + STEP_BYTES + length);
      at += STEP_BYTES + length;
      const step = one.accept(message, index, count, bytes, 0);
      ended.add(step.state);
      const isTaken = step.state === 'partial' || step.state === 'complete';
      if (isTaken) parts = index === 0 ? [bytes] : [...parts, bytes];
      holds(budget.usedBytes >= 0 && budget.usedBytes <= REASSEMBLY_BYTES, 'more is held than the budget allows');
      holds(!one.active || budget.usedBytes >= parts.length * FRAGMENT_OVERHEAD_BYTES, 'fragments that cost the budget nothing');
      if (step.state === 'complete')
        holds(Buffer.compare(step.bytes, Buffer.concat(parts)) === 0, 'a message that is not its fragments');
      if (!one.active) holds(budget.usedBytes === 0, 'a budget that is not given back');
    }
    one.reset();
    holds(budget.usedBytes === 0, 'a budget that is not given back');
    return [...ended].sort().join(', ');
  },
};

function fragmentsOf(...steps: readonly (readonly [number, number, number, number])[]): Uint8Array {
  return Buffer.concat(steps.map((step) => Buffer.concat([Uint8Array.from(step), Buffer.alloc(step[3], step[1])])));
}
