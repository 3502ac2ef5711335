/** `@armature/cli`: the `armature` command, also to be run inside another process: `runCli(args, io)`. */
export { type CliIo, type InputStream, type OutputStream } from './io.js';
export { runCli } from './run-cli.js';
