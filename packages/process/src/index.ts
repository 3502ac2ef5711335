/**
 * `@armature/process`: what every Armature process shares, the command line too: configuration, secrets and tokens, how errors
 * and exit codes look. What a process that serves needs besides is in `@armature/process/service`.
 */
export * from './catalogue.js';
export * from './cluster-secret.js';
export * from './config-file.js';
export * from './exit-codes.js';
export * from './http-tokens.js';
export * from './nats-connection.js';
export * from './own-name.js';
export * from './own-token.js';
export * from './private-files.js';
export * from './render-error.js';
export * from './resolve-settings.js';
export * from './secret-arguments.js';
export * from './setting.js';
export * from './setting-options.js';
export * from './show-settings.js';
export { versionText } from './version.js';
