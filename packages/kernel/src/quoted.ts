/** How much of what somebody gave a refusal shows: enough to recognize it by. Refusals end up in logs, headers and terminals. */
const SHOWN_CHARS = 80;

/**
 * The text as an error quotes it: in JSON's quotation marks, so that blanks and control characters show, and with an ellipsis
 * where it goes on after `SHOWN_CHARS` UTF-16 units.
 */
export function quoted(text: string): string {
  return JSON.stringify(clipped(text));
}

/** The beginning of the text, with an ellipsis where it goes on: for what an error repeats without quotation marks. */
export function clipped(text: string, maxChars = SHOWN_CHARS): string {
  return text.length <= maxChars ? text : `${text.slice(0, maxChars)}…`;
}
