/**
 * Writes and reads ustar archives: the initrd. Deterministic: no times, no owners. May import nothing.
 * Source: POSIX.1-2017, pax, "ustar Interchange Format".
 *
 *     0    100 108 116 124  136   148      156  157      257    263 265 ...  345
 *     name mode uid gid size mtime checksum type linkname ustar\0 00  ...    prefix
 */

export interface TarFile {
  /** Path without a leading slash, such as `bin/sh`. */
  name: string;
  data: Uint8Array;
  /** Permission bits. */
  mode: number;
}

const BLOCK = 512;
const NAME_BYTES = 100;
const PREFIX_BYTES = 155;
const TYPE_FILE = 0x30;
const TYPE_DIRECTORY = 0x35;

/** An archive of the files in the order given. Throws Error for a name that ustar cannot hold. */
export function buildInitrd(files: readonly TarFile[]): Uint8Array {
  const size = files.reduce((sum, { data }) => sum + BLOCK + roundUp(data.length), 0);
  const archive = new Uint8Array(size + 2 * BLOCK);
  let at = 0;
  for (const file of files) {
    writeHeader(archive.subarray(at, at + BLOCK), file);
    archive.set(file.data, at + BLOCK);
    at += BLOCK + roundUp(file.data.length);
  }
  return archive;
}

/**
 * The regular files of an archive, in order; `archiveName` is for messages. Throws Error, one line with the name and the
 * reason, for bytes that are no ustar archive or end too early.
 */
export function readTar(archive: Uint8Array, archiveName: string): TarFile[] {
  const files: TarFile[] = [];
  let at = 0;
  for (;;) {
    if (at + BLOCK > archive.length) throw new Error(`${archiveName}: truncated: no end-of-archive block`);
    const header = archive.subarray(at, at + BLOCK);
    if (header.every((byte) => byte === 0)) return files;
    if (field(header, 257, 5) !== "ustar") throw new Error(`${archiveName}: not a ustar archive (at byte ${at})`);
    if (octal(header, 148, 8) !== checksum(header)) throw new Error(`${archiveName}: damaged header at byte ${at}`);
    const prefix = field(header, 345, PREFIX_BYTES);
    const name = (prefix ? `${prefix}/` : "") + field(header, 0, NAME_BYTES);
    const size = octal(header, 124, 12);
    at += BLOCK;
    if (at + size > archive.length) throw new Error(`${archiveName}: truncated within ${name}`);
    const type = header[156];
    if (type === TYPE_FILE || type === 0) {
      files.push({ name, data: archive.slice(at, at + size), mode: octal(header, 100, 8) });
    } else if (type !== TYPE_DIRECTORY) {
      throw new Error(`${archiveName}: ${name} is neither a file nor a directory`);
    }
    at += roundUp(size);
  }
}

function writeHeader(header: Uint8Array, { name, data, mode }: TarFile): void {
  const [prefix, rest] = splitName(name);
  const put = (offset: number, text: string) => header.set(new TextEncoder().encode(text), offset);
  const number = (value: number, digits: number) => `${value.toString(8).padStart(digits, "0")}\0`;
  put(0, rest);
  put(100, number(mode, 7));
  put(108, number(0, 7));
  put(116, number(0, 7));
  put(124, number(data.length, 11));
  put(136, number(0, 11));
  header[156] = TYPE_FILE;
  put(257, "ustar\x0000");
  put(345, prefix);
  put(148, `${number(checksum(header), 6)} `);
}

/** prefix and name of at most 155 and 100 bytes, cut at a slash. */
function splitName(name: string): [string, string] {
  const bytes = (text: string) => new TextEncoder().encode(text).length;
  if (bytes(name) <= NAME_BYTES) return ["", name];
  for (let cut = name.indexOf("/"); cut > 0; cut = name.indexOf("/", cut + 1)) {
    const [prefix, rest] = [name.slice(0, cut), name.slice(cut + 1)];
    if (bytes(prefix) <= PREFIX_BYTES && bytes(rest) <= NAME_BYTES) return [prefix, rest];
  }
  throw new Error(`${name}: name too long for a ustar archive`);
}

/** Sum of all bytes of the header, its checksum field counted as blanks. */
function checksum(header: Uint8Array): number {
  return header.reduce((sum, byte, i) => sum + (i >= 148 && i < 156 ? 0x20 : byte), 0);
}

function field(header: Uint8Array, offset: number, bytes: number): string {
  const raw = header.subarray(offset, offset + bytes);
  const end = raw.indexOf(0);
  return new TextDecoder().decode(end < 0 ? raw : raw.subarray(0, end));
}

function octal(header: Uint8Array, offset: number, bytes: number): number {
  const text = field(header, offset, bytes).trim();
  return /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : 0;
}

function roundUp(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}
