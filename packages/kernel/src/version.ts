/** Of this build: that of every manifest in the workspace. */
export const VERSION = '0.1.0';
