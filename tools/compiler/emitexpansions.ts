/**
 * The instructions of each pseudo-operation and intrinsic, one entry each. Operands come with their places already chosen;
 * fixed registers are as lowercall.ts and intrinsics.ts say. Imports emitasm, mir.
 * Source: Intel SDM volume 2, the instruction of the name.
 */

import { type AsmInstruction, type AsmMemory, type AsmOperand, imm, mem, reg } from "./emitasm";
import { Register } from "./mir";

/** Where expansions put their instructions. */
export interface Expander {
  emit(mnemonic: string, ...operands: AsmOperand[]): AsmInstruction;
  /** A new label, for jumps inside the expansion. */
  newLabel(): AsmOperand;
  /** Entries of the table of functions. */
  readonly tableSize: number;
}

/** Symbol of the table of functions. */
export const TABLE_SYMBOL = ".Ltable";

type Expansion = (to: Expander, operands: AsmOperand[]) => void;

const EAX = reg(Register.EAX);
const AX = reg(Register.EAX, 2);
const AL = reg(Register.EAX, 1);
const ECX = reg(Register.ECX);
const CL = reg(Register.ECX, 1);
const EDX = reg(Register.EDX);
const DX = reg(Register.EDX, 2);
const EBP = reg(Register.EBP);
const ESI = reg(Register.ESI);
const EDI = reg(Register.EDI);

function registerOf(operand: AsmOperand): number {
  return (operand as { number: number }).number;
}

/** An instruction without operands. */
function bare(...mnemonics: string[]): Expansion {
  return (to) => {
    for (const mnemonic of mnemonics) to.emit(mnemonic);
  };
}

/** IN: the port is DX, or the immediate that was given. */
function input(accumulator: AsmOperand): Expansion {
  return (to, [port = DX]) => {
    to.emit("in", accumulator, port);
    if (accumulator !== EAX) to.emit("movzx", EAX, accumulator);
  };
}

function output(accumulator: AsmOperand): Expansion {
  return (to, [port = DX]) => {
    to.emit("out", port, accumulator);
  };
}

function repeat(to: Expander, mnemonic: string): void {
  to.emit(mnemonic).rep = true;
}

/** BSR or BSF leave nothing useful of zero: `none` is then put instead. */
function scan(mnemonic: string, none: number, flip: number): Expansion {
  return (to, [result, source]) => {
    const done = to.newLabel();
    to.emit(mnemonic, result, source);
    to.emit("jnz", done);
    to.emit("mov", result, imm(none));
    to.emit("label", done);
    if (flip !== 0) to.emit("xor", result, imm(flip));
  };
}

/** Flags as of comparing with zero; the operand may be a frame slot. */
const compareZero: Expansion = (to, [operand]) => {
  if (operand.kind === "reg") to.emit("test", operand, operand);
  else to.emit("cmp", operand, imm(0));
};

/** Index in a register; entry 0 of the table leads to a trap, and beyond its end is one too. */
const callTable: Expansion = (to, [index]) => {
  const good = to.newLabel();
  to.emit("cmp", index, imm(to.tableSize));
  to.emit("jb", good);
  to.emit("ud2");
  to.emit("label", good);
  const entry: AsmMemory = { ...mem(-1, 0), index: registerOf(index), scale: 2, symbol: TABLE_SYMBOL };
  to.emit("call", entry);
};

/**
 * Copy ECX units from ESI to EDI as if by way of a buffer. Forwards is right unless the destination begins inside the
 * source: EDI - ESI, unsigned, is less than the length.
 */
function moveMemory(words: boolean): Expansion {
  return (to) => {
    const backwards = to.newLabel();
    const done = to.newLabel();
    to.emit("mov", EAX, EDI);
    to.emit("sub", EAX, ESI);
    if (words) {
      to.emit("shr", EAX, imm(2));
      to.emit("cmp", EAX, ECX);
      to.emit("jb", backwards);
      repeat(to, "movsd");
    } else {
      to.emit("cmp", EAX, ECX);
      to.emit("jb", backwards);
      to.emit("mov", EAX, ECX);
      to.emit("shr", ECX, imm(2));
      repeat(to, "movsd");
      to.emit("mov", ECX, EAX);
      to.emit("and", ECX, imm(3));
      repeat(to, "movsb");
    }
    to.emit("jmp", done);
    to.emit("label", backwards);
    if (words) to.emit("shl", ECX, imm(2));
    to.emit("lea", ESI, { ...mem(Register.ESI, -1), index: Register.ECX });
    to.emit("lea", EDI, { ...mem(Register.EDI, -1), index: Register.ECX });
    to.emit("std");
    repeat(to, "movsb");
    to.emit("cld");
    to.emit("label", done);
  };
}

