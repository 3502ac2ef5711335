/** The house of this workspace: its files and manifests, each read once. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { workspaceRoot } from '../workspace-root.js';
import type { House } from './check.js';
import { readRoom, type Room } from './source-file.js';

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly nx?: { readonly tags?: readonly string[] };
}

const SCOPE = '@armature/';

export function workspaceHouse(): House {
  const root = workspaceRoot(import.meta.dirname);
  const rooms = new Map<string, Room>();
  const manifestOf = (name: string): Manifest =>
    JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8')) as Manifest;
  return {
    room(room) {
      const known = rooms.get(room) ?? readRoom(root, room);
      rooms.set(room, known);
      return known;
    },
    dependenciesOf: (name) =>
      Object.keys(manifestOf(name).dependencies ?? {})
        .filter((one) => one.startsWith(SCOPE))
        .map((one) => one.slice(SCOPE.length)),
    isAdapter: (name) => manifestOf(name).nx?.tags?.includes('layer:adapter') === true,
  };
}
