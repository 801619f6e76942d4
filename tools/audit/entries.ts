/**
 * The words of page tables and the like that are not 0, remembered from one audit to the next: of a frame that holds the same bytes
 * as last time only those are read again. Most of a table is empty and most tables do not change from one return to user mode to the
 * next, so this is what makes an audit at each of them affordable. It leaves nothing out: the bytes are compared, all of them.
 * May import nothing.
 */

const PAGE_BYTES = 4096;
const PAGE_WORDS = 1024;
/** Frames that are remembered; with more, all are forgotten. */
const MOST_FRAMES = 4096;

interface Known {
  bytes: Buffer;
  indices: readonly number[];
}

export class FrameEntries {
  private readonly bytes: Buffer;
  private readonly known = new Map<number, Known>();

  /** `words` is RAM. */
  constructor(private readonly words: Uint32Array) {
    this.bytes = Buffer.from(words.buffer, words.byteOffset, words.byteLength);
  }

  /** Indices of the words of a frame that are not 0, lowest first. The frame must exist. */
  of(frame: number): readonly number[] {
    const at = frame * PAGE_BYTES;
    const known = this.known.get(frame);
    if (known !== undefined && this.bytes.compare(known.bytes, 0, PAGE_BYTES, at, at + PAGE_BYTES) === 0) {
      return known.indices;
    }
    const indices: number[] = [];
    const first = frame * PAGE_WORDS;
    for (let i = 0; i < PAGE_WORDS; i++) if (this.words[first + i] !== 0) indices.push(i);
    if (this.known.size >= MOST_FRAMES) this.known.clear();
    const bytes = known?.bytes ?? Buffer.alloc(PAGE_BYTES);
    this.bytes.copy(bytes, 0, at, at + PAGE_BYTES);
    this.known.set(frame, { bytes, indices });
    return indices;
  }
}
