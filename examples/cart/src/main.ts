/**
 * `npm run example:cart`: two clients put into one cart at the same moment, neither knowing of the other, and both items survive.
 * Against a running cluster when `NATS_URL` is set, otherwise against a cluster inside this process.
 */
import { connect, type Client } from '@armature/client';
import { startLocalCluster } from '@armature/server';
import { Carts } from './cart.js';

const url = process.env['NATS_URL'];
const local = url === undefined ? await startLocalCluster() : undefined;
const open = async (): Promise<Client> =>
  local?.client ?? (await connect({ servers: url ?? '', cluster: process.env['ARMATURE_CLUSTER'] ?? 'local' }));

const [phone, laptop] = [await open(), await open()];
const customer = `alice-${process.pid}`;
console.log(
  local === undefined ? `cluster at ${url}` : 'a cluster of three nodes in this process (set NATS_URL to use a running one)',
);

await Promise.all([new Carts(phone).add(customer, 'book'), new Carts(laptop).add(customer, 'lamp', 2)]);
console.log(`after two adds at once: ${await new Carts(phone).siblings(customer)} version(s) of the cart are stored`);
console.log('the customer sees', await new Carts(laptop).show(customer));

await new Carts(phone).remove(customer, 'book');
console.log(
  `after one remove: ${await new Carts(phone).siblings(customer)} version(s), the customer sees`,
  await new Carts(laptop).show(customer),
);

if (local === undefined) await Promise.all([phone.close(), laptop.close()]);
await local?.stop();
