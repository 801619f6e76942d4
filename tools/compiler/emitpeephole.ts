/**
 * Small improvements of allocated code, block by block. Forwards: what is in a frame slot and also in a register is not
 * read again. Backwards, knowing which registers and flags are still needed: moves that nobody needs go; a copy and an
 * addition become LEA; load, operate, store becomes one instruction; a TEST goes where the flags are there already; short
 * forms are taken. Imports emitasm, emiteffects, mir.
 *
 * Frame slots are memory below EBP, which nothing but the function's own [EBP - n] operands can reach.
 */

import { type AsmBlock, type AsmInstruction, type AsmMemory, type AsmOperand, imm, mem } from "./emitasm";
import { effectsOf, liveAtEnds } from "./emiteffects";
import { Condition, Register } from "./mir";

/** Improve all blocks of a function in place. */
export function improve(blocks: readonly AsmBlock[]): void {
  for (const block of blocks) reuseSlots(block);
  const live = liveAtEnds(blocks);
  for (const block of blocks) new Backward(block, live.get(block) as number).run();
}

function isSlot(operand: AsmOperand | undefined): operand is AsmMemory {
  return operand?.kind === "mem" && operand.base === Register.EBP && operand.index < 0 && operand.displacement < 0;
}

function sameOperand(a: AsmOperand, b: AsmOperand): boolean {
  if (a.kind === "mem" && b.kind === "mem") {
    return (
      a.base === b.base &&
      a.index === b.index &&
      a.scale === b.scale &&
      a.displacement === b.displacement &&
      a.symbol === b.symbol &&
      a.size === b.size
    );
  }
  return a.kind === "reg" && b.kind === "reg" && a.number === b.number && a.size === b.size;
}

function mentions(operand: AsmOperand, register: number): boolean {
  if (operand.kind === "reg") return operand.number === register;
  return operand.kind === "mem" && (operand.base === register || operand.index === register);
}

/** Follow which registers hold what a slot holds, and read those instead. */
function reuseSlots(block: AsmBlock): void {
  /** Slot displacement to register. */
  const held = new Map<number, number>();
  const kept: AsmInstruction[] = [];
  for (const instruction of block.code) {
    const { mnemonic, operands } = instruction;
    if (mnemonic === "label") held.clear();
    const [to, from] = operands;
    if (mnemonic === "mov" && isSlot(to) && from.kind === "reg" && held.get(to.displacement) === from.number) continue;
    if (mnemonic === "mov" && isSlot(from) && to.kind === "reg" && held.get(from.displacement) === to.number) continue;
    replaceSlot(instruction, held);
    kept.push(instruction);
    const { writes } = effectsOf(instruction);
    const forgets = isKnown(instruction) ? writes : 0xff;
    for (const [slot, register] of held) if ((forgets >>> register) & 1) held.delete(slot);
    if (isSlot(to) && mnemonic !== "cmp" && mnemonic !== "test" && mnemonic !== "push") {
      held.delete(to.displacement);
      if (mnemonic === "mov" && from.kind === "reg" && from.size === 4) held.set(to.displacement, from.number);
    } else if (mnemonic === "mov" && isSlot(operands[1]) && to.kind === "reg" && to.size === 4) {
      held.set(operands[1].displacement, to.number);
    }
  }
  block.code = kept;
}

/** Whether effectsOf tells all that an instruction writes. */
function isKnown(instruction: AsmInstruction): boolean {
  return effectsOf(instruction).reads !== 0xff;
}

/** Put the register in the place of a slot that is only read. */
function replaceSlot(instruction: AsmInstruction, held: ReadonlyMap<number, number>): void {
  const { mnemonic, operands } = instruction;
  const readsFirst = mnemonic === "cmp" || mnemonic === "test" || mnemonic === "push";
  for (let k = readsFirst ? 0 : 1; k < operands.length; k++) {
    const operand = operands[k];
    if (!isSlot(operand)) continue;
    const register = held.get(operand.displacement);
    if (register === undefined || (operand.size === 1 && register > Register.EBX)) continue;
    operands[k] = { kind: "reg", number: register, size: operand.size as 1 | 2 | 4 };
  }
}

const SIGN_AND_ZERO = new Set<Condition>([Condition.E, Condition.NE, Condition.S, Condition.NS]);
const LOGIC = new Set(["and", "or", "xor"]);
/** By a constant, which is never 0. */
const SHIFTS = new Set(["shl", "shr", "sar"]);
/** Operations that can be done on memory, and whose flags tell of the result. */
const ON_MEMORY = new Set(["add", "sub", "and", "or", "xor", "inc", "dec", "neg"]);

