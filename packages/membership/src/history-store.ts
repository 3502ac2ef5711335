/**
 * Where a node keeps the history across restarts. A record counts only once it is here: a node that forgot a change it
 * had acknowledged, or had acted upon, would come back with a ring of its own.
 */
import type { ChangeRecord } from '@armature/protocol';

export interface HistoryStore {
  /** All records appended so far, in any order. */
  load(): Promise<readonly ChangeRecord[]>;
  /**
   * Resolves when the records are on stable storage. After a rejection some of them may be there: they will be appended again.
   */
  append(records: readonly ChangeRecord[]): Promise<void>;
}

/** The in-memory twin: survives whoever holds it, as a disk survives a process. */
export function memoryHistoryStore(): HistoryStore {
  const records = new Map<string, ChangeRecord>();
  return {
    load: () => Promise.resolve([...records.values()]),
    append(more) {
      for (const record of more) records.set(record.id, record);
      return Promise.resolve();
    },
  };
}
