/**
 * Decoded instruction -> text, in Intel's or AT&T's syntax. May import isa.ts, isa/ and instruction.ts.
 *
 * Intel: `mov dword ptr [ebp-0x8], 0x10`, what tools/compiler/assembler reads. AT&T: `movl $0x10, -0x8(%ebp)`, as GNU
 * prints it. Numbers below ten are decimal, others hexadecimal. The size of memory is written where no register of the
 * size tells it; a `w` on PUSH, RET and the like tells of a 16-bit operand size that no operand shows. Prefixes without
 * effect are left out. x87 memory operands show their size in Intel's syntax and a suffix (s l t, ll) in AT&T's, which also
 * calls FSUB and FDIV with destination ST(i) by the other's name.
 * Source: Intel SDM volume 2; GNU binutils' conventions for AT&T.
 */
import { type Instruction, NO_REGISTER, Prefix, Segment } from "./instruction";
import { mnemonicOf, ROWS, type Row, RowFlag } from "./isa";
import { Field, OPERAND_INFO, type Operand, Size } from "./isa/operands";
import { type MemoryValue, type OperandValue, operandValues, type RegisterValue } from "./isa/values";

/** Names an address: "copyPageRange+0x10"; undefined where there is nothing to say. */
export type SymbolNamer = (address: number) => string | undefined;

const REGISTER_NAMES: readonly (readonly string[])[] = [
  [],
  "al cl dl bl ah ch dh bh".split(" "),
  "ax cx dx bx sp bp si di".split(" "),
  [],
  "eax ecx edx ebx esp ebp esi edi".split(" "),
];
const SEGMENT_NAMES = "es cs ss ds fs gs ? ?".split(" ");
const SIZE_NAMES: Readonly<Record<number, string>> = {
  1: "byte ptr ",
  2: "word ptr ",
  4: "dword ptr ",
  6: "fword ptr ",
  8: "qword ptr ",
  10: "tbyte ptr ",
};
const SIZE_SUFFIXES: Readonly<Record<number, string>> = { 1: "b", 2: "w", 4: "l" };

/** AT&T's own names. */
const ATT_NAMES: Readonly<Record<string, string>> = {
  cbw: "cbtw",
  cwde: "cwtl",
  cwd: "cwtd",
  cdq: "cltd",
  movsd: "movsl",
  cmpsd: "cmpsl",
  stosd: "stosl",
  lodsd: "lodsl",
  scasd: "scasl",
  insd: "insl",
  outsd: "outsl",
  pushad: "pusha",
  popad: "popa",
  pushfd: "pushf",
  popfd: "popf",
  iretd: "iret",
  retf: "lret",
  xlatb: "xlat",
};

/** A number as both syntaxes write it. */
function number(value: number): string {
  const magnitude = Math.abs(value);
  return `${value < 0 ? "-" : ""}${magnitude < 10 ? magnitude : `0x${magnitude.toString(16)}`}`;
}

/** ` <name>` or nothing. */
function note(address: number, symbol: SymbolNamer | undefined): string {
  const name = symbol?.(address >>> 0);
  return name === undefined ? "" : ` <${name}>`;
}

/** A register of any kind, as named by both syntaxes. */
function registerName(value: OperandValue): string {
  if (value.kind === "reg") return REGISTER_NAMES[value.size][value.number];
  if (value.kind === "sreg") return SEGMENT_NAMES[value.number];
  if (value.kind === "st") return `st(${value.number})`;
  return `${value.kind[0]}r${(value as { number: number }).number}`;
}

/** The number of an immediate: sign-extended bytes with their sign, others without. */
function immediateNumber(row: Row, position: number, value: number): number {
  return row.operands[position] === "Ibs" ? value : value >>> 0;
}

/** Where a jump goes: IP wraps at 64 KB when the operand size is 16 bits. */
function jumpTarget(insn: Instruction, eip: number, distance: number): number {
  const target = eip + insn.length + distance;
  return insn.operandSize === 2 ? target & 0xffff : target >>> 0;
}

/** Mnemonics whose memory operand has one size in all their forms. */
const ONE_SIZE = new Set<string>();
for (const { mnemonic, operands } of ROWS) {
  const forms = ROWS.filter((row) => row.mnemonic === mnemonic);
  const kinds = new Set(forms.flatMap((row) => row.operands.filter(mayBeMemory)));
  const [only] = kinds;
  if (only === "M10") continue;
  if (kinds.size === 1 && operands.includes(only) && OPERAND_INFO[only].size !== Size.V) ONE_SIZE.add(mnemonic);
}

function mayBeMemory(operand: Operand): boolean {
  const { field } = OPERAND_INFO[operand];
  return field === Field.Rm || field === Field.Memory;
}

