/** What the bus takes in one message: the least that it must, and the error of a publish above that. */
import { ArmatureError } from '@armature/kernel';

/**
 * The least that a message of the bus must take, in bytes, for links to work over it. A frame of a large message takes some
 * hundred bytes for its headers with the longest names, and what is left should be worth a message. The plain API needs as much:
 * a context and a receipt are headers of one message.
 */
export const MIN_PAYLOAD_BYTES = 4096;

/** The typed error of a publish above the bus's limit, the same for every adapter. */
export function payloadTooLarge(sizeBytes: number, maxPayloadBytes: number): ArmatureError {
  return new ArmatureError('too-large', `a message of ${sizeBytes} bytes is above the bus's limit of ${maxPayloadBytes} bytes`, {
    remedy: 'Send it over a link, which splits what is large, or raise max_payload of the NATS servers.',
    details: { sizeBytes, maxPayloadBytes },
  });
}
