/** `@armature/router`: the router process. Programs that embed one import `routerService`, or use `@armature/server` directly. */
export { routerNameOf, routerOptionsOf, routerShape, type RouterConfig } from './config.js';
export { routerService } from './service.js';
