/**
 * The code that a run executes: of each instruction met, which function it belongs to and whether it calls or returns. The kernel is
 * one image; each program that is executed is another, named by the file that the process became. May import cpu's decoder, tools/image,
 * tools/trace/programs.
 */
import { DecodeResult, decode } from "../../cpu/decoder";
import type { Machine } from "../../cpu/index";
import { Instruction } from "../../cpu/instruction";
import { ROWS } from "../../cpu/isa";
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
  readonly owner: FunctionName;
  readonly flow: Flow;
  instructions: number;
  cycles: number;
}

const insn = new Instruction();

function flowOf(bytes: Uint8Array): Flow {
  if (decode(bytes, 0, bytes.length, 4, insn) !== DecodeResult.Ok) return Flow.Plain;
  const { mnemonic } = ROWS[insn.row];
  return mnemonic === "call" ? Flow.Call : mnemonic.startsWith("ret") ? Flow.Return : Flow.Plain;
}

/** The code of the kernel or of a program. */
export class Image {
  readonly code = new Map<number, Code>();
  private readonly functions = new Map<number, FunctionName>();

  constructor(
    readonly name: string,
    private readonly symbols: Symbols | undefined,
    private readonly machine: Machine,
  ) {}

  /** The instruction at an address, which is about to be executed. */
  at(eip: number): Code {
    let code = this.code.get(eip);
    if (code === undefined) {
      const flow = flowOf(this.machine.readVirtual(eip, CODE_BYTES));
      code = { eip, image: this, owner: this.owner(eip), flow, instructions: 0, cycles: 0 };
      this.code.set(eip, code);
    }
    return code;
  }

  /** The source line of an address; before paging is on the kernel runs 3 GB lower than it is linked. */
  line(eip: number): { file: string; line: number } | undefined {
    return this.symbols?.line(this.linked(eip));
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
    if (before === at) return { file, first, last: first };
    let after = at;
    while (own(after) === undefined && symbols.lookup(after)?.name === found.name) after++;
    return {
      file,
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
    this.kernel = new Image("kernel", new Symbols(kernel), machine);
  }

  /** The image of a program by its process's name. */
  program(name: string): Image {
    let image = this.programs.get(name);
    if (image === undefined) {
      const file = this.files.find(({ path }) => path.slice(path.lastIndexOf("/") + 1).slice(0, 15) === name);
      image = new Image(name, file === undefined ? undefined : new Symbols(file.elf), this.machine);
      this.programs.set(name, image);
    }
    return image;
  }

  /** The kernel first, then the programs in the order in which they ran. */
  get all(): Image[] {
    return [this.kernel, ...this.programs.values()];
  }
}
