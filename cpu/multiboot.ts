/**
 * Loads a multiboot-1 kernel (ELF32, or any file with the header's address fields, the "a.out kludge") and its modules into
 * RAM, and writes the boot information that it finds through EBX. May import errors.ts. Everything is checked before the
 * first byte of RAM changes; each mistake is one line as a MachineError.
 * Source: Multiboot specification 0.6.96, sections 3.1–3.3; System V ABI, i386 supplement (ELF32).
 */

import { MachineError } from "./errors";

/** EAX at the entry of a multiboot-1 kernel. */
export const BOOT_MAGIC = 0x2badb002;
const HEADER_MAGIC = 0x1badb002;
const HEADER_SEARCH_BYTES = 8192;
const HEADER_ADDRESSES = 1 << 16;
/** Requirements that a loader may not ignore; 0–2 are alignment, memory size and a video mode, which need no refusal. */
const HEADER_UNKNOWN_REQUIREMENTS = 0xfff8;

const INFO_BYTES = 116;
const INFO_FLAGS = (1 << 0) | (1 << 2) | (1 << 3) | (1 << 6) | (1 << 9);
const MAP_ENTRY_BYTES = 24;
const MODULE_ENTRY_BYTES = 16;
const AVAILABLE = 1;
const RESERVED = 2;
const LOADER_NAME = "tine";

const PAGE = 4096;
/** Conventional memory ends where a PC keeps its extended BIOS data. */
const LOW_END = 0x9fc00;
const HIGH_START = 0x100000;
/** Where the boot information goes if the kernel leaves conventional memory alone. */
const INFO_ADDRESS = 0x10000;

/** A module: its bytes, and the string that the kernel finds beside it. */
export interface BootModule {
  data: Uint8Array;
  commandLine?: string;
}

export interface BootOptions {
  /** Passed as it is; characters above 255 are an error. */
  commandLine?: string;
  modules?: readonly (Uint8Array | BootModule)[];
}

/** What the CPU starts with: 32-bit flat protected mode without paging, EIP = entry, EAX = BOOT_MAGIC, EBX = info. */
export interface BootEntry {
  entry: number;
  info: number;
}

/** A piece of the image: `data` at physical `address`, then zeros up to `bytes`. */
interface Chunk {
  address: number;
  bytes: number;
  data: Uint8Array;
}

