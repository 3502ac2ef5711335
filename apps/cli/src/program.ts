/**
 * The tree of commands, in the order in which help lists them, and the options that go with all of them. One file per command
 * says what it does; this one is their table of contents.
 */
import { addSettingOptions, environmentOnlyHelp } from '@armature/process';
import { Command } from 'commander';
import type { Commands } from './command.js';
import { defineConfig, defineExitCodes, defineVersion } from './commands/about.js';
import { defineBuckets } from './commands/bucket.js';
import { defineClusterAccess } from './commands/cluster-access.js';
import { defineClusterChanges } from './commands/cluster-change.js';
import { defineClusterCommit } from './commands/cluster-commit.js';
import { defineClusterCreate } from './commands/cluster-create.js';
import { defineClusterHistory } from './commands/cluster-history.js';
import { defineClusterPlan } from './commands/cluster-plan.js';
import { defineClusterStatus } from './commands/cluster-status.js';
import { defineClusterTransfers } from './commands/cluster-transfers.js';
import { defineDelete } from './commands/delete.js';
import { defineExport } from './commands/export.js';
import { defineGet } from './commands/get.js';
import { defineImport } from './commands/import.js';
import { defineKeys } from './commands/keys.js';
import { defineNatsConfig } from './commands/nats-config.js';
import { definePing } from './commands/ping.js';
import { definePut } from './commands/put.js';
import { defineReap } from './commands/reap.js';
import { defineRepair } from './commands/repair.js';
import { defineRing } from './commands/ring.js';
import { defineRingSimulate } from './commands/ring-simulate.js';
import { defineTokens } from './commands/token.js';
import { cliShape } from './settings.js';

/** What commander prints goes to `writeOut` and `writeErr`; it throws `CommanderError` instead of ending the process. */
export function makeProgram(commands: Commands, output: { writeOut(text: string): void; writeErr(text: string): void }): Command {
  const program = new Command('armature')
    .description('Armature, an always-writable replicated key-value store: data and administration.')
    .configureOutput(output)
    .helpOption('-h, --help', 'print this')
    .exitOverride();
  addSettingOptions(program, cliShape)
    .option('--json', 'JSON on standard output, errors as JSON on standard error')
    .option('--debug', 'show stack traces and the log of the connection')
    .addHelpText(
      'after',
      `
The options above go with every command, before or after its name.
By environment or configuration file only:
${environmentOnlyHelp(cliShape)}

Start with:
  $ armature cluster status
  $ armature put default greeting hello
  $ armature get default greeting
Help on a command: armature <command> --help. Exit codes: armature exit-codes.
`,
    );

  program.commandsGroup('Data:');
  definePut(commands, program);
  defineGet(commands, program);
  defineDelete(commands, program);
  defineKeys(commands, program);
  defineImport(commands, program);
  defineExport(commands, program);

  program.commandsGroup('Administration:');
  const cluster = program
    .command('cluster')
    .description('the members of the cluster: create, status, plan, join, leave, replace, remove, history and more');
  defineClusterCreate(commands, cluster);
  defineClusterStatus(commands, cluster);
  defineClusterPlan(commands, cluster);
  defineClusterCommit(commands, cluster);
  defineClusterTransfers(commands, cluster);
  defineClusterChanges(commands, cluster);
  defineClusterHistory(commands, cluster);
  defineClusterAccess(commands, cluster);
  defineBuckets(commands, program.command('bucket').description('buckets and their properties'));
  defineTokens(commands, program.command('token').description('tokens: who may read, write, list and administer what'));
  const ring = program.command('ring').description('who owns what, where a key lives, and how strategies compare');
  defineRing(commands, ring);
  defineRingSimulate(commands, ring);
  defineRepair(commands, program.command('repair').description('replica synchronisation: now, and what the workers do'));
  defineReap(commands, program);
  definePing(commands, program);
  defineNatsConfig(commands, program);

  program.commandsGroup('About:');
  defineConfig(commands, program.command('config').description('the settings of this command line'));
  defineVersion(commands, program);
  defineExitCodes(commands, program);
  program.addHelpCommand(new Command('help').argument('[command]').description('help on a command').helpGroup('About:'));
  return program;
}
