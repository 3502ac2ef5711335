/** Absence: an answer, not an error of the store; but the user and the script must be told. */
import { EXIT, type ExitCode } from '@armature/process';
import { writeOut } from './io.js';
import type { Session } from './session.js';

/** Says on standard error what is not there; returns the exit code for it. */
export async function tellNotFound(session: Session, message: string): Promise<ExitCode> {
  const { json } = session.voice;
  await writeOut(session.io.stderr, json ? `${JSON.stringify({ error: { code: 'not-found', message } })}\n` : `${message}\n`);
  return EXIT.notFound;
}
