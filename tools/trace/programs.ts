/**
 * Names of code for our own system: the kernel's symbols above 3 GB (and where it runs before paging, 3 GB lower), and for each process
 * those of the program that it executes. May import image/segments, image/symbols, image/ustar, cpu's and events' types.
 *
 * A process's program is known from its exec, and inherited by fork; of a process that was there before we looked, from the name that the
 * kernel keeps of it and from what its memory holds.
 */
import { type LoadedSegment, loadedSegments } from "../image/segments";
import { Symbols } from "../image/symbols";
import { readTar } from "../image/ustar";
import type { TraceEventKind, TraceEventListener } from "./eventtypes";

/** What names code: tools/image's Symbols, or a part of one. */
export interface CodeNames {
  lookup(address: number): { name: string; offset: number } | undefined;
  line(address: number): { file: string; line: number } | undefined;
  /** The address of a symbol. */
  address(name: string): number | undefined;
}

const KERNEL_BASE = 0xc0000000;
/** User code begins here; below it only the kernel runs, while paging is off. */
const USER_BASE = 0x08000000;
/** Bytes of a name that the kernel keeps of a task, less the NUL. */
const TASK_NAME_LENGTH = 15;
/** Bytes by which programs of one name are told apart. */
const SAMPLE_BYTES = 64;

/** What tells of a machine's processes: an Events, or what repeats its events elsewhere. */
export interface ProcessSource {
  on(listener: TraceEventListener, kinds: readonly TraceEventKind[]): unknown;
  /** The process that runs. */
  readonly pid: number;
  /** Its name as the kernel keeps it, and its memory: for processes that were there at first. */
  readonly kernel: { currentName(): string } | undefined;
  readonly machine: { readVirtual(linear: number, bytes: number): Uint8Array } | undefined;
}

/** An ELF32 executable by guest path, as it stands in the initrd. */
export interface ProgramFile {
  path: string;
  elf: Uint8Array;
}

/** Size of an ELF32 header, and how it begins. */
const HEADER_BYTES = 52;
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

/** A program's loaded bytes, and its symbols once somebody asks. */
class Program {
  private symbols: CodeNames | undefined;
  private readonly segments: readonly LoadedSegment[];
  readonly name: string;

  constructor(
    readonly path: string,
    private readonly elf: Uint8Array,
    private readonly folder: string,
  ) {
    this.name = baseName(path);
    this.segments = loadedSegments(elf);
  }

  get names(): CodeNames {
    this.symbols ??= relativeTo(this.folder, new Symbols(this.elf));
    return this.symbols;
  }

  /** Whether the program has these bytes at that address, as far as they lie in its file. */
  holds(address: number, bytes: Uint8Array): boolean {
    return this.segments.some(({ start, contents: image }) => {
      const at = address - start;
      return at >= 0 && at < image.length && bytes.every((byte, i) => (image[at + i] ?? byte) === byte);
    });
  }
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Names of the kernel where it is linked, for addresses where it is loaded. */
function moved(names: CodeNames, by: number): CodeNames {
  return {
    lookup: (address) => names.lookup(address + by),
    line: (address) => names.line(address + by),
    address: (name) => names.address(name),
  };
}

/** Names with sources in a folder, or below it, called by their path from there. */
function relativeTo(folder: string, names: CodeNames): CodeNames {
  const prefix = folder.endsWith("/") ? folder : `${folder}/`;
  return {
    lookup: (address) => names.lookup(address),
    line: (address) => {
      const found = names.line(address);
      return found?.file.startsWith(prefix) ? { ...found, file: found.file.slice(prefix.length) } : found;
    },
    address: (name) => names.address(name),
  };
}

/** The symbols of an ELF; undefined for a file that is none (a ROM, a kernel loaded by its multiboot header). */
function symbolsOf(elf: Uint8Array): Symbols | undefined {
  try {
    return new Symbols(elf);
  } catch {
    return undefined;
  }
}

export class Programs {
  readonly kernel: CodeNames | undefined;
  private readonly beforePaging: CodeNames | undefined;
  /** The kernel is not linked above 3 GB: it is not ours. */
  private readonly isLow: boolean;
  private readonly candidates: readonly Program[];
  /** By pid; null: nothing is known of it. */
  private readonly ofProcess = new Map<number, Program | null>();

  constructor(
    kernel: Uint8Array,
    programs: readonly ProgramFile[],
    private readonly events: ProcessSource,
    /** Where the user stands: sources there are called by their path from there. */
    folder = process.cwd(),
  ) {
    this.kernel = symbolsOf(kernel);
    this.beforePaging = this.kernel && moved(this.kernel, KERNEL_BASE);
    this.isLow = this.kernel !== undefined && loadedSegments(kernel).some(({ start }) => start < KERNEL_BASE);
    this.candidates = programs.map(({ path, elf }) => new Program(path, elf, folder));
    events.on(
      (event) => {
        if (event.kind === "exec") this.ofProcess.set(event.pid, this.byPath(event.path) ?? null);
        else if (event.kind === "fork") this.forked(event.pid, event.child);
        else this.ofProcess.delete(event.pid);
      },
      ["exec", "fork", "exit"],
    );
  }

  /** To be called when the machine has been taken to another moment. */
  moved(): void {
    this.ofProcess.clear();
  }

  private forked(parent: number, child: number): void {
    const program = this.ofProcess.get(parent);
    if (program === undefined) this.ofProcess.delete(child);
    else this.ofProcess.set(child, program);
  }

  private byPath(path: string): Program | undefined {
    const exact = this.candidates.find((one) => one.path === path);
    return exact ?? this.candidates.find(({ name }) => name === baseName(path));
  }

  /** Names for the code at an address in the process that runs now. */
  namesAt(address: number): CodeNames | undefined {
    if (address >= KERNEL_BASE || (this.isLow && this.kernel?.lookup(address) !== undefined)) return this.kernel;
    if (address < USER_BASE) return this.beforePaging;
    const { pid } = this.events;
    let program = this.ofProcess.get(pid);
    if (program === undefined) {
      program = this.guess(address) ?? null;
      this.ofProcess.set(pid, program);
    }
    return program?.names;
  }

  /** The program that the running process seems to be, from its name and the bytes at an address in it. */
  private guess(address: number): Program | undefined {
    const { kernel, machine } = this.events;
    if (machine === undefined) return undefined;
    const name = kernel?.currentName() ?? "";
    const bytes = machine.readVirtual(address, SAMPLE_BYTES);
    const named = this.candidates.filter((one) => one.name.slice(0, TASK_NAME_LENGTH) === name);
    return named.find((one) => one.holds(address, bytes));
  }

  /** Path of the program that a process executes; undefined where it is not known. */
  pathOf(pid: number): string | undefined {
    return this.ofProcess.get(pid)?.path;
  }

  /** Every function of a name, in the kernel and all programs: its address, and where it is. */
  functionsNamed(name: string): { address: number; names: CodeNames }[] {
    const all = [this.kernel, ...this.candidates.map(({ names }) => names)];
    return all.flatMap((names) => {
      const address = names?.address(name);
      return names === undefined || address === undefined ? [] : [{ address, names }];
    });
  }
}
