/**
 * What lies on the disks of a simulated cluster, read past the nodes: which version sets, kept under which title; whether the
 * replicas agree; and whether any dot names two versions, anywhere, at any time that somebody looked.
 */
import { bytesEqual, type BinaryString, toHex, utf8Decode, type NodeId } from '@armature/kernel';
import { isHolder, type View } from '@armature/membership';
import { openRecord } from '@armature/replica';
import { bucketOfAddress, keyOfAddress, type Address } from '@armature/ring';
import { parseSpaceKey } from '@armature/storage';
import { decodeVersionSet, type VersionSet } from '@armature/versioning';
import type { DiskImage } from '../world/disk.js';

export interface Held {
  readonly address: Address;
  /** The owner it is kept for, where it is a hint. */
  readonly hintFor: string | undefined;
  readonly bytes: Uint8Array;
  readonly set: VersionSet;
}

/** Everything on a disk that is whole; damaged records are as good as absent. */
export function contentsOf(image: DiskImage): Held[] {
  const held: Held[] = [];
  for (const [stored, value] of image) {
    const one = heldUnder(stored, value);
    if (one !== undefined) held.push(one);
  }
  return held;
}

/** The keys of which a disk has a damaged record, as "bucket/key". */
export function damagedNames(images: readonly DiskImage[]): ReadonlySet<string | undefined> {
  const damaged = images.flatMap((image) =>
    [...image].flatMap(([stored, value]) =>
      parseSpaceKey(stored)?.space === 'data' && heldUnder(stored, value) === undefined ? [nameUnder(stored)] : [],
    ),
  );
  return new Set(damaged);
}

/** What was read of a value before: nobody changes stored bytes in place, and most are looked at several times. */
const READ = new WeakMap<Uint8Array, { readonly stored: BinaryString; readonly held: Held | undefined }>();

/** What a stored key and value are, if they are a record or a hint, and whole. */
export function heldUnder(stored: BinaryString, value: Uint8Array): Held | undefined {
  const known = READ.get(value);
  if (known?.stored === stored) return known.held;
  const held = readHeld(stored, value);
  READ.set(value, { stored, held });
  return held;
}

function readHeld(stored: BinaryString, value: Uint8Array): Held | undefined {
  const place = placeOf(stored);
  if (place === undefined) return undefined;
  const bytes = openRecord(value);
  const set = bytes === undefined ? undefined : decodeVersionSet(bytes);
  if (bytes === undefined || set?.ok !== true) return undefined;
  return { ...place, bytes, set: set.value };
}

/** "bucket/key" of a record or a hint. */
export function nameUnder(stored: BinaryString): string | undefined {
  const place = placeOf(stored);
  return place === undefined ? undefined : nameOf(place.address);
}

function placeOf(stored: BinaryString): Pick<Held, 'address' | 'hintFor'> | undefined {
  const parsed = parseSpaceKey(stored);
  if (parsed?.space !== 'data' && parsed?.space !== 'hints') return undefined;
  const slash = parsed.space === 'hints' ? parsed.key.indexOf('/') : -1;
  return { address: parsed.key.slice(slash + 1) as Address, hintFor: slash < 0 ? undefined : parsed.key.slice(0, slash) };
}

/** Of each bucket and key, "bucket/key". */
export function nameOf(address: Address): string {
  return `${bucketOfAddress(address)}/${utf8Decode(keyOfAddress(address))}`;
}

export interface Agreement {
  /**
   * Where owners differ, somebody holds what is not his, hints are left, or a partition is still moving. Empty: the cluster has
   * converged.
   */
  readonly differences: readonly string[];
  /** Of each key, what its owners hold. Where they differ, of the first who holds any. */
  readonly states: ReadonlyMap<Address, VersionSet>;
}

const NOBODY: ReadonlySet<NodeId> = new Set();

/**
 * Whether all owners of each key hold the same bytes, nobody else holds any, and nobody keeps a hint. Who is no member does not
 * count.
 *
 * Where some members are `frozen`, cut off for good, the others must be equal among themselves. What waits for a frozen owner may
 * wait: hints for it, hints of a former owner of a key that it owns, what is kept by those who are not its owners, and whoever is
 * to become an owner beside one.
 */
