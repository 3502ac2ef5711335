/**
 * What `npm start` falls back to where no nats-server can be had: the same cluster in this one process, over the in-process bus,
 * on the same data directories. Nothing outside can connect to it, so it brings its own prompt.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { start } from 'node:repl';
import { json, utf8 } from '@armature/client';
import { startLocalCluster } from '@armature/server';
import { openLevelEngine } from '@armature/storage-level';

const [dataDirectory, cluster, ...nodes] = process.argv.slice(2);
if (dataDirectory === undefined || cluster === undefined || nodes.length === 0) {
  throw new Error('usage: in-process.ts <data directory> <cluster> <node>...');
}

const local = await startLocalCluster({
  cluster,
  nodes,
  secret: readFileSync(join(dataDirectory, 'cluster.key'), 'utf8').trim(),
  openEngine: (node) => openLevelEngine({ directory: join(dataDirectory, node), identity: { cluster, node } }),
});

process.stdout.write(`
${nodes.length} nodes and a router run in this process, over the in-process bus: no other process can connect.
Try, at this prompt:

  await bucket.put('greeting', 'hello')
  (await bucket.get('greeting')).value
  await client.admin.members()

`);

const stop = async (): Promise<void> => {
  await local.stop();
  process.exit(0);
};

if (process.stdin.isTTY) {
  const repl = start('armature> ');
  Object.assign(repl.context, { client: local.client, bucket: local.client.bucket('default'), json, utf8 });
  repl.on('exit', () => void stop());
}
process.on('SIGINT', () => void stop());
process.on('SIGTERM', () => void stop());
setInterval(() => undefined, 2 ** 30); // in-process there is no socket to keep the process alive
