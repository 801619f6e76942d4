/**
 * Assembly to bytes: every instruction through cpu/encoder.ts, jumps in their short form wherever the distance allows.
 * Imports cpu/encoder, emitasm.
 */

import { creg, Encoder, imm, mem, type OperandValue, reg, rel32 } from "../../cpu/encoder";
import { NO_REGISTER, Prefix } from "../../cpu/instruction";
import type { AsmInstruction, AsmOperand } from "./emitasm";

/** A field to be filled in: absolute address of a symbol, or the distance of a call. */
export interface Fixup {
  /** Bytes from the function's start. */
  at: number;
  kind: "abs32" | "rel32";
  symbol: string;
  addend: number;
}

export interface EncodedFunction {
  bytes: Uint8Array;
  fixups: Fixup[];
  /** Bytes from the function's start of each label. */
  labels: Map<number, number>;
  /** Where each wasm offset's instructions begin, in order. */
  lines: { at: number; wasmOffset: number }[];
  /** Bytes from the function's start of each instruction, and behind them its size. */
  starts: Int32Array;
}

/** One instruction's bytes, or a jump whose form is not yet known. */
interface Piece {
  bytes: Uint8Array;
  fixups: Fixup[];
  offset: number;
  /** Jumps: mnemonic and target; the label that stands before the piece, for labels. */
  jump: string | null;
  label: number;
  long: boolean;
}

const NO_BYTES = new Uint8Array(0);
const SHORT_JUMP = 2;

const encoder = new Encoder();

/** Encode the instructions of one function. */
export function encodeFunction(code: readonly AsmInstruction[]): EncodedFunction {
  const pieces = code.map(encodePiece);
  const labels = new Map<number, number>();
  const starts = new Int32Array(pieces.length + 1);
  for (let changed = true; changed; ) {
    place(pieces, starts, labels);
    changed = lengthen(pieces, starts, labels);
  }
  return assemble(pieces, starts, labels);
}

function encodePiece(instruction: AsmInstruction): Piece {
  const { mnemonic, operands, offset } = instruction;
  const piece: Piece = { bytes: NO_BYTES, fixups: [], offset, jump: null, label: -1, long: false };
  const [first] = operands;
  if (first?.kind === "label") {
    piece.label = first.label;
    if (mnemonic !== "label") piece.jump = mnemonic;
    return piece;
  }
  if (mnemonic === "call" && first.kind === "function") {
    piece.bytes = take("call", [rel32(0)], false);
    piece.fixups.push({ at: encoder.immediateAt, kind: "rel32", symbol: first.symbol, addend: -4 });
    return piece;
  }
  piece.bytes = take(mnemonic, operands.map(toValue), instruction.rep);
  for (const operand of operands) {
    if ((operand.kind !== "imm" && operand.kind !== "mem") || operand.symbol === null) continue;
    const at = operand.kind === "imm" ? encoder.immediateAt : encoder.displacementAt;
    const addend = operand.kind === "imm" ? operand.value : operand.displacement;
    piece.bytes.fill(0, at, at + 4);
    piece.fixups.push({ at, kind: "abs32", symbol: operand.symbol, addend });
  }
  return piece;
}

function take(mnemonic: string, values: OperandValue[], rep: boolean): Uint8Array {
  encoder.encode(mnemonic, values, rep ? { prefixes: Prefix.Rep } : {});
  return encoder.bytes.slice(0, encoder.length);
}

function toValue(operand: AsmOperand): OperandValue {
  switch (operand.kind) {
    case "reg":
      return reg(operand.number, operand.size);
    case "imm":
      return imm(operand.value, operand.symbol !== null);
    case "creg":
      return creg(operand.number);
    case "mem": {
      const { base, index, scale, displacement, symbol, size } = operand;
      const none = (register: number) => (register < 0 ? NO_REGISTER : register);
      return mem(size, { base: none(base), index: none(index), scale, displacement, wide: symbol !== null });
    }
    default:
      throw new Error(`${operand.kind} is no operand of an ordinary instruction`);
  }
}

function lengthOf({ jump, bytes, long }: Piece): number {
  if (jump === null) return bytes.length;
  if (!long) return SHORT_JUMP;
  return jump === "jmp" ? 5 : 6;
}

function place(pieces: readonly Piece[], starts: Int32Array, labels: Map<number, number>): void {
  let at = 0;
  for (let i = 0; i < pieces.length; i++) {
    const piece = pieces[i];
    starts[i] = at;
    if (piece.jump === null && piece.label >= 0) labels.set(piece.label, at);
    at += lengthOf(piece);
  }
  starts[pieces.length] = at;
}

function distance(pieces: readonly Piece[], starts: Int32Array, labels: Map<number, number>, i: number): number {
  return (labels.get(pieces[i].label) as number) - starts[i + 1];
}

/** Make long those short jumps that do not reach; whether there were any. */
function lengthen(pieces: readonly Piece[], starts: Int32Array, labels: Map<number, number>): boolean {
  let changed = false;
  for (let i = 0; i < pieces.length; i++) {
    const piece = pieces[i];
    if (piece.jump === null || piece.long) continue;
    const d = distance(pieces, starts, labels, i);
    if (d >= -128 && d <= 127) continue;
    piece.long = true;
    changed = true;
  }
  return changed;
}

function assemble(pieces: readonly Piece[], starts: Int32Array, labels: Map<number, number>): EncodedFunction {
  const bytes = new Uint8Array(starts[pieces.length]);
  const fixups: Fixup[] = [];
  const lines: EncodedFunction["lines"] = [];
  for (let i = 0; i < pieces.length; i++) {
    const piece = pieces[i];
    const start = starts[i];
    if (piece.jump !== null) {
      const d = distance(pieces, starts, labels, i);
      bytes.set(take(piece.jump, [{ kind: "rel", size: piece.long ? 4 : 1, distance: d }], false), start);
    } else bytes.set(piece.bytes, start);
    for (const fixup of piece.fixups) fixups.push({ ...fixup, at: fixup.at + start });
    const last = lines[lines.length - 1];
    if (last !== undefined && last.at === start) last.wasmOffset = piece.offset;
    else if (last?.wasmOffset !== piece.offset) lines.push({ at: start, wasmOffset: piece.offset });
  }
  return { bytes, fixups, labels, lines, starts };
}
