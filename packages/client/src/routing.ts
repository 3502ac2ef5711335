/**
 * Routing: where requests are coordinated (paper, section 6.4). Both kinds offer the same three operations, so that buckets do
 * not care.
 */
import type { BinaryString, BucketName } from '@armature/kernel';
import type { FetchOptions, FetchedSibling, Meta, Receipt, ScanReply, WriteOptions, WriteReply } from '@armature/protocol';
import type { Address } from '@armature/ring';
import type { ReadContext } from './read-context.js';

/**
 * `direct`: reads are coordinated in this process, writes go to a replica. `router`: both by the router tier, or by any node
 * where there is no router.
 */
export type RoutingKind = 'direct' | 'router';

export interface Fetched {
  /** Tombstones among them. */
  readonly siblings: readonly FetchedSibling[];
  readonly context: ReadContext;
  readonly receipt: Receipt;
}

export interface ClientWrite {
  readonly address: Address;
  readonly context: ReadContext | undefined;
  /** 16 hex characters; kept across retries. */
  readonly operation: string;
  readonly tombstone: boolean;
  readonly value: Uint8Array;
  readonly meta: Meta;
  readonly options: WriteOptions;
  /** An earlier attempt at this write may have been carried out. */
  readonly repeated: boolean;
}

export interface ClientScan {
  readonly bucket: BucketName;
  readonly cursor: BinaryString;
  readonly limit: number;
  readonly withValues: boolean;
}

export interface Routing {
  readonly kind: RoutingKind;
  fetch(address: Address, options: FetchOptions, timeoutMs: number): Promise<Fetched>;
  write(write: ClientWrite, timeoutMs: number): Promise<WriteReply>;
  scan(scan: ClientScan, timeoutMs: number): Promise<ScanReply>;
}
