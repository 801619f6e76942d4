/**
 * The code that a run executes: of each instruction met, which function it belongs to and whether it calls or returns. The kernel is
 * one image; each program that is executed is another, named by the file that the process became. May import cpu's decoder, tools/image,
 * tools/trace/programs.
 */
import { DecodeResult, decode } from "../../cpu/decoder";
import type { Machine } from "../../cpu/index";
import { Instruction } from "../../cpu/instruction";
import { ROWS } from "../../cpu/isa";
import { loadedSegments } from "../image/segments";
import { Symbols } from "../image/symbols";
import type { ProgramFile } from "../trace/programs";

/** What an instruction does to the stack of calls. */
export const enum Flow {
  Plain = 0,
  Call = 1,
  Return = 2,
}

const KERNEL_BASE = 0xc0000000;
const CODE_BYTES = 15;
const PAGE_BYTES = 4096;
/** Bytes of a task's name, without its end: kernel/task/task.ts. */
const NAME_BYTES = 15;

/** A function of an image. */
export interface FunctionName {
  readonly name: string;
  /** "kernel", or the program's name. */
  readonly image: string;
  readonly address: number;
}

/** An instruction that was executed, with what it has cost so far. */
export interface Code {
  readonly eip: number;
  readonly image: Image;
  owner: FunctionName;
  flow: Flow;
  /** Its bytes have been in memory. */
  isKnown: boolean;
  instructions: number;
  cycles: number;
}

const insn = new Instruction();
const HERE = `${process.cwd()}/`;

/** A user's own source by its path from where the user is; ours are relative already. */
function fromHere(file: string): string {
  return file.startsWith(HERE) ? file.slice(HERE.length) : file;
}

function flowOf(bytes: Uint8Array): Flow {
  if (decode(bytes, 0, bytes.length, 4, insn) !== DecodeResult.Ok) return Flow.Plain;
  const { mnemonic } = ROWS[insn.row];
  return mnemonic === "call" ? Flow.Call : mnemonic.startsWith("ret") ? Flow.Return : Flow.Plain;
}

/** The code of the kernel or of a program. */
export class Image {
  readonly code = new Map<number, Code>();
  private readonly functions = new Map<number, FunctionName>();

  private symbols: Symbols | undefined;

  /** Of several files the one counts that holds the code which is executed. Throws Error for one that is no ELF32. */
  constructor(
    readonly name: string,
    private files: readonly ProgramFile[],
    private readonly machine: Machine,
  ) {
    if (files.length === 1) this.settle(files[0]);
  }

  private settle(file: ProgramFile | undefined): void {
    this.files = [];
    if (file !== undefined) this.symbols = new Symbols(file.elf);
  }

  /** The instruction at an address, which is about to be executed. Of one that is not in memory yet more is known when it comes again. */
  at(eip: number): Code {
    const known = this.code.get(eip);
    if (known?.isKnown) return known;
    const bytes = this.machine.readVirtual(eip, CODE_BYTES);
    if (this.files.length > 0 && bytes.length > 0) this.settle(this.fileWith(eip));
    const found = { owner: this.owner(eip), flow: flowOf(bytes), isKnown: bytes.length > 0 };
    if (known !== undefined) return Object.assign(known, found);
    const code = { eip, image: this, ...found, instructions: 0, cycles: 0 };
    this.code.set(eip, code);
    return code;
  }

  /** The file that has the bytes of the page of an address. Programs begin with the same code: a page tells them apart. */
  private fileWith(eip: number): ProgramFile | undefined {
    const page = eip - (eip % PAGE_BYTES);
    const bytes = this.machine.readVirtual(page, PAGE_BYTES);
    return this.files.find(({ elf }) =>
      loadedSegments(elf).some(({ start, contents }) => {
        const at = page - start;
        return at >= 0 && at < contents.length && bytes.every((byte, i) => (contents[at + i] ?? byte) === byte);
      }),
    );
  }

  /** The source line of an address; before paging is on the kernel runs 3 GB lower than it is linked. */
  line(eip: number): { file: string; line: number } | undefined {
    const found = this.symbols?.line(this.linked(eip));
    return found && { file: fromHere(found.file), line: found.line };
  }

  /**
   * Where an instruction lies in the file of its own function: a line, or, for what was inlined from elsewhere, the lines between
   * which that was done. undefined where nothing is known.
   */
  place(eip: number): { file: string; first: number; last: number } | undefined {
    const { symbols } = this;
    const at = this.linked(eip);
    const found = symbols?.lookup(at);
    if (symbols === undefined || found === undefined) return undefined;
    const start = at - found.offset;
    const file = symbols.line(start)?.file;
    if (file === undefined) return undefined;
    const own = (address: number): number | undefined => {
      const line = symbols.line(address);
      return line?.file === file ? line.line : undefined;
    };
    let before = at;
    while (before > start && own(before) === undefined) before--;
    const first = own(before) ?? 0;
    if (before === at) return { file: fromHere(file), first, last: first };
    let after = at;
    while (own(after) === undefined && symbols.lookup(after)?.name === found.name) after++;
    return {
      file: fromHere(file),
      first,
      last: Math.max(first, symbols.lookup(after)?.name === found.name ? (own(after) ?? first) : first),
    };
  }

  /** Where an instruction of the kernel is linked that runs before paging is on. */
  linked(eip: number): number {
    return this.name === "kernel" && eip < KERNEL_BASE ? eip + KERNEL_BASE : eip;
  }

  private owner(eip: number): FunctionName {
    const found = this.symbols?.lookup(this.linked(eip));
    const address = found === undefined ? 0 : this.linked(eip) - found.offset;
    let owner = this.functions.get(address);
    if (owner === undefined) {
      owner = { name: found?.name ?? `(${this.name})`, image: this.name, address };
      this.functions.set(address, owner);
    }
    return owner;
  }
}

/** All images of a run. */
export class Images {
  readonly kernel: Image;
  private readonly programs = new Map<string, Image>();

  /** `names` is where a process's file is looked up: by the last component of its path, as the kernel keeps it. Throws Error for a file that is no ELF32. */
  constructor(
    private readonly machine: Machine,
    kernel: Uint8Array,
    private readonly files: readonly ProgramFile[],
  ) {
    this.kernel = new Image("kernel", [{ path: "kernel", elf: kernel }], machine);
  }

  /** The image of a program by its process's name. */
  program(name: string): Image {
    let image = this.programs.get(name);
    if (image === undefined) {
      const files = this.files.filter(
        ({ path }) => path.slice(path.lastIndexOf("/") + 1).slice(0, NAME_BYTES) === name,
      );
      image = new Image(name, files, this.machine);
      this.programs.set(name, image);
    }
    return image;
  }

  /** The kernel first, then the programs in the order in which they ran. */
  get all(): Image[] {
    return [this.kernel, ...this.programs.values()];
  }
}
