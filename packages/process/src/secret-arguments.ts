/**
 * Secrets as arguments. Every user of a machine may see the command lines of its processes, so no setting that is secret has a
 * flag. Whoever writes one all the same is told why that is refused and what to do instead; the words of a parser for unknown
 * options would repeat the secret.
 */
import { ArmatureError } from '@armature/kernel';
import { variableOf } from './resolve-settings.js';
import type { Shape } from './setting.js';

/** Throws `invalid-argument` for an argument that is a secret setting, as `--nats-password x` or `--secret=x`. */
export function refuseSecretArguments(shape: Shape, args: readonly string[]): void {
  for (const [name, { secret }] of Object.entries(shape)) {
    const flag = `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    if (!secret || !args.some((arg) => arg === flag || arg.startsWith(`${flag}=`))) continue;
    const file = Object.hasOwn(shape, `${name}File`) ? `${flag}-file, ` : '';
    throw new ArmatureError(
      'invalid-argument',
      `there is no ${flag}: every user of this machine can see it in the list of processes`,
      {
        remedy: `Give ${file}${variableOf(name)}, or "${name}" in the configuration file. What was given here is to be changed.`,
      },
    );
  }
}

/** The words of the command line parser without what stood behind the "=" of an option. */
export function withoutValues(complaint: string, args: readonly string[]): string {
  return args
    .filter((arg) => arg.startsWith('-') && arg.includes('='))
    .reduce((text, arg) => text.replaceAll(arg, arg.slice(0, arg.indexOf('='))), complaint);
}
