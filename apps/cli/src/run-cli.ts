/** One run of the command line, from arguments to exit code. Everything that goes wrong ends here and is told in one form. */
import { ArmatureError, toArmatureError } from '@armature/kernel';
import { EXIT, exitCodeOf, refuseSecretArguments, withoutValues, type ExitCode } from '@armature/process';
import { CommanderError } from 'commander';
import { voiceOf, type Commands } from './command.js';
import { writeOut, type CliIo } from './io.js';
import { makeProgram } from './program.js';
import { checkArguments } from './raw-arguments.js';
import { tellError, type Voice } from './session.js';
import { cliShape } from './settings.js';
import { tellVersion } from './version.js';

/** `args` without the program's own name. Does not reject. */
export async function runCli(args: readonly string[], io: CliIo): Promise<ExitCode> {
  const commands: { io: CliIo; exitCode: ExitCode } & Commands = { io, exitCode: EXIT.ok };
  let printed = '';
  let complaint = '';
  const program = makeProgram(commands, {
    writeOut: (text) => (printed += text),
    writeErr: (text) => (complaint += text),
  });
  // Once the options are read, so that a refusal is told in the form that was asked for, and before anything is done.
  program.hook('preAction', () => checkArguments(args, io.rawArguments));
  try {
    refuseSecretArguments(cliShape, args);
    await program.parseAsync(args, { from: 'user' });
    return commands.exitCode;
  } catch (thrown) {
    const voice: Voice = voiceOf(program.opts());
    if (thrown instanceof CommanderError) {
      if (thrown.code === 'commander.version') {
        // It ends the reading of the command line, so a --json that stands behind it has not been read.
        await tellVersion(io, voice.json || args.includes('--json'));
        return EXIT.ok;
      }
      await writeOut(io.stdout, printed);
      if (thrown.exitCode === 0) return EXIT.ok;
      // Asked for no command, commander answers with help: on standard error, and it is no mistake to explain.
      if (thrown.code === 'commander.help') await writeOut(io.stderr, complaint);
      else await tellError(io, voice, usageError(thrown, withoutValues(complaint, args)));
      return EXIT.usage;
    }
    const error = toArmatureError(thrown);
    await tellError(io, voice, error);
    return exitCodeOf(error.code);
  }
}

function usageError(thrown: CommanderError, complaint: string): ArmatureError {
  const [first = thrown.message, ...more] = complaint.trim().split('\n');
  return new ArmatureError('invalid-argument', first.replace(/^error: /, ''), {
    remedy: [...more.filter((line) => line.trim() !== ''), 'Add --help to the command for what it takes.'].join(' '),
  });
}
