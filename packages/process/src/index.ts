/**
 * `@armature/process`: what every Armature process shares, the command line too: configuration, secrets and tokens, how errors
 * and exit codes look. What a process that serves needs besides is in `@armature/process/service`.
 */
export {
  commandSettings,
  connectionSettings,
  KNOWN_SETTINGS,
  leaveMsOf,
  nodeSettings,
  routerSettings,
  secretSettings,
  serviceSettings,
  tokenSettings,
  workerSettings,
} from './catalogue.js';
export { loadSecrets, requireSecrets } from './cluster-secret.js';
export { parseConfig, readConfigFile } from './config-file.js';
export { EXIT, EXIT_CODE_TEXTS, exitCodeOf, type ExitCode } from './exit-codes.js';
export { bearsToken } from './http-tokens.js';
export { natsServerOptions } from './nats-connection.js';
export { ownNameOf, userAtHost } from './own-name.js';
export { loadToken } from './own-token.js';
export { EXPOSED, exposedFiles } from './private-files.js';
export { errorDocument, renderError } from './render-error.js';
export { resolveSettings, type Environment, type Resolved } from './resolve-settings.js';
export { refuseSecretArguments, withoutValues } from './secret-arguments.js';
export { addSettingOptions, environmentOnlyHelp } from './setting-options.js';
export { integer, setting, type Setting, type Shape, type ValuesOf } from './setting.js';
export { renderSettings, shownSettings } from './show-settings.js';
export { versionText } from './version.js';
