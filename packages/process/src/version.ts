/** What a program answers to `--version`. */
export function versionText(program: string, version: string): string {
  return `${program} ${version}, Node ${process.versions.node}`;
}
