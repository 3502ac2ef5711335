/** All targets, in the order in which they are run. */
import type { Target } from '../target.js';
import { adminDoor } from './admin-door.js';
import { commandLine } from './command-line.js';
import { frames } from './frames.js';
import { frontDoor } from './front-door.js';
import { link } from './link.js';
import { history, statuses } from './membership.js';
import { replies, requests } from './messages.js';
import { notices } from './notices.js';
import { plainApi } from './plain-api.js';
import { reassembly } from './reassembly.js';
import { contexts, tokens } from './sealed.js';
import { settings } from './settings.js';
import { stored } from './stored.js';
import { trees } from './trees.js';
import { versionSets } from './version-sets.js';

export const TARGETS: readonly Target[] = [
  ...[requests, replies, versionSets, contexts, tokens, frames, reassembly, link, frontDoor, adminDoor, plainApi],
  ...[history, statuses, notices, stored, trees, settings, commandLine],
];

/** Throws where there is none of that name. */
export function targetNamed(name: string): Target {
  const target = TARGETS.find((one) => one.name === name);
  if (target === undefined) throw new Error(`there is no target ${name}`);
  return target;
}
