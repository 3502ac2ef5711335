/** `@armature/storage-redis`: the storage engine over Redis. */
export { openRedisEngine } from './redis-engine.js';