class Backward {
  /** The improved instructions, last first. */
  private readonly done: AsmInstruction[] = [];
  private flagsLive: boolean;

  constructor(
    private readonly block: AsmBlock,
    private live: number,
  ) {
    this.flagsLive = block.end === "branch";
  }

  run(): void {
    const { code } = this.block;
    for (let i = code.length - 1; i >= 0; i--) {
      const instruction = code[i];
      if (this.isUseless(instruction)) continue;
      if (this.testIsRedundant(i)) continue;
      const start = this.fuseUpdate(i);
      if (start >= 0) {
        i = start;
        continue;
      }
      if (this.fuseLea(i)) i--;
      else this.push(shorten(instruction, this.flagsLive));
    }
    this.block.code = this.done.reverse();
  }

  private push(instruction: AsmInstruction): void {
    this.done.push(instruction);
    const { reads, writes, readsFlags, writesFlags } = effectsOf(instruction);
    this.live = (this.live & ~writes) | reads;
    if (writesFlags) this.flagsLive = false;
    if (readsFlags) this.flagsLive = true;
  }

  private isLive(register: number): boolean {
    return ((this.live >>> register) & 1) === 1;
  }

  /** A move between registers, of a constant or from a slot, whose result nobody reads; or onto itself. */
  private isUseless({ mnemonic, operands }: AsmInstruction): boolean {
    const [to, from] = operands;
    if ((mnemonic !== "mov" && mnemonic !== "lea") || to.kind !== "reg" || to.size !== 4) return false;
    if (mnemonic === "mov" && sameOperand(to, from)) return true;
    if (this.isLive(to.number)) return false;
    return mnemonic === "lea" || from.kind === "reg" || from.kind === "imm" || isSlot(from);
  }

  /** TEST r, r right after (moves aside) an operation that left the flags of r. */
  private testIsRedundant(at: number): boolean {
    const { code, end, condition } = this.block;
    const { mnemonic, operands } = code[at];
    if (mnemonic !== "test" || operands[0].kind !== "reg" || !sameOperand(operands[0], operands[1])) return false;
    // The only reader of the flags must be the branch at the end.
    if (end !== "branch" || this.done.some((later) => effectsOf(later).readsFlags)) return false;
    const register = operands[0].number;
    for (let i = at - 1; i >= 0; i--) {
      const earlier = code[i];
      const { writes, writesFlags, changesFlags } = effectsOf(earlier);
      if (!isKnown(earlier) || changesFlags !== writesFlags) return false;
      if (writesFlags) {
        const [target] = earlier.operands;
        if (target?.kind !== "reg" || target.number !== register || target.size !== 4) return false;
        if (LOGIC.has(earlier.mnemonic)) return true;
        return (ON_MEMORY.has(earlier.mnemonic) || SHIFTS.has(earlier.mnemonic)) && SIGN_AND_ZERO.has(condition);
      }
      if ((writes >>> register) & 1) return this.leaSetsFlags(i, register);
    }
    return false;
  }

  /** An addition written as LEA r, [r + constant] can be an ADD, whose flags then serve. */
  private leaSetsFlags(at: number, register: number): boolean {
    const instruction = this.block.code[at];
    const [, from] = instruction.operands;
    if (instruction.mnemonic !== "lea" || !SIGN_AND_ZERO.has(this.block.condition) || from.kind !== "mem") return false;
    if (from.base !== register || from.index >= 0 || from.symbol !== null) return false;
    instruction.mnemonic = "add";
    instruction.operands = [instruction.operands[0], imm(from.displacement)];
    return true;
  }

  /**
   * mov r, [m]; op r, x; mov [m], r, and r not needed any more: op [m], x. With a TEST of r in between or behind, that
   * the operation's own flags make needless. Returns where the load was, or -1.
   */
  private fuseUpdate(at: number): number {
    const { code } = this.block;
    const store = code[at];
    const [target, value] = store.operands;
    if (store.mnemonic !== "mov" || target?.kind !== "mem" || value.kind !== "reg" || at < 2) return -1;
    if (value.size !== 4 || this.isLive(value.number) || mentions(target, value.number)) return -1;
    const operation = code[at - 1];
    const load = code[at - 2];
    // Of an LEA would become an ADD, which changes flags.
    if (operation.mnemonic === "lea" && this.flagsLive) return -1;
    if (load.mnemonic !== "mov" || load.operands[0].kind !== "reg" || load.operands[0].number !== value.number)
      return -1;
    if (!sameOperand(load.operands[1], target)) return -1;
    const fused = onMemory(operation, value.number, target);
    if (fused === null) return -1;
    this.push(shorten(fused, this.flagsLive));
    return at - 2;
  }