const fillBytes: Expansion = (to) => {
  to.emit("mov", EDX, ECX);
  to.emit("shr", ECX, imm(2));
  repeat(to, "stosd");
  to.emit("mov", ECX, EDX);
  to.emit("and", ECX, imm(3));
  repeat(to, "stosb");
};

/** INT 0x80 with the sixth argument, stored at ESP, in EBP. */
const syscall6: Expansion = (to) => {
  to.emit("push", EBP);
  to.emit("mov", EBP, mem(Register.ESP, 4));
  to.emit("int", imm(0x80));
  to.emit("pop", EBP);
};

const syscall: Expansion = (to) => {
  to.emit("int", imm(0x80));
};

function readControl(number: number): Expansion {
  return (to, [result]) => {
    to.emit("mov", result, { kind: "creg", number });
  };
}

function writeControl(number: number): Expansion {
  return (to, [value]) => {
    to.emit("mov", { kind: "creg", number }, value);
  };
}

/** An instruction on the memory that a register points at. */
function atPointer(mnemonic: string, size: 1 | 6): Expansion {
  return (to, [pointer]) => {
    to.emit(mnemonic, mem(registerOf(pointer), 0, size));
  };
}

/** A shift by CL. */
function shift(mnemonic: string): Expansion {
  return (to, [operand]) => {
    to.emit(mnemonic, operand, CL);
  };
}

export const EXPANSIONS: ReadonlyMap<string, Expansion> = new Map<string, Expansion>([
  ["compareZero", compareZero],
  ["zeroEdx", (to) => void to.emit("mov", EDX, imm(0))],
  ["clz", scan("bsr", 63, 31)],
  ["ctz", scan("bsf", 32, 0)],
  ["shlcl", shift("shl")],
  ["sarcl", shift("sar")],
  ["shrcl", shift("shr")],
  ["rolcl", shift("rol")],
  ["rorcl", shift("ror")],
  ["callTable", callTable],
  ["moveWords", moveMemory(true)],
  ["moveBytes", moveMemory(false)],
  ["fillWords", (to) => repeat(to, "stosd")],
  ["fillBytes", fillBytes],
  ["inb", input(AL)],
  ["inw", input(AX)],
  ["inl", input(EAX)],
  ["outb", output(AL)],
  ["outw", output(AX)],
  ["outl", output(EAX)],
  ["insw", (to) => repeat(to, "insw")],
  ["outsw", (to) => repeat(to, "outsw")],
  ["cli", bare("cli")],
  ["sti", bare("sti")],
  ["stiHlt", bare("sti", "hlt")],
  ["hlt", bare("hlt")],
  [
    "readEflags",
    (to, [result]) => {
      to.emit("pushfd");
      to.emit("pop", result);
    },
  ],
  [
    "writeEflags",
    (to, [value]) => {
      to.emit("push", value);
      to.emit("popfd");
    },
  ],
  ["readEbp", (to, [result]) => void to.emit("mov", result, EBP)],
  ["readEsp", (to, [result]) => void to.emit("mov", result, reg(Register.ESP))],
  ["readCr0", readControl(0)],
  ["readCr2", readControl(2)],
  ["readCr3", readControl(3)],
  ["readCr4", readControl(4)],
  ["writeCr0", writeControl(0)],
  ["writeCr3", writeControl(3)],
  ["writeCr4", writeControl(4)],
  ["invlpg", atPointer("invlpg", 1)],
  ["lgdt", atPointer("lgdt", 6)],
  ["lidt", atPointer("lidt", 6)],
  ["ltr", (to, [selector]) => void to.emit("ltr", reg(registerOf(selector), 2))],
  ["rdtscLow", bare("rdtsc")],
  ["syscall0", syscall],
  ["syscall1", syscall],
  ["syscall2", syscall],
  ["syscall3", syscall],
  ["syscall4", syscall],
  ["syscall5", syscall],
  ["syscall6", syscall6],
]);
