#!/usr/bin/env node
/** The anti-entropy worker process: `armature-anti-entropy --cluster prod --nats nats://... --cycle 1h`. */
import { runService } from '@armature/process/service';
import { workerService } from './service.js';

await runService(workerService);
