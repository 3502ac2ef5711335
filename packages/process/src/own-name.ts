/** What a process says of itself where names are concerned, and what it does when another one turns out to have its name. */
import { hostname, userInfo } from 'node:os';
import { isPlainName, type ArmatureError } from '@armature/kernel';
import type { ServicePorts } from './run-service.js';

export interface OwnName {
  readonly origin: { readonly host: string; readonly pid: number };
  readonly onNameLost: (error: ArmatureError) => void;
}

export function ownNameOf({ fail }: Pick<ServicePorts, 'fail'>): OwnName {
  return { origin: { host: hostname(), pid: process.pid }, onNameLost: fail };
}

/** Who runs this process, as `user@host`: what a person who gives commands is called in the history of the cluster. */
export function userAtHost(): string {
  return `${plain(userName())}@${plain(hostname())}`;
}

const MAX_PART_CHARS = 48;

function plain(name: string): string {
  return isPlainName(name, MAX_PART_CHARS) ? name : 'unknown';
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return ''; // a user without an entry in the passwd file
  }
}