  /** mov d, x; add d, y: one LEA, when the flags are not needed. Handles the two instructions that end at `at`. */
  private fuseLea(at: number): boolean {
    if (this.flagsLive || at === 0) return false;
    const operation = this.block.code[at];
    const move = this.block.code[at - 1];
    const [target, source] = move.operands;
    if (move.mnemonic !== "mov" || target.kind !== "reg" || source.kind !== "reg" || target.size !== 4) return false;
    if (target.number === source.number) return false;
    const sum = asSum(operation, target.number, source.number);
    if (sum === null) return false;
    this.push({ ...operation, mnemonic: "lea", operands: [target, sum] });
    return true;
  }
}

/** The operation applied to memory instead of the register, or null when it has no such form. */
function onMemory(operation: AsmInstruction, register: number, target: AsmMemory): AsmInstruction | null {
  const { mnemonic, operands } = operation;
  const [to, from] = operands;
  if (to?.kind !== "reg" || to.number !== register || to.size !== 4) return null;
  if (mnemonic === "lea") {
    if (from.kind !== "mem" || from.base !== register || from.index >= 0 || from.symbol !== null) return null;
    return { ...operation, mnemonic: "add", operands: [target, imm(from.displacement)] };
  }
  if (!ON_MEMORY.has(mnemonic)) return null;
  if (from !== undefined && (from.kind === "mem" || mentions(from, register))) return null;
  return { ...operation, operands: from === undefined ? [target] : [target, from] };
}

/** What `operation` makes of `target`, which holds what `source` holds, as an address; or null. */
function asSum({ mnemonic, operands }: AsmInstruction, target: number, source: number): AsmMemory | null {
  const [to, from] = operands;
  if (to?.kind !== "reg" || to.number !== target || to.size !== 4) return null;
  if (mnemonic === "inc") return mem(source, 1);
  if (mnemonic === "dec") return mem(source, -1);
  if (from?.kind === "imm") {
    if (from.symbol !== null) return null;
    if (mnemonic === "add") return mem(source, from.value);
    if (mnemonic === "sub") return mem(source, -from.value | 0);
    if (mnemonic === "shl" && from.value === 1) return { ...mem(source, 0), index: source };
    if (mnemonic === "shl" && from.value <= 3) return { ...mem(-1, 0), index: source, scale: from.value };
    return null;
  }
  if (mnemonic !== "add" || from?.kind !== "reg") return null;
  return { ...mem(source, 0), index: from.number === target ? source : from.number };
}

/** A shorter instruction to the same effect. */
function shorten(instruction: AsmInstruction, flagsLive: boolean): AsmInstruction {
  const { mnemonic, operands } = instruction;
  const [to, from] = operands;
  const replace = (name: string, ...list: AsmOperand[]) => ({ ...instruction, mnemonic: name, operands: list });
  if (mnemonic === "cmp" && to.kind === "reg" && from.kind === "imm" && from.value === 0 && from.symbol === null) {
    return replace("test", to, to);
  }
  if (mnemonic === "lea" && to.kind === "reg" && from.kind === "mem" && from.symbol === null) {
    return shortenLea(replace, to, from, flagsLive) ?? instruction;
  }
  if ((mnemonic === "add" || mnemonic === "sub") && from.kind === "imm" && from.symbol === null) {
    const amount = mnemonic === "add" ? from.value : -from.value;
    // INC and DEC keep CF, which no condition after an addition asks for.
    if (amount === 1) return replace("inc", to);
    if (amount === -1) return replace("dec", to);
  }
  if (mnemonic === "mov" && to.kind === "reg" && to.size === 4 && from.kind === "imm" && !flagsLive) {
    if (from.value === 0 && from.symbol === null) return replace("xor", to, to);
  }
  return instruction;
}

function shortenLea(
  replace: (name: string, ...list: AsmOperand[]) => AsmInstruction,
  to: AsmOperand & { kind: "reg" },
  { base, index, scale, displacement }: AsmMemory,
  flagsLive: boolean,
): AsmInstruction | null {
  if (index < 0 && base >= 0 && displacement === 0) return replace("mov", to, { ...to, number: base });
  if (flagsLive) return null;
  if (base === to.number && index < 0) {
    if (displacement === 1) return replace("inc", to);
    if (displacement === -1) return replace("dec", to);
    return replace("add", to, imm(displacement));
  }
  if (displacement === 0 && scale === 0 && base >= 0 && index >= 0) {
    if (base === to.number) return replace("add", to, { ...to, number: index });
    if (index === to.number) return replace("add", to, { ...to, number: base });
  }
  return null;
}