export function agreementOf(
  view: View,
  contents: ReadonlyMap<NodeId, readonly Held[]>,
  frozen: ReadonlySet<NodeId> = NOBODY,
): Agreement {
  const differences: string[] = [];
  const holders = new Map<Address, Map<NodeId, Held>>();
  for (const [node, held] of contents) {
    if (!view.members.has(node) || frozen.has(node)) continue;
    for (const one of held) {
      const of = holders.get(one.address) ?? new Map<NodeId, Held>();
      holders.set(one.address, of);
      if (one.hintFor === undefined) of.set(node, one);
      else if (!isForFrozen(view, one, frozen))
        differences.push(`${node} keeps a hint of ${nameOf(one.address)} for ${one.hintFor}`);
    }
  }
  const states = new Map<Address, VersionSet>();
  for (const [address, of] of holders) {
    const n = view.buckets.get(bucketOfAddress(address))?.n;
    if (n === undefined) continue;
    const { owners: all, pending } = view.placement(address, n);
    const owners = all.filter((owner) => !frozen.has(owner));
    // A node is ready for a partition as a whole, for the buckets of every N.
    const isWhole = view.ns.every((other) => {
      const { owners: these, pending: those } = view.placement(address, other);
      return ![...these, ...those].some((node) => frozen.has(node));
    });
    if (pending.length > 0 && isWhole) differences.push(`${pending.join(', ')} still to become owner of ${nameOf(address)}`);
    for (const node of of.keys()) {
      if (isWhole && !isHolder({ owners, pending }, node))
        differences.push(`${node} still holds ${nameOf(address)}, which is not its own`);
    }
    const theirs = owners.map((owner) => of.get(owner));
    const state = theirs.find((one) => one !== undefined);
    if (state !== undefined) states.set(address, state.set);
    for (const [place, own] of theirs.entries()) {
      const isEqual = own === undefined || state === undefined ? own === state : bytesEqual(own.bytes, state.bytes);
      if (!isEqual) differences.push(`${owners[place] ?? ''} differs from the other owners in ${nameOf(address)}`);
    }
  }
  return { differences, states };
}

/** Whether somebody whom the hint is to be given to before it is deleted is cut off for good. */
function isForFrozen(view: View, { address, hintFor }: Held, frozen: ReadonlySet<NodeId>): boolean {
  const n = view.buckets.get(bucketOfAddress(address))?.n;
  // While a member is down its hints are not gone through, not even those of keys that it owns no more.
  if (n === undefined || hintFor === undefined || frozen.has(hintFor as NodeId)) return true;
  const { owners, pending } = view.placement(address, n);
  const isMeant = [...owners, ...pending].some((node) => node === hintFor);
  return [...pending, ...(isMeant ? [hintFor as NodeId] : owners)].some((node) => frozen.has(node));
}

/** Remembers every dot that anybody ever wrote to a disk, and what it named. */
export class DotRegister {
  readonly #named = new Map<string, string>();
  readonly #dots = new Map<string, Set<string>>();
  readonly #mintedMs = new Map<string, number>();
  readonly #violations: string[] = [];
  readonly #noted = new Set<string>();

  /**
   * Operations that more than one dot has named: a client repeated a write whose outcome it did not know, and both were minted.
   */
  get repeated(): ReadonlySet<string> {
    return new Set([...this.#dots].filter(([, dots]) => dots.size > 1).map(([operation]) => operation));
  }

  get violations(): readonly string[] {
    return this.#violations;
  }

  /**
   * When a dot of the operation was seen for the first time, the latest of them if there were several, virtual ms; undefined:
   * none was.
   */
  mintedMs(operation: string): number | undefined {
    return this.#mintedMs.get(operation);
  }

  see({ address, set }: Held, where: string, nowMs = 0): void {
    this.#lookForDoubles(address, set, where);
    const name = nameOf(address);
    for (const { dot, version } of set.siblings) {
      const dotName = `${name} ${dot.actor}:${dot.counter}`;
      const named = `${version.operation}${version.tombstone ? ' (tombstone)' : ''} ${toHex(version.value.subarray(0, 20))}`;
      const before = this.#named.get(dotName);
      if (before === named) continue;
      const dots = this.#dots.get(version.operation) ?? new Set();
      this.#dots.set(version.operation, dots.add(dotName));
      if (before === undefined) {
        this.#named.set(dotName, named);
        this.#mintedMs.set(version.operation, nowMs);
      } else this.#violations.push(`dot ${dotName} names ${before} and, at ${where}, ${named}`);
    }
  }

  /** An actor mints over all that it has minted: an operation that is still among the siblings is not minted by it again. */
  #lookForDoubles(address: Address, { siblings }: VersionSet, where: string): void {
    if (siblings.length < 2) return;
    const minted = new Set<string>();
    for (const { dot, version } of siblings) {
      const name = `${version.operation} by ${dot.actor}`;
      if (minted.has(name))
        this.#note(`minted twice: ${nameOf(address)} has two siblings of ${name} at ${where}`, `${nameOf(address)} ${name}`);
      minted.add(name);
    }
  }

  #note(violation: string, what: string): void {
    if (this.#noted.has(what)) return;
    this.#noted.add(what);
    this.#violations.push(violation);
  }
}
