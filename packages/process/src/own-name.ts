/** What a process says of itself where names are concerned, and what it does when another one turns out to have its name. */
import { hostname } from 'node:os';
import type { ArmatureError } from '@armature/kernel';
import type { ServicePorts } from './run-service.js';

export interface OwnName {
  readonly origin: { readonly host: string; readonly pid: number };
  readonly onNameLost: (error: ArmatureError) => void;
}

export function ownNameOf({ fail }: Pick<ServicePorts, 'fail'>): OwnName {
  return { origin: { host: hostname(), pid: process.pid }, onNameLost: fail };
}
