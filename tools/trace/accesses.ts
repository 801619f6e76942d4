/**
 * Which memory an instruction reads and writes: for the trace, worked out once for each instruction, then evaluated with the registers
 * that it finds. May import cpu's instruction tables and registers.
 *
 * What is told are the operands: not descriptors and tables that the processor reads by itself, nor the frame of a trap. Of a repeated
 * string instruction it is the first repetition's. Source: Intel SDM volume 2 (which operand an instruction writes).
 */
import { type Instruction, NO_REGISTER, Segment } from "../../cpu/instruction";
import { ROWS, type Row } from "../../cpu/isa";
import { type MemoryValue, operandValues } from "../../cpu/isa/values";
import { Register, Word } from "../../cpu/registers";

export const enum AccessKind {
  Read = 0,
  Write = 1,
  /** Reads and writes. */
  Both = 2,
}

/** One operand in memory: base + (index << scale) + displacement, cut to `mask`, in a segment. */
export interface Access {
  kind: AccessKind;
  /** Bytes; 0: it has no one size. */
  size: number;
  segment: number;
  base: number;
  index: number;
  scale: number;
  displacement: number;
  /** 0xffff for 16-bit addresses; 0: what the stack segment says. */
  mask: number;
  /** Register whose signed value, a number of bits, moves the operand (BT and kin); BY_AL: AL moves it, in bytes; -1: nothing. */
  bits: number;
}

const BY_AL = -2;

/** Instructions that write their first operand without reading it. */
const WRITES = /^(mov|set.*|pop|s[gi]dt|sldt|str|smsw|fn?st.*|fist.*|fbstp|fn?save|stos.|movs.|ins.)$/;
/** Those that read and write it. */
const CHANGES =
  /^(add|or|adc|sbb|and|sub|xor|inc|dec|not|neg|ro[lr]|rc[lr]|sh[lr]d?|sar|xchg|xadd|cmpxchg|cmpxchg8b|bt[src]|arpl)$/;
/** Those that only reckon an address. */
const TOUCHES_NOT = /^(lea|invlpg|nop|ud[01])$/;

const STACK: Omit<Access, "kind" | "size" | "displacement"> = {
  segment: Segment.SS,
  base: Register.ESP,
  index: NO_REGISTER,
  scale: 0,
  mask: 0,
  bits: -1,
};

function pushed(size: number): Access {
  return { ...STACK, kind: AccessKind.Write, size, displacement: -size };
}

function popped(size: number, base: number = Register.ESP): Access {
  return { ...STACK, kind: AccessKind.Read, size, displacement: 0, base };
}

/** What an instruction does with the stack beside its operands. */
function stackAccess(row: Row, insn: Instruction): Access | undefined {
  const size = insn.operandSize;
  switch (row.mnemonic) {
    case "push":
    case "pushfd":
    case "enter":
      return pushed(size);
    case "call":
      // A far call pushes two words.
      return pushed(row.operands[0] === "Ap" || row.operands[0] === "Mp" ? 2 * size : size);
    case "pushad":
      return pushed(8 * size);
    case "pop":
    case "popfd":
    case "ret":
      return popped(size);
    case "retf":
      return popped(2 * size);
    case "iretd":
      return popped(3 * size);
    case "popad":
      return popped(8 * size);
    case "leave":
      return popped(size, Register.EBP);
    default:
      return undefined;
  }
}

function operandAccess(row: Row, insn: Instruction, value: MemoryValue, position: number): Access {
  const { mnemonic } = row;
  const written = WRITES.test(mnemonic) ? AccessKind.Write : CHANGES.test(mnemonic) ? AccessKind.Both : AccessKind.Read;
  const byRegister = /^bt[src]?$/.test(mnemonic) && row.operands[1] === "Gv";
  // The address of POP's operand is reckoned behind the popping.
  const moved = mnemonic === "pop" && value.base === Register.ESP ? insn.operandSize : 0;
  return {
    kind: position === 0 ? written : AccessKind.Read,
    size: value.size,
    segment: value.segment >= 0 ? value.segment : insn.segment,
    base: value.base,
    index: value.index,
    scale: value.scale,
    displacement: value.displacement + moved,
    mask: value.addressSize === 2 ? 0xffff : -1,
    bits: byRegister ? insn.reg : -1,
  };
}

/** The accesses of a decoded instruction, in the order in which it makes them. */
export function accessesOf(insn: Instruction): Access[] {
  const row = ROWS[insn.row];
  if (TOUCHES_NOT.test(row.mnemonic)) return [];
  const found: Access[] = [];
  for (const [position, value] of operandValues(insn).entries()) {
    if (value.kind === "mem") found.push(operandAccess(row, insn, value, position));
  }
  if (row.mnemonic === "xlatb") {
    const mask = insn.addressSize === 2 ? 0xffff : -1;
    found.push({ ...popped(1, Register.EBX), segment: insn.segment, mask, bits: BY_AL });
  }
  const stack = stackAccess(row, insn);
  if (stack !== undefined) {
    // PUSH and CALL read their operand first; POP reads the stack first.
    if (stack.kind === AccessKind.Write) found.push(stack);
    else found.unshift(stack);
  }
  // MOVS names its destination first, and reads its source first.
  if (found.length === 2 && /^movs[bd]$/.test(row.mnemonic)) found.reverse();
  return found;
}

/** Bit in a segment's attributes: its stack is 32 bits wide. */
const STACK_32 = 0x400000;

/** Linear address of an access with the registers as they are. */
export function linearOf(access: Access, r: Int32Array): number {
  let offset = r[access.base] + (r[access.index] << access.scale) + access.displacement;
  if (access.bits >= 0) offset += access.size === 2 ? ((r[access.bits] << 16) >> 20) << 1 : (r[access.bits] >> 5) << 2;
  else if (access.bits === BY_AL) offset += r[Register.EAX] & 0xff;
  const mask = access.mask !== 0 ? access.mask : (r[Word.Attributes + Segment.SS] & STACK_32) !== 0 ? -1 : 0xffff;
  return ((offset & mask) + r[Word.Base + access.segment]) >>> 0;
}
