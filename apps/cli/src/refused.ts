/** A run of many commands that may not be given: it ends with the first refusal, since the others would be refused likewise. */
import { toArmatureError, type ArmatureError } from '@armature/kernel';

export class Refused {
  #error: ArmatureError | undefined;

  /** To be told of every failure. */
  note(thrown: unknown): void {
    const error = toArmatureError(thrown);
    if (error.code === 'forbidden' || error.code === 'unauthenticated') this.#error ??= error;
  }

  get isSo(): boolean {
    return this.#error !== undefined;
  }

  /** Throws the refusal, if there was one. */
  check(): void {
    if (this.#error !== undefined) throw this.#error;
  }
}
