/**
 * A resolver for our own system: the kernel's symbols above 3 GB (and where it runs before paging, 3 GB lower), and for
 * each process those of the program whose code it was seen to run. May import image/symbols, image/ustar and lines.
 * Source: System V ABI, "Object files" (program headers).
 */
import { Symbols } from "../image/symbols";
import { readTar } from "../image/ustar";
import type { CodeNames, CodeSample, Resolver } from "./lines";

const KERNEL_BASE = 0xc0000000;
/** User code begins here; below it only the kernel runs, while paging is off. */
const USER_BASE = 0x08000000;

/** An ELF32 executable by guest path, as it stands in the initrd. */
export interface ProgramFile {
  path: string;
  elf: Uint8Array;
}

/** Sizes of an ELF32 header and of a program header, and how the former begins. */
const HEADER_BYTES = 52;
const PROGRAM_HEADER_BYTES = 32;
const ELF32 = [0x7f, 0x45, 0x4c, 0x46, 1];

/** The executables in those of a machine's modules that are ustar archives. */
export function programsOf(modules: readonly Uint8Array[]): ProgramFile[] {
  const isExecutable = ({ data }: { data: Uint8Array }): boolean =>
    data.length >= HEADER_BYTES && ELF32.every((byte, at) => data[at] === byte);
  return modules.flatMap((module) => {
    try {
      return readTar(module, "")
        .filter(isExecutable)
        .map(({ name, data }) => ({ path: `/${name}`, elf: data }));
    } catch {
      // What else a module may be is its kernel's affair.
      return [];
    }
  });
}

interface Segment {
  readonly start: number;
  readonly bytes: Uint8Array;
}

/** A program's loaded bytes, and its symbols once somebody asks. */
class Program {
  private names: Symbols | undefined;
  private readonly segments: readonly Segment[];

  constructor(private readonly elf: Uint8Array) {
    this.segments = loadedSegments(elf);
  }

  get symbols(): Symbols {
    this.names ??= new Symbols(this.elf);
    return this.names;
  }

  /** Whether the program has these bytes at that address. */
  holds({ address, bytes }: CodeSample): boolean {
    return this.segments.some(({ start, bytes: image }) => {
      const at = address - start;
      return at >= 0 && at + bytes.length <= image.length && bytes.every((byte, i) => image[at + i] === byte);
    });
  }
}

/** What the program headers load from the file: as far as they lie in it. */
function loadedSegments(elf: Uint8Array): Segment[] {
  const view = new DataView(elf.buffer, elf.byteOffset, elf.byteLength);
  const segments: Segment[] = [];
  const headers = view.getUint32(28, true);
  const size = view.getUint16(42, true);
  for (let i = 0; i < view.getUint16(44, true); i++) {
    const at = headers + i * size;
    if (at + PROGRAM_HEADER_BYTES > elf.length) break;
    if (view.getUint32(at, true) !== 1) continue;
    const offset = view.getUint32(at + 4, true);
    const start = view.getUint32(at + 8, true);
    segments.push({ start, bytes: elf.subarray(offset, offset + view.getUint32(at + 16, true)) });
  }
  return segments;
}

/** Names of the kernel where it is linked, for addresses where it is loaded. */
function moved(names: CodeNames, by: number): CodeNames {
  return { lookup: (address) => names.lookup(address + by), line: (address) => names.line(address + by) };
}

/**
 * The resolver for a kernel and the programs that it may run. A process is taken for the first program that holds every
 * one of its recorded instructions; when several do (they share the library's code), that may be another one.
 * Throws Error for files that are no ELF32.
 */
export function symbolsByProgram(kernel: Uint8Array, programs: readonly ProgramFile[]): Resolver {
  const kernelSymbols = new Symbols(kernel);
  const beforePaging = moved(kernelSymbols, KERNEL_BASE);
  const candidates = programs.map(({ elf }) => new Program(elf));
  const found = new WeakMap<readonly CodeSample[], Program | null>();
  return (_pid, address, samples) => {
    if (address >= KERNEL_BASE) return kernelSymbols;
    if (address < USER_BASE) return beforePaging;
    if (samples.length === 0) return undefined;
    let program = found.get(samples);
    if (program === undefined) {
      program = candidates.find((one) => samples.every((sample) => one.holds(sample))) ?? null;
      found.set(samples, program);
    }
    return program?.symbols;
  };
}
