/** What `armature version` and `armature --version` print. The flag reads no setting: a wrong one must not hide the version. */
import { VERSION } from '@armature/kernel';
import { versionText } from '@armature/process';
import { writeOut, type CliIo } from './io.js';

export function tellVersion(io: CliIo, json: boolean): Promise<void> {
  const text = json ? JSON.stringify({ armature: VERSION, node: process.versions.node }) : versionText('armature', VERSION);
  return writeOut(io.stdout, `${text}\n`);
}
