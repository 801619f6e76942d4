/**
 * Typed arrays in a row in one buffer, so that compiled code reaches what they hold by address (an array's byteOffset).
 * May import nothing.
 */

export class Arena {
  /** Arrays begin at `next`, a multiple of 8. */
  constructor(
    private readonly buffer: ArrayBuffer,
    private next: number,
  ) {}

  private take(bytes: number): number {
    const at = this.next;
    this.next = (at + bytes + 7) & ~7;
    return at;
  }

  /** `length` words, all 0. */
  words(length: number): Int32Array {
    return new Int32Array(this.buffer, this.take(4 * length), length);
  }

  /** `length` bytes, all 0. */
  bytes(length: number): Uint8Array {
    return new Uint8Array(this.buffer, this.take(length), length);
  }
}
