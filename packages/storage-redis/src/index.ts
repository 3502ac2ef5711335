/** `@armature/storage-redis`: the storage engine over Redis. */
export { openRedisEngine, type RedisEngineOptions } from './redis-engine.js';
