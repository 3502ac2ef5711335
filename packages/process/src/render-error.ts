/**
 * Errors for people and for machines. For people: what happened, what to do, and the code to search for. A stack trace says
 * something only of a bug, so operating errors are shown without; `debug` shows it for all.
 */
import type { ArmatureError } from '@armature/kernel';
import pc from 'picocolors';

export interface ErrorStyle {
  readonly color: boolean;
  /** Show stack traces, causes included. */
  readonly debug: boolean;
}

/** `error: message`, `  try: remedy`, `  code: code`; ends with a newline. */
export function renderError(error: ArmatureError, style: ErrorStyle): string {
  const color = pc.createColors(style.color);
  const lines = [`${color.red(color.bold('error:'))} ${indented(error.message)}`];
  if (error.remedy !== undefined) lines.push(`  ${color.cyan('try:')} ${indented(error.remedy)}`);
  lines.push(color.dim(`  code: ${error.code}`));
  if (isBug(error)) lines.push('  This is a bug. Please report it, with the output of the same command under --debug.');
  if (style.debug) lines.push(color.dim(stacksOf(error)));
  return `${lines.join('\n')}\n`;
}

/** The same as a JSON value. */
export function errorDocument(error: ArmatureError, debug = false): Readonly<Record<string, unknown>> {
  return {
    code: error.code,
    message: error.message,
    ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
    ...(Object.keys(error.details).length === 0 ? {} : { details: error.details }),
    ...(debug ? { stack: stacksOf(error) } : {}),
  };
}

/** Errors that nobody foresaw. */
export function isBug(error: ArmatureError): boolean {
  return error.code === 'internal';
}

/** The stack traces of an error and of its causes, outermost first. */
export function stacksOf(error: Error): string {
  const stacks: string[] = [];
  let next: unknown = error;
  // Bounded: a cause may, by mistake, be its own.
  for (let depth = 0; next instanceof Error && depth < 8; depth++) {
    stacks.push(next.stack ?? next.message);
    next = next.cause;
  }
  return stacks.join('\ncaused by: ');
}

function indented(text: string): string {
  return text.replaceAll('\n', '\n       ');
}