interface Image {
  chunks: Chunk[];
  entry: number;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Offset of the multiboot header, or an error. */
function findHeader(view: DataView, elf: boolean): number {
  const end = Math.min(view.byteLength, HEADER_SEARCH_BYTES) - 12;
  for (let offset = 0; offset <= end; offset += 4) {
    if (view.getUint32(offset, true) !== HEADER_MAGIC) continue;
    const sum = HEADER_MAGIC + view.getUint32(offset + 4, true) + view.getUint32(offset + 8, true);
    if (sum >>> 0 === 0) return offset;
  }
  const kind = elf ? "not multiboot" : "neither an ELF file nor multiboot";
  throw new MachineError(`${kind}: no multiboot-1 header in the first 8 KB`);
}

/** The image as the header's own address fields describe it: header, load, load end, bss end, entry. */
function readAddressFields(view: DataView, header: number, image: Uint8Array): Image {
  if (header + 32 > image.length) throw new MachineError("truncated: the file ends inside the multiboot header");
  const [headerAddress, loadAddress, loadEnd, bssEnd, entry] = [12, 16, 20, 24, 28].map((field) =>
    view.getUint32(header + field, true),
  );
  const start = header - (headerAddress - loadAddress);
  if (headerAddress < loadAddress || start < 0)
    throw new MachineError("bad multiboot header: the load address is not within the file");
  const bytes = loadEnd === 0 ? image.length - start : loadEnd - loadAddress;
  if (bytes < 0) throw new MachineError("bad multiboot header: the load end lies before the load address");
  if (start + bytes > image.length)
    throw new MachineError(`truncated: the header asks for ${start + bytes} bytes, the file has ${image.length}`);
  const size = bssEnd === 0 ? bytes : bssEnd - loadAddress;
  if (size < bytes) throw new MachineError("bad multiboot header: the bss ends before the load end");
  const data = image.subarray(start, start + bytes);
  return { chunks: [{ address: loadAddress, bytes: size, data }], entry };
}

const ELF_HEADER_BYTES = 52;
const PROGRAM_HEADER_BYTES = 32;
const PT_LOAD = 1;
const EM_386 = 3;

function isElf(image: Uint8Array): boolean {
  return image.length >= 5 && image[0] === 0x7f && image[1] === 0x45 && image[2] === 0x4c && image[3] === 0x46;
}

/** The loadable segments of an ELF32 executable, at their physical addresses. */
function readElf(view: DataView, image: Uint8Array): Image {
  if (image.length < ELF_HEADER_BYTES) throw new MachineError("truncated: the file ends inside the ELF header");
  if (image[4] !== 1 || image[5] !== 1 || view.getUint16(18, true) !== EM_386)
    throw new MachineError("not an i386 executable: the ELF header names another machine");
  const table = view.getUint32(28, true);
  const entryBytes = view.getUint16(42, true);
  const count = view.getUint16(44, true);
  if (entryBytes < PROGRAM_HEADER_BYTES && count > 0) throw new MachineError("bad ELF: program headers are too short");
  if (table + entryBytes * count > image.length)
    throw new MachineError("truncated: the ELF program headers lie beyond the end of the file");
  const chunks: Chunk[] = [];
  let entry = view.getUint32(24, true);
  let entryIsPhysical = false;
  let translated = -1;
  for (let i = 0; i < count; i++) {
    const header = table + i * entryBytes;
    const [type, offset, virtual, address, fileBytes, bytes] = [0, 4, 8, 12, 16, 20].map((field) =>
      view.getUint32(header + field, true),
    );
    if (type !== PT_LOAD || bytes === 0) continue;
    if (fileBytes > bytes) throw new MachineError(`bad ELF: segment ${i} has more bytes in the file than in memory`);
    if (offset + fileBytes > image.length)
      throw new MachineError(
        `truncated: segment ${i} ends at byte ${offset + fileBytes}, the file has ${image.length}`,
      );
    chunks.push({ address, bytes, data: image.subarray(offset, offset + fileBytes) });
    entryIsPhysical ||= entry >= address && entry < address + bytes;
    if (entry >= virtual && entry < virtual + bytes) translated = entry - virtual + address;
  }
  if (chunks.length === 0) throw new MachineError("bad ELF: no loadable segment");
  // A kernel linked high may give its entry as a virtual address.
  if (!entryIsPhysical && translated >= 0) entry = translated;
  return { chunks, entry };
}

/** Reads a kernel file; throws MachineError for whatever cannot be loaded. */
function readImage(image: Uint8Array): Image {
  if (isElf(image) && image[4] === 2)
    throw new MachineError("a 64-bit ELF: multiboot-1 loads 32-bit i386 kernels (ELF32) only");
  const view = viewOf(image);
  const header = findHeader(view, isElf(image));
  const flags = view.getUint32(header + 4, true);
  if ((flags & HEADER_UNKNOWN_REQUIREMENTS) !== 0)
    throw new MachineError(`unsupported multiboot requirements: header flags ${hex(flags)}`);
  const kludge = (flags & HEADER_ADDRESSES) !== 0;
  if (!kludge && !isElf(image))
    throw new MachineError("neither an ELF file nor a multiboot header with load addresses");
  return kludge ? readAddressFields(view, header, image) : readElf(view, image);
}

function checkChunks(chunks: readonly Chunk[], ramBytes: number): void {
  const sorted = [...chunks].sort((a, b) => a.address - b.address);
  for (const [i, chunk] of sorted.entries()) {
    const end = chunk.address + chunk.bytes;
    if (end > ramBytes)
      throw new MachineError(`larger than RAM: the kernel reaches to ${hex(end)}, RAM ends at ${hex(ramBytes)}`);
    if (i > 0 && sorted[i - 1].address + sorted[i - 1].bytes > chunk.address)
      throw new MachineError(`overlapping: two segments of the kernel claim address ${hex(chunk.address)}`);
  }
}

/** Bytes of a NUL-terminated Latin-1 string. */
function stringBytes(text: string, what: string): Uint8Array {
  const bytes = new Uint8Array(text.length + 1);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0 || code > 255) throw new MachineError(`${what} has a character that is not a byte: ${i + 1}`);
    bytes[i] = code;
  }
  return bytes;
}

/** The memory map: [start, end, type] of each range, as a PC's firmware gives it. */
function memoryMap(ramBytes: number): [number, number, number][] {
  return [
    [0, LOW_END, AVAILABLE],
    [LOW_END, 0xa0000, RESERVED],
    [0xf0000, HIGH_START, RESERVED],
    [HIGH_START, ramBytes, AVAILABLE],
  ];
}

