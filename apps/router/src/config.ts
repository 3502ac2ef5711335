/** What a router is told: the flags of `armature-router`, and how they become a router's options. */
import { randomBytes } from 'node:crypto';
import type { LinkAddress } from '@armature/bus';
import {
  connectionSettings,
  leaveMsOf,
  requireSecrets,
  routerSettings,
  secretSettings,
  serviceSettings,
  type ValuesOf,
} from '@armature/process';
import { nodeAddress } from '@armature/protocol';
import type { RouterOptions } from '@armature/server';

export const routerShape = { ...routerSettings, ...connectionSettings, ...secretSettings, ...serviceSettings };

export type RouterConfig = ValuesOf<typeof routerShape>;

/** Routers keep nothing, so any name will do that no other has: a fleet of them can share one configuration. */
const MADE_UP = `r-${randomBytes(4).toString('hex')}`;

/** The name given, or one made up, the same for as long as the process lives. */
export function routerNameOf(config: Pick<RouterConfig, 'name'>): string {
  return config.name ?? MADE_UP;
}

/** Errors: `invalid-config` when there is no secret. */
export function routerOptionsOf(config: RouterConfig): RouterOptions {
  return {
    name: routerNameOf(config),
    prefix: config.prefix,
    cluster: config.cluster,
    secrets: requireSecrets(config),
    seeds: config.seeds.map((node) => nodeAddress(node) as LinkAddress),
    gossipIntervalMs: config.gossipIntervalMs,
    leaveMs: leaveMsOf(config),
  };
}
