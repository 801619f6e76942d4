/**
 * The instruction set: one row per instruction form. Decoder, encoder, disassembler, execution and tests all read it.
 * May import isa/ only.
 *
 * What is here: every integer instruction of the 386 in protected mode, the 486's (BSWAP CMPXCHG XADD INVD WBINVD
 * INVLPG), the Pentium's (CPUID RDTSC RDMSR WRMSR CMPXCHG8B), CMOVcc, the long NOP and the hints, UD0 to UD2, and the x87
 * (isa/x87.ts). Which model has which row is in model.ts. Encodings
 * that the manual leaves out but that processors run are here too: SALC, INT1, group 82, TEST as /1, SHL as /6.
 *
 * Invariants: no two rows claim the same opcode and digit (and, for the x87, ModRM byte); all rows of an opcode have a ModRM byte or none has.
 * Source: Intel SDM volume 2 (instruction reference; appendix A, opcode map); 80386 Programmer's Reference Manual, 1986.
 */
import { floatImageBytes, OPERAND_INFO, type Operand, Size, usesModrm } from "./isa/operands";
import { X87_FORMS } from "./isa/x87";

export type { Operand } from "./isa/operands";

export const enum RowFlag {
  None = 0,
  /** LOCK is allowed when the ModRM operand is memory; everywhere else LOCK is #UD. */
  Lockable = 1,
  /** A string instruction: REP repeats it (and then each repetition ends a block). Elsewhere REP is ignored. */
  RepAllowed = 2,
  /** CMPS, SCAS: REP stops on ZF = 0 and REPNE on ZF = 1. */
  RepCompares = 4,
  /** Ends a block: it jumps, may let an interrupt in, reads time, or changes what later fetches and decodes depend on. */
  Terminates = 8,
  /** #GP(0) unless CPL = 0. */
  Privileged = 16,
  /** CLI, STI: #GP(0) when CPL > IOPL; IN, OUT, INS, OUTS: then the TSS's I/O bitmap decides. */
  IoSensitive = 32,
  /** A second encoding of another row: the encoder never chooses it. */
  Alias = 64,
  /** `mnemonic16` goes by the address size (JCXZ) and not by the operand size. */
  NamedByAddressSize = 128,
  /** An x87 opcode (or WAIT): CR0.EM, TS and MP decide first. */
  Fpu = 256,
}

export interface Row {
  /** First opcode: 0x00–0xff, or 0x0f00–0x0fff; −1 for the row of what is no instruction. */
  readonly opcode: number;
  /** How many opcodes the row covers, 1 or, where the low three bits are a register, up to 8. */
  readonly span: number;
  /** ModRM.reg that the form demands, /0–/7, or −1. */
  readonly digit: number;
  /** ModRM.rm that the form demands, with mod = 3, or −1: x87 instructions without ST(i). */
  readonly rm: number;
  /** Intel's, for 32-bit operands: "movsd", "pushad". Conditions are named o no b ae z nz be a s ns p np l ge le g. */
  readonly mnemonic: string;
  /** The name with 16-bit operands: "movsw", "pushaw"; most often the same. */
  readonly mnemonic16: string;
  readonly operands: readonly Operand[];
  /** Bits of RowFlag. */
  readonly flags: number;
}

/** Condition names by the low four bits of Jcc, SETcc. */
export const CONDITIONS: readonly string[] = "o no b ae z nz be a s ns p np l ge le g".split(" ");

/** The row of bytes that are no instruction; executing it raises #UD. */
export const INVALID_ROW = 0;

const L = RowFlag.Lockable;
const T = RowFlag.Terminates;
const P = RowFlag.Privileged;
const IO = RowFlag.IoSensitive | RowFlag.Terminates;

const rows: Row[] = [
  {
    opcode: -1,
    span: 1,
    digit: -1,
    rm: -1,
    mnemonic: "(bad)",
    mnemonic16: "(bad)",
    operands: [],
    flags: RowFlag.Terminates,
  },
];

/** Adds a row. `names` is "mnemonic" or "mnemonic/mnemonic16"; `operands` are separated by spaces. */
function form(opcode: number, names: string, operands = "", flags = RowFlag.None, digit = -1): void {
  const [mnemonic, mnemonic16 = mnemonic] = names.split("/") as [string, string?];
  const list = operands === "" ? [] : (operands.split(" ") as Operand[]);
  const inOpcode = list.some((o) => o === "Zb" || o === "Zv");
  rows.push({
    opcode,
    span: inOpcode ? 8 - (opcode & 7) : 1,
    digit,
    rm: -1,
    mnemonic,
    mnemonic16,
    operands: list,
    flags,
  });
}

