/**
 * Errors that travel: code, message, remedy and small details, so that a requester sees the type that its peer raised. The
 * cause and the stack stay at home (they belong in the log of whoever failed), and everything is bounded, because an
 * error about a large thing must not be a large thing.
 */
import { ArmatureError, isErrorCode, type ByteReader, type ByteWriter } from '@armature/kernel';

const MAX_TEXT_CHARS = 1024;
const MAX_DETAILS_CHARS = 4096;
/** UTF-8 takes three bytes for a character of a text at most. */
const BYTES_PER_CHAR = 3;

export function writeError(writer: ByteWriter, error: ArmatureError): void {
  writer.text(error.code);
  writer.text(error.message.slice(0, MAX_TEXT_CHARS));
  writer.text((error.remedy ?? '').slice(0, MAX_TEXT_CHARS));
  writer.text(detailsText(error));
}

/**
 * Throws `DecodeError` on malformed input, and where a text is longer than any that is sent. A code of a newer version than ours
 * reads as `internal`, keeping its name.
 */
export function readError(reader: ByteReader): ArmatureError {
  const code = reader.text(MAX_TEXT_CHARS * BYTES_PER_CHAR);
  const message = reader.text(MAX_TEXT_CHARS * BYTES_PER_CHAR);
  const remedy = reader.text(MAX_TEXT_CHARS * BYTES_PER_CHAR);
  const details = parseDetails(reader.text(MAX_DETAILS_CHARS * BYTES_PER_CHAR));
  const options = { remedy: remedy === '' ? undefined : remedy, details };
  if (isErrorCode(code)) return new ArmatureError(code, message, options);
  return new ArmatureError('internal', message, { ...options, details: { ...details, code } });
}

function detailsText(error: ArmatureError): string {
  if (Object.keys(error.details).length === 0) return '';
  try {
    const text = JSON.stringify(error.details);
    return text.length <= MAX_DETAILS_CHARS ? text : '';
  } catch {
    return ''; // cyclic, or a bigint: details are a courtesy, and their loss must not lose the error
  }
}

function parseDetails(text: string): Readonly<Record<string, unknown>> {
  if (text === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
