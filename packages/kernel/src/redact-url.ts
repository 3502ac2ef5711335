/**
 * URLs as they may be shown. A password may hold any character, encoded or not, and a URL that is wrong is wrong in ways
 * that no parser foresees; so this does not parse. Everything from the `//` to the last `@` is hidden, and what follows a `?`.
 */

/** In the place of what is not shown. */
export const STARS = '********';

/** One URL, or several separated by commas, of which only the last host is shown when there are credentials. */
export function redactUrl(text: string): string {
  const at = text.lastIndexOf('@');
  const scheme = /^\s*[a-z][a-z0-9+.-]*:\/\//i.exec(text)?.[0] ?? '';
  const shown = at < scheme.length ? text : `${scheme}${STARS}${text.slice(at)}`;
  const query = shown.indexOf('?');
  return query === -1 ? shown : `${shown.slice(0, query)}?${STARS}`;
}

/** In a message a longer one is cut. */
const MAX_SHOWN_CHARS = 200;

/** `redactUrl` for messages about what is wrong with it: cut where it is long. */
export function shownUrl(text: string): string {
  const shown = redactUrl(text);
  return shown.length <= MAX_SHOWN_CHARS ? shown : `${shown.slice(0, MAX_SHOWN_CHARS)}...`;
}

/** A text with the URLs in it redacted, as far as they hold no blanks. For words of others, who quote what they were given. */
export function redactUrlsIn(text: string): string {
  return text.replaceAll(/[^\s'"=]*:\/\/\S*/g, redactUrl);
}
