/** An engine whose reads the admission controller sees: what the paper's controller watches above all (section 6.5). */
import type { ForegroundWatch } from '@armature/replica';
import type { Engine } from '@armature/storage';

/** `engine`; of its point reads, which are those that requests wait for, some are timed. */
export function observedEngine(engine: Engine, foreground: ForegroundWatch): Engine {
  return {
    name: engine.name,
    loss: engine.loss,
    get: (key) => (foreground.isReadDue() ? foreground.read(() => engine.get(key)) : engine.get(key)),
    getMany: (keys) => engine.getMany(keys),
    write: (batch, options) => engine.write(batch, options),
    range: (query) => engine.range(query),
    sync: () => engine.sync(),
    probe: engine.probe?.bind(engine),
    sizeBytes: () => engine.sizeBytes(),
    close: () => engine.close(),
  };
}
