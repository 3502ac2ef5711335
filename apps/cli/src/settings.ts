/** What the command line can be configured with, for all commands alike. */
import { commandSettings, connectionSettings, secretSettings, tokenSettings } from '@armature/process';

export const cliShape = { ...connectionSettings, ...secretSettings, ...tokenSettings, ...commandSettings };
