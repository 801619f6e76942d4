/**
 * What an ELF32 executable loads. May import nothing. Source: System V ABI, "Object files", program header.
 */
export interface LoadedSegment {
  /** Linear address of the first byte. */
  start: number;
  /** Bytes in memory. */
  size: number;
  /** Bytes from the file; the rest of the segment is zero. */
  contents: Uint8Array;
  writable: boolean;
}

const PT_LOAD = 1;
const PF_WRITE = 2;
const FILE_HEADER_BYTES = 52;
const HEADER_BYTES = 32;

/** The segments of a file that has been checked to be an ELF32; none beyond where it is cut off. */
export function loadedSegments(elf: Uint8Array): LoadedSegment[] {
  const view = new DataView(elf.buffer, elf.byteOffset, elf.byteLength);
  if (elf.length < FILE_HEADER_BYTES) return [];
  const offset = view.getUint32(28, true);
  const size = view.getUint16(42, true);
  const found: LoadedSegment[] = [];
  for (let i = 0; i < view.getUint16(44, true); i++) {
    const at = offset + size * i;
    if (at + HEADER_BYTES > elf.length) break;
    if (view.getUint32(at, true) !== PT_LOAD) continue;
    const from = view.getUint32(at + 4, true);
    const contents = elf.subarray(from, from + view.getUint32(at + 16, true));
    const writable = (view.getUint32(at + 24, true) & PF_WRITE) !== 0;
    found.push({ start: view.getUint32(at + 8, true), size: view.getUint32(at + 20, true), contents, writable });
  }
  return found;
}

/** Whether a file that begins as an ELF32 lacks a part of its header, of its program headers, or of what these load. */
export function isCutOff(elf: Uint8Array): boolean {
  if (elf.length < FILE_HEADER_BYTES) return true;
  const view = new DataView(elf.buffer, elf.byteOffset, elf.byteLength);
  const offset = view.getUint32(28, true);
  const size = view.getUint16(42, true);
  for (let i = 0; i < view.getUint16(44, true); i++) {
    const at = offset + size * i;
    if (at + HEADER_BYTES > elf.length) return true;
    if (view.getUint32(at, true) !== PT_LOAD) continue;
    if (view.getUint32(at + 4, true) + view.getUint32(at + 16, true) > elf.length) return true;
  }
  return false;
}
