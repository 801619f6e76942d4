/**
 * An instruction that faults on the host and on ours, and the words in which tolerances.ts says what the host may have done
 * otherwise: which access it faulted for, and what it had written by then.
 * May import cpu/, layout.ts, native.ts, and the type of ours.ts.
 */
import { type Instruction, Segment } from "../../../cpu/instruction";
import type { Row } from "../../../cpu/isa";
import { descriptorOf, PAGE, PAGES } from "./layout";
import { type NativeOutcome, tellsOf } from "./native";
import type { OurOutcome } from "./ours";

const [STACK_FAULT, GENERAL_PROTECTION, PAGE_FAULT, ALIGNMENT_CHECK] = [12, 13, 14, 17];
const AC = 0x40000;
const ESP = 4;
/** Bits of Descriptor.attributes. */
const [WRITABLE_OR_READABLE, DOWN, CODE, PRESENT, BIG] = [0x200, 0x400, 0x800, 0x8000, 0x400000];

/** What an access of a segment raises. */
interface Fault {
  vector: number;
  /** Of a page fault. */
  cr2: number;
}

/** Linear addresses from `from` up to before `to`. */
export interface Range {
  from: number;
  to: number;
}

/** The page of a linear address: undefined where there is none. */
function pageAt(linear: number): { writable: boolean } | undefined {
  return PAGES.find(({ address }) => linear >= address && linear < address + PAGE);
}

export class FaultPair {
  constructor(
    readonly row: Row,
    readonly insn: Instruction,
    readonly ours: OurOutcome,
    readonly host: NativeOutcome,
  ) {}

  /** The registers that the instruction found: ours leaves no trace. */
  private get registers(): readonly number[] {
    return this.ours.registers;
  }

  private get wideStack(): boolean {
    return ((descriptorOf(this.ours.selectors[Segment.SS])?.attributes ?? 0) & BIG) !== 0;
  }

  /** What an access of `size` bytes raises; undefined when it goes through. */
  private faultOf(segment: number, offset: number, size: number, write: boolean): Fault | undefined {
    const descriptor = descriptorOf(this.ours.selectors[segment]);
    const refused = { vector: segment === Segment.SS ? STACK_FAULT : GENERAL_PROTECTION, cr2: 0 };
    if (descriptor === undefined) return refused;
    const { base, limit, attributes } = descriptor;
    const isCode = (attributes & CODE) !== 0;
    const allowed = (attributes & WRITABLE_OR_READABLE) !== 0 ? !(write && isCode) : !(write || isCode);
    const last = offset + size - 1;
    const down = !isCode && (attributes & DOWN) !== 0;
    const top = (attributes & BIG) !== 0 ? 0xffffffff : 0xffff;
    const within = down ? offset > limit && last <= top : limit === 0xffffffff || last <= limit;
    if ((attributes & PRESENT) === 0 || !allowed || !within) return refused;
    const linear = (base + offset) >>> 0;
    if ((this.ours.eflags & AC) !== 0 && linear % size !== 0) return { vector: ALIGNMENT_CHECK, cr2: 0 };
    for (const address of [linear, (((linear + size - 1) >>> 0) & ~(PAGE - 1)) >>> 0]) {
      // The second is the start of the page of the last byte, and counts where that is another page.
      if (address !== linear && linear % PAGE <= PAGE - size) break;
      const page = pageAt(address);
      if (page === undefined || (write && !page.writable)) return { vector: PAGE_FAULT, cr2: address };
    }
    return undefined;
  }

  private stackOffset(distance: number): number {
    const offset = (this.registers[ESP] + distance) >>> 0;
    return this.wideStack ? offset : offset & 0xffff;
  }

  private hostTells(fault: Fault | undefined): boolean {
    return fault !== undefined && tellsOf(this.host, fault.vector, fault.cr2);
  }

  /** Whether the host's fault is that of reading `size` bytes at ES:[E]DI. */
  hostReadsDestination(size: number): boolean {
    const edi = this.registers[7];
    return this.hostTells(this.faultOf(Segment.ES, this.insn.addressSize === 2 ? edi & 0xffff : edi, size, false));
  }

  /** Whether the host's fault is that of writing the uppermost word of a frame that is pushed. */
  hostPushesFirst(): boolean {
    const size = this.insn.operandSize;
    return this.hostTells(this.faultOf(Segment.SS, this.stackOffset(-size), size, true));
  }

  /** Whether the host's fault is that of reading a word `distance` bytes above the stack pointer. */
  hostPops(distance: number, size = this.insn.operandSize): boolean {
    return this.hostTells(this.faultOf(Segment.SS, this.stackOffset(distance), size, false));
  }

  /** Whether a word of the frame above the stack pointer can be popped. */
  poppable(distance: number): boolean {
    return this.faultOf(Segment.SS, this.stackOffset(distance), this.insn.operandSize, false) === undefined;
  }

  /** The linear addresses of the `bytes` bytes below the stack pointer. */
  belowStack(bytes: number): Range {
    const base = descriptorOf(this.ours.selectors[Segment.SS])?.base ?? 0;
    const top = this.stackOffset(0);
    return { from: base + Math.max(0, top - bytes), to: base + top };
  }

  /** The linear addresses of the first `bytes` bytes of the memory operand. */
  operand(bytes: number): Range {
    const { base, index, scale, displacement, addressSize, segment } = this.insn;
    const registers = [...this.registers, 0];
    const offset = (registers[base] + (registers[index] << scale) + displacement) >>> 0;
    const from =
      ((descriptorOf(this.ours.selectors[segment])?.base ?? 0) + (addressSize === 2 ? offset & 0xffff : offset)) >>> 0;
    return { from, to: from + bytes };
  }

  /** Whether every word of memory in which the two differ has a byte in the range. */
  memoryDiffersIn({ from, to }: Range): boolean {
    const entries = ({ changes }: { changes: number[] }) =>
      new Map(Array.from({ length: changes.length / 2 }, (_, i) => [changes[2 * i], changes[2 * i + 1]]));
    const [host, ours] = [entries(this.host), entries(this.ours)];
    return [...host.keys(), ...ours.keys()].every(
      (word) => host.get(word) === ours.get(word) || (word + 4 > from && word < to),
    );
  }

  /** The general registers in which the two differ. */
  get differingRegisters(): number[] {
    return this.registers.flatMap((register, i) => (register === this.host.registers[i] ? [] : [i]));
  }

  /** Whether a frame of `bytes` below the stack pointer lies in two pages. */
  pushesAcrossPages(bytes: number): boolean {
    const from = (this.belowStack(0).from - bytes) >>> 0;
    return from % PAGE > PAGE - bytes;
  }
}
