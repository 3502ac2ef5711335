/**
 * The front door: where applications are served that do not hold the cluster's secret.
 *
 * Each bucket and right has a link address of its own at each router and node, `front.<bucket>.<right>.router.<name>`, so that
 * NATS permissions can grant one bucket, or reading only, and nothing else. What is asked there must be of that right, and of
 * that bucket. Applications hear answers at addresses of their own, `guest.<group>.<random>`.
 */
import { ArmatureError, parseBucketName, type BucketName } from '@armature/kernel';
import { bucketOfAddress, keyOfAddress } from '@armature/ring';
import type { FetchRequest, Request, ScanRequest, WriteRequest } from './messages.js';

export const FRONT_RIGHTS = ['read', 'write', 'list'] as const;
export type FrontRight = (typeof FRONT_RIGHTS)[number];

/** What is asked of a front door, besides `ping`. */
export type FrontRequest = FetchRequest | WriteRequest | ScanRequest;

const RIGHT_OF: Readonly<Record<FrontRequest['kind'], FrontRight>> = { fetch: 'read', write: 'write', scan: 'list' };

export function isFrontRequest(request: Request): request is FrontRequest {
  return request.kind in RIGHT_OF;
}

/** What it takes to ask this. A listing is of no key in particular. */
export function wishOf(request: FrontRequest): {
  readonly bucket: BucketName;
  readonly right: FrontRight;
  readonly key: Uint8Array | undefined;
} {
  const right = RIGHT_OF[request.kind];
  if (request.kind === 'scan') return { bucket: request.bucket, right, key: undefined };
  return { bucket: bucketOfAddress(request.address), right, key: keyOfAddress(request.address) };
}

/** The door of `server`, which is the link address of a router or a node. */
export function frontAddress(bucket: BucketName, right: FrontRight, server: string): string {
  return `front.${bucket}.${right}.${server}`;
}

/** The bucket and the right of a link address, if it is one of a front door. */
export function parseFrontAddress(address: string): { readonly bucket: BucketName; readonly right: FrontRight } | undefined {
  const [front, bucketText = '', rightText, , , ...more] = address.split('.');
  const bucket = parseBucketName(bucketText);
  const right = FRONT_RIGHTS.find((one) => one === rightText);
  if (front !== 'front' || !bucket.ok || right === undefined || more.length > 0) return undefined;
  return { bucket: bucket.value, right };
}

/** What a door is for. */
export interface FrontDoorOf {
  readonly bucket: BucketName;
  readonly right: FrontRight;
}

/** Error `forbidden`: this is no business of the front door, or not of this one. */
export function notAtThisDoor(what: string, door: FrontDoorOf): ArmatureError {
  return new ArmatureError('forbidden', `the door for ${door.right} in bucket ${door.bucket} does not take ${what}`, {
    remedy:
      'Ask at the door of that bucket and right. Administration, and whatever nodes say to each other, takes the secret of the cluster.',
    details: { bucket: door.bucket, right: door.right },
  });
}

/**
 * Error `forbidden`: NATS does not let this client publish to `subject`, where that door is. `executed` is `unknown` where
 * something that was asked before the denial may have been done.
 */
export function doorClosedByNats({ bucket, right }: FrontDoorOf, subject: string, executed: unknown): ArmatureError {
  return new ArmatureError('forbidden', `NATS does not permit this client to ${right} in bucket ${bucket}, at ${subject}`, {
    remedy: `Give its NATS user that right: armature nats-config --application <user>:${bucket}:${right}`,
    details: { bucket, right, subject, executed },
  });
}
