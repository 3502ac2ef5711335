/**
 * Whether listings of a cluster at rest are what its replicas hold: every live key once, in ring order, with all its values, and
 * no deleted one. Keys are listed by outlines and values by whole sets (`coordination/scan.ts`), so both are asked for.
 */
import { toHex } from '@armature/kernel';
import { bytes, type Client } from '@armature/client';
import { addressOf, bucketOfAddress, type Address } from '@armature/ring';
import { liveSiblings, resolve, type VersionSet } from '@armature/versioning';
import type { LoadedBucket } from '../workload/workload.js';

/** `states`: of each key, what its owners hold, deleted keys among them. */
export async function checkListings(
  client: Client,
  { name, properties }: LoadedBucket,
  states: ReadonlyMap<Address, VersionSet>,
): Promise<string[]> {
  const expected = new Map<Address, string>();
  for (const [address, set] of [...states].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const live = bucketOfAddress(address) === name ? liveSiblings(resolve(properties.resolver, set)) : [];
    if (live.length > 0) expected.set(address, valuesText(live.map(({ version }) => version.value)));
  }
  const bucket = client.bucket(name, { codec: bytes });
  try {
    const keys: Address[] = [];
    for await (const key of bucket.keys()) keys.push(addressOf(name, key));
    const entries: string[] = [];
    for await (const [key, values] of bucket.entries()) entries.push(`${addressOf(name, key)} ${valuesText(values)}`);
    return [
      ...differences(`the keys of ${name}`, keys, [...expected.keys()]),
      ...differences(
        `the entries of ${name}`,
        entries,
        [...expected].map(([address, values]) => `${address} ${values}`),
      ),
    ];
  } catch (thrown) {
    return [`unavailable: a listing of ${name} after convergence failed: ${String(thrown)}`];
  }
}

function valuesText(values: readonly Uint8Array[]): string {
  return values.map(toHex).sort().join(',');
}

function differences(what: string, listed: readonly string[], expected: readonly string[]): string[] {
  const place = expected.findIndex((one, i) => listed[i] !== one);
  if (place < 0 && listed.length === expected.length) return [];
  const at = place < 0 ? expected.length : place;
  return [`listed wrongly: ${what}, ${listed.length} for ${expected.length}, from number ${at + 1} on`];
}
