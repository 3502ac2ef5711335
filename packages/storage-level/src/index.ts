/** `@armature/storage-level`: the storage engine over LevelDB. */
export { openLevelEngine } from './level-engine.js';
