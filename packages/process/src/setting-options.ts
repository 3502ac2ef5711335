/**
 * Settings as options of a commander command. Defaults stay with the settings, so that "given" and "default" can be told apart.
 */
import { Option, type Command } from 'commander';
import { variableOf } from './resolve-settings.js';
import type { Setting, Shape } from './setting.js';

const CONFIG_FLAG = '--config <file>';

/** Adds a flag for each setting that has one, and `--config`. */
export function addSettingOptions(command: Command, shape: Shape): Command {
  for (const [name, one] of Object.entries(shape)) {
    if (one.flag === undefined) continue;
    command.addOption(new Option(one.flag, helpOf(name, one)));
    for (const alias of one.flagAliases) command.addOption(new Option(alias, one.help).hideHelp());
  }
  return command.addOption(new Option(CONFIG_FLAG, 'configuration file, JSON (default: armature.json, if there is one)'));
}

/** Settings that have no flag, for the end of a help text. */
export function environmentOnlyHelp(shape: Shape): string {
  return Object.entries(shape)
    .filter(([, one]) => one.flag === undefined)
    .map(([name, one]) => `  ${variableOf(name).padEnd(24)} ${one.help}`)
    .join('\n');
}

function helpOf(name: string, one: Setting<unknown>): string {
  const { fallback } = one;
  const isTold = (typeof fallback === 'string' && fallback !== '') || typeof fallback === 'number';
  return `${one.help}${isTold ? ` (default: ${fallback})` : ''} [${variableOf(name)}]`;
}
