/**
 * Console input that comes from no keyboard: kept line by line until the guest sleeps, so that a run that gets it needs no stamps.
 * May import nothing.
 */
const NEWLINE = 10;
const END_OF_TRANSMISSION = 4;

export class GuestInput {
  private readonly lines: Uint8Array[] = [];
  /** No more will come. */
  ended = false;

  /** Adds bytes as they came: pieces that end with a line's end, and what is left. */
  add(bytes: Uint8Array): void {
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE) + 1; end > 0; end = bytes.indexOf(NEWLINE, start) + 1) {
      this.lines.push(bytes.subarray(start, end));
      start = end;
    }
    if (start < bytes.length) this.lines.push(bytes.subarray(start));
  }

  /**
   * Reads it from its beginning, for one run. A call gives the next piece; after the last one an end-of-transmission, as often as
   * asked; undefined while more may come.
   */
  reader(): () => Uint8Array | undefined {
    let at = 0;
    return () => {
      if (at < this.lines.length) return this.lines[at++];
      return this.ended ? Uint8Array.of(END_OF_TRANSMISSION) : undefined;
    };
  }
}
