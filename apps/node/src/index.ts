/** `@armature/node`: the node process. Programs that embed one import `nodeService`, or use `@armature/server` directly. */
export { nodeOptionsOf, nodeShape, type NodeConfig } from './config.js';
export { nodeService } from './service.js';
export { wireNode } from './wire.js';
