/** Listings: what is stored is listed, each key once, and nothing else. */
import type { Mutation } from '../mutation.js';
import { DELETIONS } from './reaping-runs.js';
import { PLAIN } from './runs.js';

const SCAN = 'packages/coordination/src/scan.ts';

export const listings: readonly Mutation[] = [
  {
    name: 'listing-ends-early',
    trap: 'a listing ends with the first partition whose owners have no more',
    file: SCAN,
    find: 'request.withValues) ?? known ?? end;',
    replace: 'request.withValues) ?? known;',
    run: PLAIN,
  },
  {
    name: 'listing-shows-deleted',
    trap: 'a listing of keys does not see that what it lists is deleted',
    file: 'packages/versioning/src/outline.ts',
    find: 'value: sizeOf(version), meta: NO_META',
    replace: 'value: sizeOf(version), meta: NO_META, tombstone: false',
    run: DELETIONS,
  },
  {
    name: 'listing-leaves-out-siblings',
    trap: 'a listing gives one of several concurrent values for all',
    file: SCAN,
    find: 'live.map(({ version }) => fetchedSibling(version))',
    replace: 'live.slice(0, 1).map(({ version }) => fetchedSibling(version))',
    run: PLAIN,
  },
];
