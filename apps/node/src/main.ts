#!/usr/bin/env node
/**
 * The node process: `armature-node --name n1 --cluster prod --nats nats://... --data /var/lib/armature --secret-file
 * cluster.key`.
 */
import { runService } from '@armature/process/service';
import { nodeService } from './service.js';

await runService(nodeService);