/** Whether the size of the memory operand has to be written: neither the name nor a register of the form tells it. */
function needsSize(row: Row, values: readonly OperandValue[], memory: MemoryValue): boolean {
  if (ONE_SIZE.has(row.mnemonic) || isString(row) || row.operands.includes("Sw")) return false;
  if (memory.far || row.mnemonic === "movzx" || row.mnemonic === "movsx") return true;
  const tells = (value: OperandValue, i: number) => row.operands[i] !== "CL" && value.kind === "reg";
  return !values.some((value, i) => tells(value, i) && (value as RegisterValue).size === memory.size);
}

function isString(row: Row): boolean {
  return row.operands.some((operand) => operand[0] === "X" || operand[0] === "Y");
}

/** String instructions show their operands only where they are not the usual ones. */
function hidesOperands(insn: Instruction, row: Row): boolean {
  const overridden =
    insn.segmentOverride && insn.segment !== Segment.DS && row.operands.some((operand) => operand[0] === "X");
  return isString(row) && insn.addressSize === 4 && !overridden;
}

/** Forms whose operand size nothing else shows. */
function sizeHidden(row: Row, values: readonly OperandValue[]): boolean {
  if (values.some((value) => value.kind === "reg" || value.kind === "mem")) return false;
  return /^(leave|enter|ret|retf|push|pop|call|jmp)$/.test(row.mnemonic) || row.operands[0] === "Jv";
}

/** "lock ", "rep " and the like, where they mean something. */
function prefixText(insn: Instruction, row: Row): string {
  let text = insn.prefixes & Prefix.Lock ? "lock " : "";
  if (row.flags & RowFlag.RepAllowed) {
    if (insn.prefixes & Prefix.Repne) text += "repne ";
    else if (insn.prefixes & Prefix.Rep) text += row.flags & RowFlag.RepCompares ? "repe " : "rep ";
  }
  if (row.mnemonic === "xlatb" && insn.segmentOverride) text += `${SEGMENT_NAMES[insn.segment]} `;
  return text;
}

/** The address of a memory operand: "[eax+ecx*4-0x8]". */
function intelAddress(value: MemoryValue, symbol: SymbolNamer | undefined): string {
  const names = REGISTER_NAMES[value.addressSize];
  let text = value.base === NO_REGISTER ? "" : names[value.base];
  if (value.index !== NO_REGISTER) {
    const scale = value.scale === 0 && text !== "" ? "" : `*${1 << value.scale}`;
    text += `${text === "" ? "" : "+"}${names[value.index]}${scale}`;
  }
  const { displacement } = value;
  if (text === "") text = number(displacement >>> 0);
  else if (displacement !== 0) text += `${displacement < 0 ? "" : "+"}${number(displacement)}`;
  return `[${text}]${note(displacement, symbol)}`;
}

function attAddress(value: MemoryValue, symbol: SymbolNamer | undefined): string {
  const names = REGISTER_NAMES[value.addressSize];
  const base = value.base === NO_REGISTER ? "" : `%${names[value.base]}`;
  const index = value.index === NO_REGISTER ? "" : `,%${names[value.index]}`;
  const scale = value.index === NO_REGISTER || value.addressSize === 2 ? "" : `,${1 << value.scale}`;
  const registers = base + index + scale;
  const { displacement } = value;
  const shown = registers === "" ? number(displacement >>> 0) : displacement === 0 ? "" : number(displacement);
  return `${shown}${registers === "" ? "" : `(${registers})`}${note(displacement, symbol)}`;
}

function intel(insn: Instruction, row: Row, eip: number, symbol: SymbolNamer | undefined): string {
  const values = operandValues(insn);
  let name = mnemonicOf(row, insn.operandSize, insn.addressSize);
  if (insn.operandSize === 2 && sizeHidden(row, values)) name += "w";
  const operands = values.map((value, position) => {
    switch (value.kind) {
      case "imm":
        return number(immediateNumber(row, position, value.value)) + immediateNote(insn, row, position, symbol);
      case "rel": {
        const target = jumpTarget(insn, eip, value.distance);
        return number(target) + note(target, symbol);
      }
      case "far":
        return `${number(value.selector)}:${number(value.offset >>> 0)}${note(value.offset, symbol)}`;
      case "mem": {
        const size = needsSize(row, values, value) ? (SIZE_NAMES[value.size] ?? "") : "";
        const far = value.far && value.size === 4 && values.length === 1 ? "far " : "";
        const segment = value.segment < 0 ? "" : `${SEGMENT_NAMES[value.segment]}:`;
        return `${far}${size}${segment}${intelAddress(value, symbol)}`;
      }
      default:
        return row.operands[position] === "ST" ? "st" : registerName(value);
    }
  });
  return [prefixText(insn, row) + name, hidesOperands(insn, row) ? "" : operands.join(", ")].join(" ").trim();
}

