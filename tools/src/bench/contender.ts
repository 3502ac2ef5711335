/**
 * What is measured: a cluster of processes of one build, and a client of the same build that drives it. Two builds are compared
 * within one run, each with a nats-server, nodes and a client of its own, and their cells are measured in turns.
 */
import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Client, connect } from '@armature/client';
import type { Durability, ResolverName } from '@armature/protocol';
import { ProcessCluster } from '../process-cluster.js';
import { cpuTimeUs } from './cpu-time.js';
import { bucketNameOf } from './drive.js';

export interface ContenderOptions {
  /** Of another build: the root of its checkout, built. Undefined: this one. */
  readonly root: string | undefined;
  readonly nodes: number;
  readonly storage: 'level' | 'memory';
  readonly routing: 'direct' | 'router';
  /** Directory for CPU profiles of the nodes. */
  readonly profile: string | undefined;
}

export class Contender {
  /** In the table. */
  readonly name: string;
  readonly client: Client;
  readonly #cluster: ProcessCluster;

  private constructor(name: string, cluster: ProcessCluster, client: Client) {
    this.name = name;
    this.#cluster = cluster;
    this.client = client;
  }

  static async start({ root, nodes, storage, routing, profile }: ContenderOptions): Promise<Contender> {
    const build = root === undefined ? {} : { build: await otherBuild(root) };
    const cluster = await ProcessCluster.start({
      ...build,
      nodes: Array.from({ length: nodes }, (_, i) => `n${i + 1}`),
      routers: routing === 'router' ? ['r1'] : [],
      storage,
      ...(profile === undefined ? {} : { execArgv: ['--cpu-prof', `--cpu-prof-dir=${profile}`] }),
    });
    try {
      return new Contender(root === undefined ? 'this' : basename(resolve(root)), cluster, await cluster.connect({ routing }));
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  async prepare(durabilities: readonly Durability[], resolver: ResolverName): Promise<void> {
    for (const durability of durabilities) await this.client.admin.setBucket(bucketNameOf(durability), { durability, resolver });
  }

  /**
   * Of the cluster's processes, its nats-server included, so far; the client, which is this process, is not among them. Undefined
   * where it cannot be known.
   */
  cpuUs(): number | undefined {
    return cpuTimeUs(this.#cluster.pids);
  }

  async stop(): Promise<void> {
    await this.client.close().catch(() => undefined); // the processes end anyway
    await this.#cluster.stop();
  }
}

/** The programs and the client library of another checkout, which has been built. */
async function otherBuild(root: string): Promise<{ root: string; connect: typeof connect }> {
  const library = join(resolve(root), 'packages', 'client', 'dist', 'index.js');
  if (!existsSync(library))
    throw new Error(`--against ${root}: there is no ${library}; run "npm install && npm run build" there`);
  const { connect: other } = (await import(pathToFileURL(library).href)) as { connect: typeof connect };
  return { root: resolve(root), connect: other };
}
