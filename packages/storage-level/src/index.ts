/** `@armature/storage-level`: the storage engine over LevelDB. */
export { openLevelEngine, type LevelEngineOptions } from './level-engine.js';
