#!/usr/bin/env node
/** The router process: `armature-router --cluster prod --nats nats://... --secret-file cluster.key`. */
import { runService } from '@armature/process/service';
import { routerService } from './service.js';

await runService(routerService);