/** A 32-bit immediate may be an address. */
function immediateNote(insn: Instruction, row: Row, position: number, symbol: SymbolNamer | undefined): string {
  return row.operands[position] === "Iv" && insn.operandSize === 4 ? note(insn.immediate, symbol) : "";
}

/** A jump or call through a register or memory (AT&T marks it with a star). */
function isIndirect(row: Row): boolean {
  return /^(call|jmp)$/.test(row.mnemonic) && mayBeMemory(row.operands[0]);
}

/** AT&T's suffix for an x87 memory operand; integers have others than floating-point numbers. */
function attFloatSuffix(row: Row, size: number): string {
  if (/^f(bld|bstp|n?st[cs]w|ldcw)/.test(row.mnemonic)) return "";
  if (/^fi/.test(row.mnemonic)) return ["", "", "s", "", "l", "", "", "", "ll"][size];
  return { 4: "s", 8: "l", 10: "t" }[size] ?? "";
}

/** The AT&T name: sizes as suffixes, far transfers with an l, MOVZX and MOVSX by both their sizes. */
function attName(insn: Instruction, row: Row, values: readonly OperandValue[]): string {
  const plain = mnemonicOf(row, insn.operandSize, insn.addressSize);
  if (plain === "movzx" || plain === "movsx") {
    return plain.slice(0, 4) + (row.operands[1] === "Eb" ? "b" : "w") + SIZE_SUFFIXES[insn.operandSize];
  }
  let name = ATT_NAMES[plain] ?? plain;
  const [first] = values;
  if (row.flags & RowFlag.Fpu) {
    // GNU has kept the names that the first AT&T assembler had by mistake.
    const swapped = row.operands[1] === "ST" && /^f(sub|div)/.test(name);
    if (swapped) name = name.replace(/^(f(?:sub|div))(r?)/, (_, stem: string, r: string) => stem + (r ? "" : "r"));
    return first?.kind === "mem" ? name + attFloatSuffix(row, first.size) : name;
  }
  const far = first?.kind === "far" || (first?.kind === "mem" && first.far);
  if (far) name = `l${name}`;
  if (insn.operandSize === 2 && (far || sizeHidden(row, values))) return `${name}w`;
  const memory = values.find((value) => value.kind === "mem");
  if (memory === undefined || far || hidesOperands(insn, row)) return name;
  if (isIndirect(row) && insn.operandSize === 4) return name;
  return needsSize(row, values, memory) ? name + (SIZE_SUFFIXES[memory.size] ?? "") : name;
}

function att(insn: Instruction, row: Row, eip: number, symbol: SymbolNamer | undefined): string {
  const values = operandValues(insn);
  const indirect = isIndirect(row);
  const operands = values.map((value, position) => {
    switch (value.kind) {
      case "imm":
        return `$${number(immediateNumber(row, position, value.value))}${immediateNote(insn, row, position, symbol)}`;
      case "rel": {
        const target = jumpTarget(insn, eip, value.distance);
        return number(target) + note(target, symbol);
      }
      case "far":
        return `$${number(value.selector)}, $${number(value.offset >>> 0)}${note(value.offset, symbol)}`;
      case "mem": {
        const segment = value.segment < 0 ? "" : `%${SEGMENT_NAMES[value.segment]}:`;
        return `${indirect ? "*" : ""}${segment}${attAddress(value, symbol)}`;
      }
      default:
        if (row.operands[position] === "DX") return "(%dx)";
        if (row.operands[position] === "ST") return "%st";
        return `${indirect ? "*" : ""}%${registerName(value)}`;
    }
  });
  // Source first, but for ENTER and BOUND.
  if (row.mnemonic !== "enter" && row.mnemonic !== "bound") operands.reverse();
  const name = prefixText(insn, row) + attName(insn, row, values);
  return [name, hidesOperands(insn, row) ? "" : operands.join(", ")].join(" ").trim();
}

/**
 * The text of a decoded instruction at address `eip` (of its first byte; jump targets are reckoned from it).
 * `symbol` may name addresses: jump targets, displacements and 32-bit immediates that it knows are followed by `<name>`.
 */
export function disassemble(
  insn: Instruction,
  eip: number,
  syntax: "intel" | "att" = "intel",
  symbol?: SymbolNamer,
): string {
  const row = ROWS[insn.row];
  return syntax === "att" ? att(insn, row, eip, symbol) : intel(insn, row, eip, symbol);
}
