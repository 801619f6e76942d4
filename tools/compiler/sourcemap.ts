/**
 * Reads the source map that Binaryen makes: one generated line whose columns are byte offsets into the wasm binary.
 * May import nothing. Source: Source Map Revision 3 (ECMA-426), "Mappings structure"; base-64 VLQ.
 */

/** Place of an instruction in a source, as the map says it: line from 1, column from 1. */
export interface MappedPlace {
  file: string;
  line: number;
  column: number;
}

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const DIGIT = new Int8Array(128).fill(-1);
for (let i = 0; i < BASE64.length; i++) DIGIT[BASE64.charCodeAt(i)] = i;

/** Wasm byte offset -> source place. A segment without a source ends the reach of the one before it. */
export class WasmSourceMap {
  private readonly files: readonly string[];
  private readonly offsets: number[] = [];
  /** Index into files, or -1. */
  private readonly sources: number[] = [];
  private readonly lines: number[] = [];
  private readonly columns: number[] = [];

  /** `rename` turns the map's file names into those that the caller wants to see. */
  constructor(json: string, rename: (name: string) => string) {
    const map = JSON.parse(json) as { sources: string[]; mappings: string };
    this.files = map.sources.map(rename);
    const text = map.mappings;
    const fields = [0, 0, 0, 0];
    let offset = 0;
    let source = 0;
    let line = 0;
    let column = 0;
    let position = 0;
    while (position < text.length) {
      const code = text.charCodeAt(position);
      if (code === 0x2c /* , */) {
        position++;
        continue;
      }
      let count = 0;
      while (position < text.length && text.charCodeAt(position) !== 0x2c) {
        let value = 0;
        let shift = 0;
        let digit: number;
        do {
          digit = DIGIT[text.charCodeAt(position++)] ?? -1;
          if (digit < 0) throw new Error("source map: not base-64 VLQ");
          value |= (digit & 31) << shift;
          shift += 5;
        } while (digit & 32);
        fields[count++ & 3] = value & 1 ? -(value >> 1) : value >> 1;
      }
      offset += fields[0];
      this.offsets.push(offset);
      if (count >= 4) {
        source += fields[1];
        line += fields[2];
        column += fields[3];
        this.sources.push(source);
        this.lines.push(line);
        this.columns.push(column);
      } else {
        this.sources.push(-1);
        this.lines.push(0);
        this.columns.push(0);
      }
    }
  }

  /** The place of the instruction at `offset` bytes from the start of the binary; undefined where none is recorded. */
  locate(offset: number): MappedPlace | undefined {
    let low = 0;
    let high = this.offsets.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.offsets[middle] <= offset) low = middle + 1;
      else high = middle;
    }
    const at = low - 1;
    if (at < 0 || this.sources[at] < 0) return undefined;
    return { file: this.files[this.sources[at]], line: this.lines[at] + 1, column: this.columns[at] + 1 };
  }
}