/** Adds one row per name with the digits 0, 1, 2, …; an empty name leaves its digit undefined. */
function group(opcode: number, names: string, operands: string, flags = RowFlag.None): void {
  for (const [digit, name] of names.split(" ").entries()) {
    if (name !== "-") form(opcode, name, operands, flags, digit);
  }
}

// Arithmetic and logic: eight operations, six forms each and the immediate groups. CMP writes nothing, so has no LOCK.
const ARITHMETIC = ["add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"];
for (const [digit, name] of ARITHMETIC.entries()) {
  const lock = name === "cmp" ? RowFlag.None : L;
  const base = digit << 3;
  form(base, name, "Eb Gb", lock);
  form(base + 1, name, "Ev Gv", lock);
  form(base + 2, name, "Gb Eb");
  form(base + 3, name, "Gv Ev");
  form(base + 4, name, "AL Ib");
  form(base + 5, name, "eAX Iv");
  form(0x80, name, "Eb Ib", lock, digit);
  form(0x81, name, "Ev Iv", lock, digit);
  form(0x82, name, "Eb Ib", lock | RowFlag.Alias, digit);
  form(0x83, name, "Ev Ibs", lock, digit);
}

// 06–3F: segment registers on the stack, decimal adjustments.
form(0x06, "push", "ES");
form(0x07, "pop", "ES", T);
form(0x0e, "push", "CS");
form(0x16, "push", "SS");
form(0x17, "pop", "SS", T);
form(0x1e, "push", "DS");
form(0x1f, "pop", "DS", T);
form(0x27, "daa");
form(0x2f, "das");
form(0x37, "aaa");
form(0x3f, "aas");

// 40–6F.
form(0x40, "inc", "Zv");
form(0x48, "dec", "Zv");
form(0x50, "push", "Zv");
form(0x58, "pop", "Zv");
form(0x60, "pushad/pushaw");
form(0x61, "popad/popaw");
form(0x62, "bound", "Gv Ma");
form(0x63, "arpl", "Ew Gw");
form(0x68, "push", "Iv");
form(0x69, "imul", "Gv Ev Iv");
form(0x6a, "push", "Ibs");
form(0x6b, "imul", "Gv Ev Ibs");
form(0x6c, "insb", "Yb DX", RowFlag.RepAllowed | IO);
form(0x6d, "insd/insw", "Yv DX", RowFlag.RepAllowed | IO);
form(0x6e, "outsb", "DX Xb", RowFlag.RepAllowed | IO);
form(0x6f, "outsd/outsw", "DX Xv", RowFlag.RepAllowed | IO);

// Conditions.
for (const [code, condition] of CONDITIONS.entries()) {
  form(0x70 + code, `j${condition}`, "Jb", T);
  form(0x0f40 + code, `cmov${condition}`, "Gv Ev");
  form(0x0f80 + code, `j${condition}`, "Jv", T);
  form(0x0f90 + code, `set${condition}`, "Eb");
}

// 84–9F.
form(0x84, "test", "Eb Gb");
form(0x85, "test", "Ev Gv");
form(0x86, "xchg", "Eb Gb", L);
form(0x87, "xchg", "Ev Gv", L);
form(0x88, "mov", "Eb Gb");
form(0x89, "mov", "Ev Gv");
form(0x8a, "mov", "Gb Eb");
form(0x8b, "mov", "Gv Ev");
form(0x8c, "mov", "RvMw Sw");
form(0x8d, "lea", "Gv M");
form(0x8e, "mov", "Sw Ew", T);
form(0x8f, "pop", "Ev", RowFlag.None, 0);
form(0x90, "nop");
form(0x91, "xchg", "Zv eAX");
form(0x98, "cwde/cbw");
form(0x99, "cdq/cwd");
form(0x9a, "call", "Ap", T);
form(0x9b, "fwait", "", RowFlag.Fpu);
form(0x9c, "pushfd/pushfw");
form(0x9d, "popfd/popfw", "", T);
form(0x9e, "sahf");
form(0x9f, "lahf");

// A0–BF.
form(0xa0, "mov", "AL Ob");
form(0xa1, "mov", "eAX Ov");
form(0xa2, "mov", "Ob AL");
form(0xa3, "mov", "Ov eAX");
form(0xa4, "movsb", "Yb Xb", RowFlag.RepAllowed);
form(0xa5, "movsd/movsw", "Yv Xv", RowFlag.RepAllowed);
form(0xa6, "cmpsb", "Xb Yb", RowFlag.RepAllowed | RowFlag.RepCompares);
form(0xa7, "cmpsd/cmpsw", "Xv Yv", RowFlag.RepAllowed | RowFlag.RepCompares);
form(0xa8, "test", "AL Ib");
form(0xa9, "test", "eAX Iv");
form(0xaa, "stosb", "Yb AL", RowFlag.RepAllowed);
form(0xab, "stosd/stosw", "Yv eAX", RowFlag.RepAllowed);
form(0xac, "lodsb", "AL Xb", RowFlag.RepAllowed);
form(0xad, "lodsd/lodsw", "eAX Xv", RowFlag.RepAllowed);
form(0xae, "scasb", "AL Yb", RowFlag.RepAllowed | RowFlag.RepCompares);
form(0xaf, "scasd/scasw", "eAX Yv", RowFlag.RepAllowed | RowFlag.RepCompares);
form(0xb0, "mov", "Zb Ib");
form(0xb8, "mov", "Zv Iv");

