/**
 * Reading a static ELF32 program out of ramfs: first everything is checked, then it is mapped. No value of the file is
 * believed: sums do not wrap, segments lie in the file, in user space, and apart from each other by whole pages.
 * Imports ramfs and mm. Source: TIS ELF specification 1.2, book I and the Intel386 supplement; Linux 2.4 (fs/binfmt_elf.c).
 */
import { Errno } from "../abi/errno";
import { PROT_EXEC, PROT_READ, PROT_WRITE } from "../abi/mman";
import { Inode } from "../fs/inode";
import { contentRead, contentToUser, stableContents } from "../fs/ramfile";
import { PAGE_OFFSET, pageAlign, STACK_LIMIT, STACK_TOP, USER_LOWEST } from "../mm/layout";
import { doMprotect, mapImage } from "../mm/mmap";
import { Mm } from "../mm/vmalist";

@unmanaged
class ElfHeader {
  magic: u32 = 0;
  class: u8 = 0;
  data: u8 = 0;
  identVersion: u8 = 0;
  abi: u8 = 0;
  pad0: u32 = 0;
  pad1: u32 = 0;
  type: u16 = 0;
  machine: u16 = 0;
  version: u32 = 0;
  entry: u32 = 0;
  programHeaders: u32 = 0;
  sectionHeaders: u32 = 0;
  flags: u32 = 0;
  headerBytes: u16 = 0;
  programHeaderBytes: u16 = 0;
  programHeaderCount: u16 = 0;
  sectionHeaderBytes: u16 = 0;
  sectionHeaderCount: u16 = 0;
  sectionNames: u16 = 0;
}

@unmanaged
class ProgramHeader {
  type: u32 = 0;
  offset: u32 = 0;
  address: u32 = 0;
  physical: u32 = 0;
  fileBytes: u32 = 0;
  memoryBytes: u32 = 0;
  flags: u32 = 0;
  align: u32 = 0;
}

/** What exec needs to know of a checked file. */
@unmanaged
export class Program {
  entry: usize = 0;
  /** Address of the program headers in the program's memory (0 if no segment has them), and how many they are. */
  headers: usize = 0;
  headerCount: u32 = 0;
  /** First page after the highest segment: where the heap begins. */
  end: usize = 0;
}

/** Bytes of a program header: AT_PHENT. */
export const PROGRAM_HEADER_BYTES: u32 = 32;

/** "\x7fELF", low byte first. */
const MAGIC: u32 = 0x464c457f;
const CLASS_32: u32 = 1;
const DATA_LITTLE_ENDIAN: u32 = 1;
const VERSION_CURRENT: u32 = 1;
const TYPE_EXECUTABLE: u32 = 2;
const MACHINE_386: u32 = 3;
const MAX_PROGRAM_HEADERS: u32 = 64;

const SEGMENT_LOAD: u32 = 1;
const SEGMENT_INTERPRETER: u32 = 3;
const SEGMENT_EXECUTE: u32 = 1;
const SEGMENT_WRITE: u32 = 2;
const SEGMENT_READ: u32 = 4;

/** Segments end below what the stack may grow to. */
const HIGHEST_ADDRESS: usize = STACK_TOP - STACK_LIMIT;

/** The header and program header in hand. Nothing sleeps while they are looked at. */
const header: ElfHeader = changetype<ElfHeader>(memory.data(52));
const segment: ProgramHeader = changetype<ProgramHeader>(memory.data(32));

function readHeader(file: Inode): bool {
  const bytes: u32 = offsetof<ElfHeader>();
  if (contentRead(file, 0, changetype<usize>(header), bytes) != bytes) return false;
  if (header.magic != MAGIC || header.class != CLASS_32 || header.data != DATA_LITTLE_ENDIAN) return false;
  if (header.identVersion != VERSION_CURRENT || header.version != VERSION_CURRENT) return false;
  if (header.type != TYPE_EXECUTABLE || header.machine != MACHINE_386) return false;
  if (header.programHeaderBytes != PROGRAM_HEADER_BYTES) return false;
  const count: u32 = header.programHeaderCount;
  if (count == 0 || count > MAX_PROGRAM_HEADERS) return false;
  const tableBytes = count * PROGRAM_HEADER_BYTES;
  return header.programHeaders <= file.size && file.size - header.programHeaders >= tableBytes;
}