/** The information block and all that it points at, laid out one after the other from `address`. */
function buildInfo(
  address: number,
  ramBytes: number,
  options: BootOptions,
  modules: readonly PlacedModule[],
): Uint8Array {
  const map = memoryMap(ramBytes);
  const strings = [
    stringBytes(options.commandLine ?? "", "the kernel command line"),
    stringBytes(LOADER_NAME, "the loader's name"),
    ...modules.map((module, i) => stringBytes(module.commandLine, `the string of module ${i}`)),
  ];
  const mapAt = INFO_BYTES;
  const modulesAt = mapAt + map.length * MAP_ENTRY_BYTES;
  const offsets: number[] = [];
  let end = modulesAt + modules.length * MODULE_ENTRY_BYTES;
  for (const string of strings) {
    offsets.push(end);
    end += string.length;
  }
  const bytes = new Uint8Array(end);
  const view = viewOf(bytes);
  const put = (offset: number, value: number) => view.setUint32(offset, value, true);
  put(0, INFO_FLAGS);
  put(4, LOW_END >> 10);
  put(8, (ramBytes - HIGH_START) >> 10);
  put(16, address + offsets[0]);
  put(20, modules.length);
  put(24, address + modulesAt);
  put(44, map.length * MAP_ENTRY_BYTES);
  put(48, address + mapAt);
  put(64, address + offsets[1]);
  for (const [i, [from, to, type]] of map.entries()) {
    const entry = mapAt + i * MAP_ENTRY_BYTES;
    put(entry, MAP_ENTRY_BYTES - 4); // the size does not count itself
    put(entry + 4, from);
    put(entry + 12, to - from);
    put(entry + 20, type);
  }
  for (const [i, module] of modules.entries()) {
    const entry = modulesAt + i * MODULE_ENTRY_BYTES;
    put(entry, module.address);
    put(entry + 4, module.address + module.data.length);
    put(entry + 8, address + offsets[2 + i]);
  }
  for (const [i, string] of strings.entries()) bytes.set(string, offsets[i]);
  return bytes;
}

interface PlacedModule extends Required<BootModule> {
  address: number;
}

/** Puts modules one after the other above the kernel, each on a page boundary whether the header asks for it or not. */
function placeModules(options: BootOptions, kernelEnd: number, ramBytes: number): PlacedModule[] {
  let address = Math.max(kernelEnd, HIGH_START);
  return (options.modules ?? []).map((given, i) => {
    const { data, commandLine = "" } = given instanceof Uint8Array ? { data: given } : given;
    const placed = { data, commandLine, address: alignUp(address, PAGE) };
    address = placed.address + data.length;
    if (address > ramBytes)
      throw new MachineError(
        `larger than RAM: module ${i} would reach to ${hex(address)}, RAM ends at ${hex(ramBytes)}`,
      );
    return placed;
  });
}

/**
 * Loads kernel, modules and boot information into `ram` (guest physical memory from address 0, at least 2 MB).
 * Throws MachineError for a file that is truncated, 64-bit, not multiboot, overlaps itself or does not fit; RAM is then
 * as it was.
 */
export function loadMultiboot(ram: Uint8Array, file: Uint8Array, options: BootOptions = {}): BootEntry {
  const image = readImage(file);
  checkChunks(image.chunks, ram.length);
  const kernelEnd = Math.max(...image.chunks.map((chunk) => chunk.address + chunk.bytes));
  const modules = placeModules(options, kernelEnd, ram.length);
  const last = modules.at(-1);
  // Conventional memory unless the kernel itself loads there.
  const isLow = image.chunks.every((chunk) => chunk.address >= HIGH_START);
  const info = isLow ? INFO_ADDRESS : alignUp(last === undefined ? kernelEnd : last.address + last.data.length, PAGE);
  const infoBytes = buildInfo(info, ram.length, options, modules);
  if (info + infoBytes.length > (isLow ? LOW_END : ram.length))
    throw new MachineError("larger than RAM: no room for the boot information (is the command line very long?)");
  for (const chunk of image.chunks) {
    ram.fill(0, chunk.address, chunk.address + chunk.bytes);
    ram.set(chunk.data, chunk.address);
  }
  for (const module of modules) ram.set(module.data, module.address);
  ram.set(infoBytes, info);
  return { entry: image.entry, info };
}
