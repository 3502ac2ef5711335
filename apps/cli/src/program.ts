/**
 * The tree of commands, made of their listings, and the options that go with all of them.
 */
import { VERSION } from '@armature/kernel';
import { addSettingOptions, environmentOnlyHelp } from '@armature/process';
import { Command } from 'commander';
import { addCommands, type Commands } from './command.js';
import { LISTINGS } from './listings.js';
import { cliShape } from './settings.js';

/** What commander prints goes to `writeOut` and `writeErr`; it throws `CommanderError` instead of ending the process. */
export function makeProgram(commands: Commands, output: { writeOut(text: string): void; writeErr(text: string): void }): Command {
  const program = new Command('armature')
    .description('Armature, an always-writable replicated key-value store: data and administration.')
    .configureOutput(output)
    .helpOption('-h, --help', 'print this')
    .version(VERSION, '-V, --version', 'print the version')
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

  for (const [heading, members] of LISTINGS) {
    program.commandsGroup(heading);
    for (const member of members) {
      if ('load' in member) addCommands(commands, program, [member]);
      else addCommands(commands, program.command(member.name).description(member.summary), member.commands);
    }
  }
  addHelp(program);
  return program;
}

/** Commander's own help command would show a command whose definition has not been loaded. */
function addHelp(program: Command): void {
  program.helpCommand(false);
  program
    .command('help [command...]')
    .description('help on a command')
    .addHelpText('after', '\nExamples:\n  $ armature help\n  $ armature help cluster join\n')
    .action(async (names: readonly string[]) => {
      await program.parseAsync([...names, '--help'], { from: 'user' });
    });
}
