/**
 * Whether a terminal can show the text on one line without being told to do something else: no control characters, none that
 * change the direction of writing, no line breaks.
 */
export function isPlainLine(text: string): boolean {
  return text.isWellFormed() && !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(text);
}

/**
 * Whether the text can stand for somebody in tables, logs and headers: a plain line of 1 to `maxChars` characters, with no blanks
 * around it.
 */
export function isPlainName(text: string, maxChars: number): boolean {
  return text.length > 0 && text.length <= maxChars && text.trim() === text && isPlainLine(text);
}