/** Reads program header `index`; readHeader has seen to it that it is in the file. */
function readSegment(file: Inode, index: u32): void {
  contentRead(
    file,
    header.programHeaders + index * PROGRAM_HEADER_BYTES,
    changetype<usize>(segment),
    PROGRAM_HEADER_BYTES,
  );
}

function isLoaded(): bool {
  return segment.type == SEGMENT_LOAD && segment.memoryBytes != 0;
}

/** Whether the segment in hand can be mapped, above `lowest`. */
function segmentIsSound(file: Inode, lowest: usize): bool {
  if (segment.fileBytes > segment.memoryBytes) return false;
  if (segment.offset > file.size || file.size - segment.offset < segment.fileBytes) return false;
  if ((segment.offset & PAGE_OFFSET) != (segment.address & PAGE_OFFSET)) return false;
  if ((segment.address & ~PAGE_OFFSET) < lowest || segment.address >= HIGHEST_ADDRESS) return false;
  return segment.memoryBytes <= HIGHEST_ADDRESS - segment.address;
}

function inSegment(address: u32): bool {
  return address >= segment.address && address - segment.address < segment.memoryBytes;
}

/** Checks a file and fills `program`. 0, or -ENOEXEC if it is no program that can run. */
export function checkProgram(file: Inode, program: Program): i32 {
  if (!readHeader(file)) return -Errno.ENOEXEC;
  const count: u32 = header.programHeaderCount;
  let lowest: usize = USER_LOWEST;
  let entryFound = false;
  program.entry = header.entry;
  program.headers = 0;
  program.headerCount = count;
  for (let i: u32 = 0; i < count; i++) {
    readSegment(file, i);
    if (segment.type == SEGMENT_INTERPRETER) return -Errno.ENOEXEC;
    if (!isLoaded()) continue;
    if (!segmentIsSound(file, lowest)) return -Errno.ENOEXEC;
    if ((segment.flags & SEGMENT_EXECUTE) != 0 && inSegment(header.entry)) entryFound = true;
    const headersAt = segment.address + (header.programHeaders - segment.offset);
    if (header.programHeaders >= segment.offset && inSegment(headersAt)) program.headers = headersAt;
    lowest = pageAlign(segment.address + segment.memoryBytes);
  }
  program.end = lowest;
  return entryFound ? 0 : -Errno.ENOEXEC;
}

function protectionOf(flags: u32): u32 {
  let protection: u32 = 0;
  if ((flags & SEGMENT_READ) != 0) protection |= PROT_READ;
  if ((flags & SEGMENT_WRITE) != 0) protection |= PROT_WRITE;
  if ((flags & SEGMENT_EXECUTE) != 0) protection |= PROT_EXEC;
  return protection;
}

/**
 * Maps the segment in hand. A file whose contents never move shows through the mapping, page by page as they are used;
 * of any other the contents are copied now, which needs write permission for the time being.
 */
function mapSegment(file: Inode, mm: Mm): i32 {
  const address = segment.address;
  const bytes = segment.memoryBytes;
  const fileBytes = segment.fileBytes;
  const protection = protectionOf(segment.flags);
  const contents = stableContents(file);
  if (contents != 0) return mapImage(mm, address, bytes, contents + segment.offset, fileBytes, protection);
  const result = mapImage(mm, address, bytes, 0, 0, PROT_READ | PROT_WRITE);
  if (result < 0) return result;
  if (contentToUser(file, segment.offset, address, fileBytes) != fileBytes) return -Errno.ENOMEM;
  const start = address & ~PAGE_OFFSET;
  return doMprotect(mm, start, pageAlign(address + bytes) - start, protection);
}

/** Maps a checked program into `mm`, which is empty and active. 0 or -errno; then the caller destroys the mm. */
export function mapProgram(file: Inode, mm: Mm): i32 {
  if (!readHeader(file)) return -Errno.ENOEXEC;
  for (let i: u32 = 0; i < header.programHeaderCount; i++) {
    readSegment(file, i);
    if (!isLoaded()) continue;
    const result = mapSegment(file, mm);
    if (result < 0) return result;
  }
  return 0;
}