// Shifts and rotations: /6 does what /4 does.
const SHIFTS = ["rol", "ror", "rcl", "rcr", "shl", "shr", "shl", "sar"];
for (const [digit, name] of SHIFTS.entries()) {
  const alias = digit === 6 ? RowFlag.Alias : RowFlag.None;
  form(0xc0, name, "Eb Ib", alias, digit);
  form(0xc1, name, "Ev Ib", alias, digit);
  form(0xd0, name, "Eb 1", alias, digit);
  form(0xd1, name, "Ev 1", alias, digit);
  form(0xd2, name, "Eb CL", alias, digit);
  form(0xd3, name, "Ev CL", alias, digit);
}

// C2–DF.
form(0xc2, "ret", "Iw", T);
form(0xc3, "ret", "", T);
form(0xc4, "les", "Gv Mp", T);
form(0xc5, "lds", "Gv Mp", T);
form(0xc6, "mov", "Eb Ib", RowFlag.None, 0);
form(0xc7, "mov", "Ev Iv", RowFlag.None, 0);
form(0xc8, "enter", "Iw Ib");
form(0xc9, "leave");
form(0xca, "retf", "Iw", T);
form(0xcb, "retf", "", T);
form(0xcc, "int3", "", T);
form(0xcd, "int", "Ib", T);
form(0xce, "into", "", T);
form(0xcf, "iretd/iretw", "", T);
form(0xd4, "aam", "Ib");
form(0xd5, "aad", "Ib");
form(0xd6, "salc");
form(0xd7, "xlatb");
for (const { alias, mnemonic, ...encoding } of X87_FORMS) {
  const flags = RowFlag.Fpu | (alias ? RowFlag.Alias : RowFlag.None);
  rows.push({ ...encoding, span: 1, mnemonic, mnemonic16: mnemonic, flags });
}

// E0–FF.
form(0xe0, "loopne", "Jb", T);
form(0xe1, "loope", "Jb", T);
form(0xe2, "loop", "Jb", T);
form(0xe3, "jecxz/jcxz", "Jb", T | RowFlag.NamedByAddressSize);
form(0xe4, "in", "AL Ib", IO);
form(0xe5, "in", "eAX Ib", IO);
form(0xe6, "out", "Ib AL", IO);
form(0xe7, "out", "Ib eAX", IO);
form(0xe8, "call", "Jv", T);
form(0xe9, "jmp", "Jv", T);
form(0xea, "jmp", "Ap", T);
form(0xeb, "jmp", "Jb", T);
form(0xec, "in", "AL DX", IO);
form(0xed, "in", "eAX DX", IO);
form(0xee, "out", "DX AL", IO);
form(0xef, "out", "DX eAX", IO);
form(0xf1, "int1", "", T);
form(0xf4, "hlt", "", T | P);
form(0xf5, "cmc");
form(0xf6, "test", "Eb Ib", RowFlag.None, 0);
form(0xf6, "test", "Eb Ib", RowFlag.Alias, 1);
form(0xf7, "test", "Ev Iv", RowFlag.None, 0);
form(0xf7, "test", "Ev Iv", RowFlag.Alias, 1);
group(0xf6, "- - not neg", "Eb", L);
group(0xf7, "- - not neg", "Ev", L);
group(0xf6, "- - - - mul imul div idiv", "Eb");
group(0xf7, "- - - - mul imul div idiv", "Ev");
form(0xf8, "clc");
form(0xf9, "stc");
form(0xfa, "cli", "", RowFlag.IoSensitive);
form(0xfb, "sti", "", IO);
form(0xfc, "cld");
form(0xfd, "std");
group(0xfe, "inc dec", "Eb", L);
group(0xff, "inc dec", "Ev", L);
form(0xff, "call", "Ev", T, 2);
form(0xff, "call", "Mp", T, 3);
form(0xff, "jmp", "Ev", T, 4);
form(0xff, "jmp", "Mp", T, 5);
form(0xff, "push", "Ev", RowFlag.None, 6);

