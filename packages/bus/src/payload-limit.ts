import { ArmatureError } from '@armature/kernel';

/** The typed error of a publish above the bus's limit, the same for every adapter. */
export function payloadTooLarge(sizeBytes: number, maxPayloadBytes: number): ArmatureError {
  return new ArmatureError('too-large', `a message of ${sizeBytes} bytes is above the bus's limit of ${maxPayloadBytes} bytes`, {
    remedy: 'Send it over a link, which splits what is large, or raise max_payload of the NATS servers.',
    details: { sizeBytes, maxPayloadBytes },
  });
}
