/**
 * Which memory the next instruction will access, by its operands: for watchpoints on reads. May import cpu/ (decoder, isa).
 * Pushes and pops are its stack accesses; of a repeated string instruction it is the next repetition. What the processor does beside (page
 * walks, descriptor loads, frames of traps) is not an access of the instruction.
 * Source: Intel SDM volume 2 (operands); volume 1, 3.7.5 (addresses).
 */
import { DecodeResult, decode, MAX_INSTRUCTION_BYTES } from "../../cpu/decoder";
import type { Machine } from "../../cpu/index";
import { Instruction } from "../../cpu/instruction";
import { ROWS } from "../../cpu/isa";
import { Field, OPERAND_INFO, type Operand, Size } from "../../cpu/isa/operands";
import { Mode, Register, Word } from "../../cpu/registers";

export interface Access {
  address: number;
  bytes: number;
  write: boolean;
}

const CS = 1;
const ES = 0;
const SS = 2;
/** Destinations that are only read, and those that are only written; the others are both. */
const ONLY_READ = /^(cmp|test|bt|mul|imul|div|idiv|push|call|jmp|bound|fld|fild|fadd|fsub|fmul|fdiv|fcom)/;
const ONLY_WRITTEN = /^(mov|pop|set|fst|fist|stos|sgdt|sidt|sldt|str|smsw|ins)/;
/** Names an address without accessing it. */
const ADDRESS_ONLY = new Set(["lea", "invlpg", "nop"]);
const insn = new Instruction();

/** The accesses of the instruction at CS:EIP; none where it cannot be fetched or decoded. */
export function accessesOf({ cpu }: Machine): Access[] {
  const code = cpu.segment(CS);
  const linear = (code.base + cpu.eip) >>> 0;
  const bytes = new Uint8Array(MAX_INSTRUCTION_BYTES);
  let length = 0;
  for (; length < bytes.length; length++) {
    const physical = cpu.translate((linear + length) >>> 0);
    if (physical < 0) break;
    bytes[length] = cpu.ram[physical];
  }
  const size = (cpu.r[Word.Mode] & Mode.Code32) !== 0 ? 4 : 2;
  if (decode(bytes, 0, length, size, insn) !== DecodeResult.Ok) return [];
  const { mnemonic, operands } = ROWS[insn.row];
  const found: Access[] = [];
  for (const [position, operand] of operands.entries()) {
    const address = addressOf(cpu, operand);
    if (address === undefined || ADDRESS_ONLY.has(mnemonic)) continue;
    const width = widthOf(operand);
    const reads = position > 0 || !ONLY_WRITTEN.test(mnemonic);
    const writes = position === 0 && !ONLY_READ.test(mnemonic) && !/^(cmps|scas|lods|outs)/.test(mnemonic);
    if (reads) found.push({ address, bytes: width, write: false });
    if (writes || mnemonic === "xchg") found.push({ address, bytes: width, write: true });
  }
  const stack = (cpu.segment(SS).base + cpu.register(Register.ESP)) >>> 0;
  if (/^(push|call|enter)/.test(mnemonic))
    found.push({ address: stack - insn.operandSize, bytes: insn.operandSize, write: true });
  if (/^(pop|ret)/.test(mnemonic)) found.push({ address: stack, bytes: insn.operandSize, write: false });
  return found;
}

function widthOf(operand: Operand): number {
  const { size } = OPERAND_INFO[operand];
  if (size > 0) return size;
  if (size === Size.VorW) return 2;
  if (size === Size.Far) return insn.operandSize + 2;
  if (size === Size.Bounds) return 2 * insn.operandSize;
  return insn.operandSize;
}

/** Linear address of a memory operand of `insn`; undefined for a register, an immediate and the like. */
function addressOf(cpu: Machine["cpu"], operand: Operand): number | undefined {
  const { field } = OPERAND_INFO[operand];
  const base = (segment: number): number => cpu.segment(segment).base;
  const wrap = (offset: number): number => (insn.addressSize === 2 ? offset & 0xffff : offset);
  if (field === Field.StringSource) return (base(insn.segment) + wrap(cpu.register(Register.ESI))) >>> 0;
  if (field === Field.StringDestination) return (base(ES) + wrap(cpu.register(Register.EDI))) >>> 0;
  if (field === Field.Offset) return (base(insn.segment) + insn.displacement) >>> 0;
  if ((field !== Field.Rm && field !== Field.Memory) || insn.rm >= 0) return undefined;
  const sum = (cpu.r[insn.base] + (cpu.r[insn.index] << insn.scale) + insn.displacement) | 0;
  return (base(insn.segment) + wrap(sum)) >>> 0;
}
