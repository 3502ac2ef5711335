/**
 * Storage errors on demand. Error paths are the untested paths, so the simulation wraps each node's engine in this and
 * draws faults from its seed; a test names the one call that is to fail.
 *
 * A failed write is of two kinds, and both happen on real devices: it was not applied, or it was and only the answer was
 * lost. Code above the port has to be right under either.
 */
import { ArmatureError, type BinaryString } from '@armature/kernel';
import type { Engine, RangePage, RangeQuery, StorageOperation, WriteOptions } from './engine.js';

export type EngineCall =
  | { readonly kind: 'get'; readonly key: BinaryString }
  | { readonly kind: 'getMany'; readonly keys: readonly BinaryString[] }
  | { readonly kind: 'write'; readonly batch: readonly StorageOperation[]; readonly sync: boolean }
  | { readonly kind: 'range'; readonly query: RangeQuery }
  | { readonly kind: 'sync' };

export interface Fault {
  readonly code: 'storage-full' | 'storage-failed' | 'storage-corrupt';
  /** The call takes effect all the same, and only then fails. */
  readonly applied: boolean;
}

/** Decides about each call: no fault, a fault, or (as a promise) either of them after a delay, which makes a slow disk. */
export type FaultPlan = (call: EngineCall) => Fault | undefined | Promise<Fault | undefined>;

/** `engine`, with the failures and delays that `plan` asks for. `close` and `sizeBytes` never fail. */
export function faultyEngine(engine: Engine, plan: FaultPlan): Engine {
  const run = async <T>(call: EngineCall, inner: () => T | Promise<T>): Promise<T> => perform(await plan(call), call, inner);
  return {
    name: engine.name,
    loss: engine.loss,
    get(key) {
      const call: EngineCall = { kind: 'get', key };
      const fault = plan(call);
      if (fault instanceof Promise) return fault.then((settled) => perform(settled, call, () => engine.get(key)));
      if (fault !== undefined) throw injected(fault, call);
      return engine.get(key);
    },
    getMany: (keys) => run({ kind: 'getMany', keys }, () => engine.getMany(keys)),
    write: (batch: readonly StorageOperation[], options: WriteOptions) =>
      run({ kind: 'write', batch, sync: options.sync }, () => engine.write(batch, options)),
    range: (query: RangeQuery) => run<RangePage>({ kind: 'range', query }, () => engine.range(query)),
    sync: () => run({ kind: 'sync' }, () => engine.sync()),
    probe: engine.probe?.bind(engine),
    sizeBytes: () => engine.sizeBytes(),
    close: () => engine.close(),
  };
}

async function perform<T>(fault: Fault | undefined, call: EngineCall, inner: () => T | Promise<T>): Promise<T> {
  if (fault === undefined) return inner();
  if (fault.applied) await inner();
  throw injected(fault, call);
}

function injected(fault: Fault, call: EngineCall): ArmatureError {
  return new ArmatureError(fault.code, `injected: ${call.kind} failed`, { remedy: 'None: a test asked for this.' });
}