// 0F 00–0F 31: system.
group(0x0f00, "sldt str", "RvMw");
group(0x0f00, "- - lldt ltr", "Ew", P);
group(0x0f00, "- - - - verr verw", "Ew");
group(0x0f01, "sgdt sidt", "Ms");
group(0x0f01, "- - lgdt lidt", "Ms", P);
form(0x0f01, "smsw", "RvMw", RowFlag.None, 4);
form(0x0f01, "lmsw", "Ew", P | T, 6);
form(0x0f01, "invlpg", "M", P | T, 7);
form(0x0f02, "lar", "Gv Ew");
form(0x0f03, "lsl", "Gv Ew");
form(0x0f06, "clts", "", P | T);
form(0x0f08, "invd", "", P);
form(0x0f09, "wbinvd", "", P);
form(0x0f0b, "ud2", "", T);
// Hints that this processor takes none of: prefetches, ENDBR and what else newer ones have there.
for (let opcode = 0x0f18; opcode < 0x0f1e; opcode++) form(opcode, "nop", "Ev Gv", RowFlag.Alias);
form(0x0f1e, "nop", "Ev Gv");
form(0x0f1f, "nop", "Ev");
form(0x0f20, "mov", "Rd Cd", P | T);
form(0x0f21, "mov", "Rd Dd", P | T);
form(0x0f22, "mov", "Cd Rd", P | T);
form(0x0f23, "mov", "Dd Rd", P | T);
form(0x0f24, "mov", "Rd Td", P | T);
form(0x0f26, "mov", "Td Rd", P | T);
form(0x0f30, "wrmsr", "", T | P);
form(0x0f31, "rdtsc", "", T);
form(0x0f32, "rdmsr", "", T | P);

// 0F A0–0F CF.
form(0x0fa0, "push", "FS");
form(0x0fa1, "pop", "FS", T);
form(0x0fa2, "cpuid");
form(0x0fa3, "bt", "Ev Gv");
form(0x0fa4, "shld", "Ev Gv Ib");
form(0x0fa5, "shld", "Ev Gv CL");
form(0x0fa8, "push", "GS");
form(0x0fa9, "pop", "GS", T);
form(0x0fab, "bts", "Ev Gv", L);
form(0x0fac, "shrd", "Ev Gv Ib");
form(0x0fad, "shrd", "Ev Gv CL");
form(0x0faf, "imul", "Gv Ev");
form(0x0fb0, "cmpxchg", "Eb Gb", L);
form(0x0fb1, "cmpxchg", "Ev Gv", L);
form(0x0fb2, "lss", "Gv Mp", T);
form(0x0fb3, "btr", "Ev Gv", L);
form(0x0fb4, "lfs", "Gv Mp", T);
form(0x0fb5, "lgs", "Gv Mp", T);
form(0x0fb6, "movzx", "Gv Eb");
form(0x0fb7, "movzx", "Gv Ew");
form(0x0fb9, "ud1", "Gv Ev", T);
form(0x0fba, "bt", "Ev Ib", RowFlag.None, 4);
group(0x0fba, "- - - - - bts btr btc", "Ev Ib", L);
form(0x0fbb, "btc", "Ev Gv", L);
form(0x0fbc, "bsf", "Gv Ev");
form(0x0fbd, "bsr", "Gv Ev");
form(0x0fbe, "movsx", "Gv Eb");
form(0x0fbf, "movsx", "Gv Ew");
form(0x0fc0, "xadd", "Eb Gb", L);
form(0x0fc1, "xadd", "Ev Gv", L);
form(0x0fc7, "cmpxchg8b", "Mq", L, 1);
form(0x0fc8, "bswap", "Zv");
form(0x0fff, "ud0", "Gv Ev", T);

/** All instruction forms; Instruction.row is an index into it. */
export const ROWS: readonly Row[] = rows;

/** Whether the form has a ModRM byte. */
export function hasModrm(row: Row): boolean {
  return row.digit >= 0 || row.operands.some(usesModrm);
}

/** The name of the form at these sizes in bytes (2 or 4): "movsd" or "movsw", "jecxz" or "jcxz". */
export function mnemonicOf(row: Row, operandSize: number, addressSize: number): string {
  const size = row.flags & RowFlag.NamedByAddressSize ? addressSize : operandSize;
  return size === 2 ? row.mnemonic16 : row.mnemonic;
}

/** Size in bytes of an operand at this operand size, as a register or value; 0 when it has none. */
export function operandBytes(operand: Operand, operandSize: number): number {
  const size = OPERAND_INFO[operand].size;
  if (size >= 0) return size;
  if (size === Size.Environment || size === Size.FloatState) return floatImageBytes(size, operandSize);
  return size === Size.Far ? 2 + operandSize : size === Size.Bounds ? 2 * operandSize : operandSize;
}
