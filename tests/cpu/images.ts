/** Multiboot images made for tests: a header, ELF32 files with any segments, images with the header's address fields. */

/** The 12-byte header. */
export function multibootHeader(flags = 0): Uint8Array {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x1badb002, true);
  view.setUint32(4, flags, true);
  view.setUint32(8, -(0x1badb002 + flags), true);
  return bytes;
}

export interface ElfSegment {
  physical: number;
  /** Same as `physical` when absent. */
  virtual?: number;
  data: Uint8Array;
  /** Bytes in memory. */
  bytes: number;
  /** Type of the program header; PT_LOAD when absent. */
  type?: number;
}

/** An ELF32 i386 executable with the segments' data right behind its program headers. */
export function elfImage(segments: readonly ElfSegment[], entry: number): Uint8Array {
  const dataAt = 52 + 32 * segments.length;
  const file = new Uint8Array(dataAt + segments.reduce((sum, segment) => sum + segment.data.length, 0));
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  view.setUint16(16, 2, true); // ET_EXEC
  view.setUint16(18, 3, true); // EM_386
  view.setUint32(20, 1, true);
  view.setUint32(24, entry, true);
  view.setUint32(28, 52, true);
  view.setUint16(40, 52, true);
  view.setUint16(42, 32, true);
  view.setUint16(44, segments.length, true);
  view.setUint16(46, 40, true); // size of a section header, though there is none: v86 complains otherwise
  let offset = dataAt;
  for (const [i, segment] of segments.entries()) {
    const { physical, virtual = physical, data, bytes, type = 1 } = segment;
    const fields = [type, offset, virtual, physical, data.length, bytes, 7, 4];
    for (const [n, field] of fields.entries()) view.setUint32(52 + 32 * i + 4 * n, field, true);
    file.set(data, offset);
    offset += data.length;
  }
  return file;
}

export interface KludgeAddresses {
  load: number;
  bss: number;
  entry: number;
  /** Where the header itself goes; `load` when absent. */
  header?: number;
  /** End of the file's part; right behind the body when absent. */
  loadEnd?: number;
}

/** An image that is a multiboot header with address fields (32 bytes), then `body`. */
export function kludgeImage(body: Uint8Array, addresses: KludgeAddresses): Uint8Array {
  const flags = 1 << 16;
  const { load, bss, entry, header = load, loadEnd = load + 32 + body.length } = addresses;
  const file = new Uint8Array(32 + body.length);
  file.set(multibootHeader(flags));
  const view = new DataView(file.buffer);
  for (const [i, field] of [header, load, loadEnd, bss, entry].entries()) view.setUint32(12 + 4 * i, field, true);
  file.set(body, 32);
  return file;
}
