/**
 * Records of the membership history: whoever has the secret may say them, they are spread by gossip and kept for ever, so what is
 * taken must do no harm whatever it says. An input is lines of JSON. Records that are taken are put into a history and folded, in
 * the order of the input and in the reverse: the fold makes something of any history, and it must be the same.
 */
import { utf8Decode, utf8Encode } from '@armature/kernel';
import { checkProposal, foldHistory, History, type View } from '@armature/membership';
import {
  parseAuthor,
  parseBucketProperties,
  parseChange,
  parseChangeRecord,
  parseHoldings,
  parseNodeStatus,
  parseCommandRecord,
  parseWorkerStatus,
  type ChangeRecord,
} from '@armature/protocol';
import { holds, type Target } from '../target.js';
import { denseJson } from './dense.js';
import { COMMAND, HOLDINGS, STATUS, WORKER } from './messages.js';
import { attemptOf, outcomeOf, type Attempt } from './outcomes.js';
import { CHANGES, CLUSTER, RECORDS } from './values.js';

const WORDS = [
  ...[
    '"kind":"join"',
    '"kind":"leave"',
    '"kind":"left"',
    '"kind":"remove"',
    '"kind":"replace"',
    '"kind":"ready"',
    '"kind":"bucket"',
    '"kind":"lost"',
    '"kind":"actor"',
  ],
  ...[
    '"node":"n1"',
    '"node":"n2"',
    '"node":"n4"',
    '"weight":0.01',
    '"partitions":[0,1,2]',
    '"n":1',
    '"__proto__":',
    '"change":{',
    '\n',
    '9007199254740991',
    '1e999',
    '-0',
  ],
];
/** Rings are claimed anew for each change of members, which takes ms: a few records are enough. */
const MAX_RECORDS = 24;

export const history: Target = {
  name: 'history',
  what: 'records of the membership history, from JSON to the view',
  covers: [
    'protocol/parseChange',
    'protocol/parseChangeRecord',
    'protocol/parseAuthor',
    'protocol/parseBucketProperties',
    'kernel/parseNodeId',
    'kernel/parseClusterName',
    'kernel/parseZoneName',
  ],
  words: WORDS,
  seeds: () => [
    linesOf(RECORDS),
    linesOf(RECORDS.slice(0, 3)),
    linesOf([...RECORDS].reverse()),
    ...RECORDS.map((record) => linesOf([RECORDS[0] as ChangeRecord, record])),
    ...CHANGES.map((change) => utf8Encode(JSON.stringify(change))),
  ],
  dense: (sizeBytes) => [
    ...denseJson(sizeBytes, 'change'),
    utf8Encode(JSON.stringify({ kind: 'bucket', bucket: 'b', properties: { ['n'.repeat(sizeBytes - 64)]: 1 } })),
    utf8Encode(
      JSON.stringify({
        ...RECORDS[12],
        change: {
          kind: 'ready',
          node: 'n1',
          change: '0'.repeat(16),
          partitions: Array.from({ length: Math.floor(sizeBytes / 7) }, (_, i) => i % 60_000),
        },
      }),
    ),
  ],
  run(input) {
    const ways = new Set<string>();
    const taken: ChangeRecord[] = [];
    for (const line of utf8Decode(input).split('\n', MAX_RECORDS)) {
      const value = json(line);
      const change = attemptOf(parseChange(value));
      const record = attemptOf(parseChangeRecord(value));
      for (const one of [change, record]) {
        if (!one.taken) ways.add(one.refusal);
        else holds(JSON.stringify(json(JSON.stringify(one.value))) === JSON.stringify(one.value), 'a change that JSON alters');
      }
      if (record.taken) taken.push(record.value);
      if (change.taken) ways.add(proposed(change));
      attemptOf(parseAuthor(value));
      if (typeof value === 'object' && value !== null && !Array.isArray(value))
        attemptOf(parseBucketProperties(value as Readonly<Record<string, unknown>>));
    }
    if (taken.length > 0) ways.add(folded(taken));
    return [...ways].sort().slice(0, 3).join('; ');
  },
};

const EMPTY_VIEW = foldHistory(History.empty);

function proposed(change: Attempt<Parameters<typeof checkProposal>[2]>): string {
  if (!change.taken) return '';
  return outcomeOf(attemptOf(checkProposal(EMPTY_VIEW, CLUSTER, change.value)), ({ kind }) => `${kind} may be made`);
}

function folded(records: readonly ChangeRecord[]): string {
  const [one, other] = [records, [...records].reverse()].map((order) => {
    let all = History.empty;
    const refused: ChangeRecord[] = [];
    for (const record of order) {
      const merged = all.merge([record]);
      if (merged.ok) all = merged.value.history;
      else refused.push(record);
    }
    return { all, refused };
  });
  if (one === undefined || other === undefined) return 'none';
  const view = foldHistory(one.all);
  look(view);
  if (one.refused.length > 0 || other.refused.length > 0) return 'records of two histories';
  if (one.all.records.length !== other.all.records.length) return 'records that were left out'; // stamped too late
  holds(
    one.all.fingerprint === other.all.fingerprint && view.ringVersion === foldHistory(other.all).ringVersion,
    'a history that depends on the order in which its records came',
  );
  return `${one.all.records.length} records, ${view.members.size} members, ${view.buckets.size} buckets`;
}

/** What every process asks of a view. */
function look(view: View): void {
  for (const node of view.members.keys()) {
    view.pendingFor(node);
    view.holds(node);
  }
  if (view.ring === undefined) return;
  for (const n of view.ns) {
    const { owners } = view.placementOf(0 as never, n);
    holds(owners.length > 0 || view.members.size === 0, 'a partition that nobody owns, although there are members');
  }
}

export const statuses: Target = {
  name: 'statuses',
  what: 'what processes say of themselves, as JSON: status, holdings, workers, records of commands',
  covers: [
    'protocol/parseNodeStatus',
    'protocol/parseHoldings',
    'protocol/parseWorkerStatus',
    'protocol/parseCommandRecord',
    'protocol/readTransferStatus',
  ],
  words: ['"transfers":', '"active":[', '"notes":[', '"shares":[', '"reaping":{', '"__proto__":{', 'null', '1e999', '-0'],
  seeds: () =>
    [STATUS, HOLDINGS, WORKER, COMMAND].map((one) => utf8Encode(JSON.stringify(one))).concat(['status', 'pause'].map(utf8Encode)),
  dense: (sizeBytes) => [...denseJson(sizeBytes, 'notes'), ...denseJson(sizeBytes, 'shares')],
  run(input) {
    const text = utf8Decode(input);
    const value = json(text);
    const all = {
      node: attemptOf(parseNodeStatus(value)),
      holdings: attemptOf(parseHoldings(value)),
      worker: attemptOf(parseWorkerStatus(value)),
      command: attemptOf(parseCommandRecord(value)),
    };
    for (const one of Object.values(all) as Attempt<unknown>[]) {
      if (!one.taken) continue;
      const again = json(JSON.stringify(one.value));
      holds(
        [parseNodeStatus, parseHoldings, parseWorkerStatus, parseCommandRecord].some(
          (parse) => JSON.stringify(parse(again)) === JSON.stringify({ ok: true, value: one.value }),
        ),
        'a status that is another one when it is said again',
      );
    }
    return Object.values(all)
      .map((one) => (one.taken ? 'taken' : one.refusal))
      .join('; ');
  },
};

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function linesOf(records: readonly ChangeRecord[]): Uint8Array {
  return utf8Encode(records.map((record) => JSON.stringify(record)).join('\n'));
}
