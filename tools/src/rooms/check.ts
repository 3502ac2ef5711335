/** Holds the steps of a way to the sources, and says where a way climbs to a package that stands above the one it comes from. */
import type { FoundFunction, Room } from './source-file.js';
import type { Step, Way } from './ways.js';

/** What a way is checked against. */
export interface House {
  readonly room: (room: string) => Room;
  /** Short names of the packages that a package's manifest depends on. */
  readonly dependenciesOf: (name: string) => readonly string[];
  readonly isAdapter: (name: string) => boolean;
}

/** Sentences about steps that are not as the way says; none where it is true. */
export function findings(way: Way, house: House): string[] {
  const seen = new Set<string>();
  const found: string[] = [];
  for (const [number, { what, steps }] of way.legs.entries()) {
    const [first] = steps;
    if (first !== undefined && number > 0 && !seen.has(nameOf(first)) && !first.room.startsWith('bus-'))
      found.push(`${way.operation}, "${what}" begins at ${nameOf(first)}, where no leg before it has been`);
    for (const [index, step] of steps.entries()) {
      seen.add(nameOf(step));
      if (functionsAt(step, house).length === 0) found.push(`${way.operation}, "${what}": there is no ${nameOf(step)}`);
      const before = steps[index - 1];
      const lacking = before === undefined ? undefined : whatLacks(before, step, house);
      if (before !== undefined && lacking !== undefined)
        found.push(`${way.operation}, "${what}": ${nameOf(before)} does not lead to ${nameOf(step)}: ${lacking}`);
    }
  }
  return found;
}

/** Why the one step does not lead to the other; undefined where it does. */
function whatLacks(from: Step, to: Step, house: House): string | undefined {
  const { reached } = to;
  const calls = (step: Step, name: string): boolean => functionsAt(step, house).some((one) => one.calls.has(name));
  switch (reached.kind) {
    case 'called':
      if (!calls(from, to.does)) return `it calls no ${to.does}`;
      return imports(from.room, to.room, house) ? undefined : 'its file does not import that one';
    case 'through-port':
      if (!calls(from, reached.as)) return `it calls no ${reached.as}`;
      if (!imports(from.room, reached.port, house)) return `its file does not import the port, ${reached.port}`;
      if (imports(to.room, reached.port, house) || imports(reached.port, to.room, house)) return undefined;
      return `nothing leads from the port, ${reached.port}, to that file`;
    case 'injected':
      if (!calls(from, reached.as)) return `it calls no ${reached.as}`;
      return house.room(to.room).packages.has(packageOf(from.room)) ? undefined : 'that file does not import its package';
    case 'handed-back':
      if (!functionsAt(from, house).some(({ calls, parameters }) => calls.has(reached.as) && parameters.has(reached.as)))
        return `it runs no ${reached.as} that it was given`;
      return calls(to, from.does) ? undefined : 'that one does not call it';
  }
}

/** Also by the door of its package, if something is imported there that is in the file. */
function imports(from: string, to: string, house: House): boolean {
  if (from === to) return true;
  const { files, packages } = house.room(from);
  if (packageOf(from) === packageOf(to)) return files.has(to);
  const { shown } = house.room(`${packageOf(to)}/index.ts`);
  return [...(packages.get(packageOf(to)) ?? [])].some((name) => shown.get(name) === to);
}

function functionsAt({ room, does }: Step, house: House): readonly FoundFunction[] {
  return house.room(room).functions.get(does) ?? [];
}

/**
 * Steps from one package into another that depends on it: `coordination/put.ts -> server/node-parts.ts mint`. Into an adapter the
 * way goes down: it is behind a port so that nobody depends on it.
 */
export function climbs(way: Way, house: House): string[] {
  const found = way.legs.flatMap(({ steps }) =>
    steps.flatMap((step, index) => {
      const before = steps[index - 1];
      if (before === undefined || step.reached.kind === 'called' || step.reached.kind === 'handed-back') return [];
      const [from, to] = [packageOf(before.room), packageOf(step.room)];
      if (house.isAdapter(to) || !dependsOn(to, from, house)) return [];
      return [`${before.room} -> ${nameOf(step)}`];
    }),
  );
  return [...new Set(found)];
}

function dependsOn(name: string, on: string, house: House): boolean {
  return house.dependenciesOf(name).some((one) => one === on || dependsOn(one, on, house));
}

export function nameOf({ room, does }: Step): string {
  return `${room} ${does}`;
}

function packageOf(room: string): string {
  return room.split('/', 1)[0] as string;
}
