/**
 * What all of lowering shares: virtual registers of values, addressing modes, which loads may be done by their user, and
 * the making of machine instructions. Lowering walks each block backwards, so that a value is known to be needed (some
 * later instruction asked for its register) when its own turn comes. Imports ir, mir.
 *
 * A value's `colour` is the number of memory writes before it in its block. A load may sink into its only user when the
 * user's instruction is emitted at the same colour in the same block: nothing between the two writes memory.
 */

import { Access, type Block, type IrFunction, Op, resolve, type Value, writesMemory } from "./ir";
import { IrLiveness } from "./irliveness";
import { type MachineFunction, MachineInstruction, type Operand, Role } from "./mir";

/** How lowering names what lies outside the function. */
export interface ModuleLayout {
  /** Where a wasm global is. */
  global(index: number): SymbolReference;
  /** Where an ASCIIZ copy of a text is. */
  string(text: string): SymbolReference;
  /** The symbol that calls of a function go to. */
  callee(index: number): string;
  /** The function at an entry of the table of functions, or -1. */
  tableEntry(index: number): number;
}

export interface SymbolReference {
  symbol: string;
  addend: number;
}

/** An operand before it is part of an instruction. */
export type Spec =
  | { kind: "register"; register: number; role: number; size: 1 | 2 | 4 }
  | { kind: "immediate"; value: number; symbol: string | null }
  | MemorySpec;

/** A memory operand by register numbers; -1 is none. */
export interface MemorySpec {
  kind: "memory";
  base: number;
  index: number;
  scale: number;
  displacement: number;
  symbol: string | null;
  size: 1 | 2 | 4;
}

/** Register operand that is read. A frame slot may stand for it where the instruction has no memory operand. */
export function use(register: number, size: 1 | 2 | 4 = 4): Spec {
  return { kind: "register", register, role: Role.Use | Role.Memory | (size === 1 ? Role.Byte : 0), size };
}

/** Register operand that must be a register. */
export function useRegister(register: number): Spec {
  return { kind: "register", register, role: Role.Use, size: 4 };
}

/** Register operand that is written and must be a register. */
export function define(register: number): Spec {
  return { kind: "register", register, role: Role.Def, size: 4 };
}

/** Register operand that is read and written; a frame slot will do. */
export function update(register: number): Spec {
  return { kind: "register", register, role: Role.Use | Role.Def | Role.Memory, size: 4 };
}

export function immediate(value: number): Spec {
  return { kind: "immediate", value: value | 0, symbol: null };
}

/** Memory at a symbol. */
export function atSymbol({ symbol, addend }: SymbolReference, size: 1 | 2 | 4 = 4): MemorySpec {
  return { kind: "memory", base: -1, index: -1, scale: 0, displacement: addend, symbol, size };
}

/** Memory at a register plus a displacement. */
export function atRegister(base: number, displacement: number, size: 1 | 2 | 4 = 4): MemorySpec {
  return { kind: "memory", base, index: -1, scale: 0, displacement, symbol: null, size };
}

export class LoweringContext {
  /** The block being lowered, and the colour of the instruction being lowered. */
  block: Block;
  colour = 0;
  /** The instructions of the value being lowered, in order. */
  group: MachineInstruction[] = [];
  private readonly registers: Int32Array;
  private readonly colours: Int32Array;
  private readonly sunk: Uint8Array;
  private readonly liveness: IrLiveness;
  /** Values whose register was asked for in this block, thus by something later in it. */
  private usedHere = new Set<Value>();
  private offset = 0;

  constructor(
    readonly fn: IrFunction,
    readonly machine: MachineFunction,
    readonly layout: ModuleLayout,
  ) {
    this.registers = new Int32Array(fn.valueCount).fill(-1);
    this.colours = new Int32Array(fn.valueCount);
    this.sunk = new Uint8Array(fn.valueCount);
    this.block = fn.entry;
    this.liveness = new IrLiveness(fn);
    for (const block of fn.blocks) {
      let colour = 0;
      for (const value of block.body) {
        this.colours[value.id] = colour;
        if (writesMemory(value)) colour++;
      }
    }
  }

  /** Begin the instructions of a value or block end; `at` is null for the end. */
  begin(block: Block, at: Value | null, offset: number): void {
    if (block !== this.block) this.usedHere = new Set();
    this.block = block;
    this.offset = offset;
    if (at !== null) this.colour = this.colours[at.id];
    else {
      const last = block.body[block.body.length - 1];
      this.colour = last === undefined ? 0 : this.colours[last.id] + Number(writesMemory(last));
    }
  }

  newRegister(): number {
    return this.machine.registerCount++;
  }

  /** Whether something emitted so far, thus later in the program or in another block, needs the value in a register. */
  isDemanded(value: Value): boolean {
    return this.registers[value.id] >= 0;
  }

  /** Whether something after the instruction being lowered reads the value's register. */
  isLiveAfter(value: Value): boolean {
    return this.usedHere.has(value) || this.liveness.isLiveOut(this.block, value);
  }

  /** Once all is lowered: where a value of the source went, if anywhere. */
  placeOf(value: Value | undefined): { register: number; constant: number | undefined } {
    const end = value === undefined ? undefined : resolve(value);
    if (end?.op === Op.Const) return { register: -1, constant: end.imm };
    return { register: end === undefined ? -1 : (this.registers[end.id] ?? -1), constant: undefined };
  }

  isSunk(value: Value): boolean {
    return this.sunk[value.id] === 1;
  }

  /** The virtual register of a value that is no constant; asking makes the value needed. */
  registerOf(value: Value): number {
    this.usedHere.add(value);
    return this.resultOf(value);
  }

  /** The virtual register of a value that is written here, and not read. */
  resultOf(value: Value): number {
    let register = this.registers[value.id];
    if (register < 0) {
      register = this.newRegister();
      this.registers[value.id] = register;
    }
    return register;
  }

  /** A register that holds the value here; constants are made on the spot. */
  register(value: Value): number {
    if (value.op !== Op.Const && value.op !== Op.CString) return this.registerOf(value);
    const register = this.newRegister();
    this.emit("mov", define(register), this.immediateOf(value));
    return register;
  }

  /** A constant or the address of a string as an immediate. */
  immediateOf(value: Value): { kind: "immediate"; value: number; symbol: string | null } {
    if (value.op === Op.Const) return { kind: "immediate", value: value.imm, symbol: null };
    const { symbol, addend } = this.layout.string(value.name);
    return { kind: "immediate", value: addend, symbol };
  }

  /** Bring a value into a given register, virtual or physical. */
  moveInto(register: number, value: Value): void {
    if (value.op === Op.Const || value.op === Op.CString) {
      this.emit("mov", { kind: "register", register, role: Role.Def | Role.Memory, size: 4 }, this.immediateOf(value));
    } else this.copy(register, this.registerOf(value));
  }

  copy(to: number, from: number): void {
    this.emit("copy", { kind: "register", register: to, role: Role.Def | Role.Memory, size: 4 }, use(from));
  }

  /** Append an instruction to the group. */
  emit(op: string, ...specs: Spec[]): MachineInstruction {
    const instruction = new MachineInstruction(op, this.offset);
    let memory = false;
    for (const spec of specs) {
      if (spec.kind === "memory") memory = true;
      instruction.operands.push(operandOf(instruction, spec));
    }
    if (memory) instruction.roles = instruction.roles.map((role) => role & ~Role.Memory);
    this.group.push(instruction);
    return instruction;
  }

  /** Whether the only user, lowered here and now, may read memory itself instead of a register. */
  canSink(value: Value): boolean {
    if (value.op !== Op.GlobalGet && (value.op !== Op.Load || value.atomic)) return false;
    return (
      value.uses === 1 &&
      value.block === this.block &&
      !this.isDemanded(value) &&
      this.colours[value.id] === this.colour
    );
  }

  /** Say that a load is done by the instruction being made. */
  markSunk(load: Value): void {
    this.sunk[load.id] = 1;
  }

  /** The memory operand of a load that is sunk into the instruction being made. */
  sink(load: Value, size: 1 | 2 | 4): MemorySpec {
    this.markSunk(load);
    return load.op === Op.GlobalGet
      ? atSymbol(this.layout.global(load.imm))
      : this.address(load.args[0], load.imm, size);
  }

  /** A 32-bit source operand: memory where it can be, an immediate, or a register. */
  source(value: Value): Spec {
    if (value.op === Op.Const || value.op === Op.CString) return this.immediateOf(value);
    if (this.isWord(value) && this.canSink(value)) return this.sink(value, 4);
    return use(this.registerOf(value));
  }

  /** Like source, but never an immediate. */
  registerOrMemory(value: Value): Spec {
    return value.op === Op.Const || value.op === Op.CString ? use(this.register(value)) : this.source(value);
  }

  /** Reads 32 bits of memory: no extension is lost when its user reads the memory. */
  isWord(value: Value): boolean {
    return value.op === Op.GlobalGet || (value.op === Op.Load && value.access === Access.Word);
  }

  /** The memory operand for an address and a constant offset. */
  address(value: Value, offset: number, size: 1 | 2 | 4): MemorySpec {
    const result = atRegister(-1, offset, size);
    const root = this.peel(value, result);
    if (root.op === Op.Const) result.displacement = (result.displacement + root.imm) | 0;
    else if (root.op === Op.CString) {
      const { symbol, addend } = this.layout.string(root.name);
      result.symbol = symbol;
      result.displacement = (result.displacement + addend) | 0;
    } else if (root.op === Op.Add && this.mayFold(root)) {
      this.indexed(result, this.peel(root.args[0], result), this.peel(root.args[1], result));
    } else if (this.isScaled(root)) {
      result.index = this.registerOf(root.args[0]);
      result.scale = root.args[1].imm & 31;
    } else result.base = this.register(root);
    return result;
  }

  /** The sum of two values as a memory operand, for LEA. */
  sum(left: Value, right: Value): MemorySpec {
    const result = atRegister(-1, 0);
    this.indexed(result, this.peel(left, result), this.peel(right, result));
    return result;
  }

  /** Take constant addends of a value into the displacement; what remains is returned. */
  private peel(value: Value, into: MemorySpec): Value {
    let v = value;
    while (v.op === Op.Add && v.args[1].op === Op.Const) {
      if (this.isDemanded(v) && !this.isLiveAfter(v.args[0]) && v.args[0].op !== Op.Const) break;
      into.displacement = (into.displacement + v.args[1].imm) | 0;
      v = v.args[0];
    }
    return v;
  }

  private indexed(result: MemorySpec, left: Value, right: Value): void {
    const [base, index] = this.isScaled(left) ? [right, left] : [left, right];
    result.base = this.register(base);
    if (this.isScaled(index)) {
      result.index = this.registerOf(index.args[0]);
      result.scale = index.args[1].imm & 31;
    } else result.index = this.register(index);
  }

  /** A shift that an addressing mode can do. */
  private isScaled(value: Value): boolean {
    if (value.op !== Op.Shl || value.args[1].op !== Op.Const || value.args[0].op === Op.Const) return false;
    const shift = value.args[1].imm & 31;
    if (shift < 1 || shift > 3) return false;
    return this.mayFold(value) || (value.block === this.block && !this.isDemanded(value));
  }

  /** Whether repeating the operation inside an addressing mode beats having its result in a register. */
  private mayFold(value: Value): boolean {
    if (this.isDemanded(value) || (value.block as Block).depth < this.block.depth) return false;
    return value.uses === 1 || (value.uses === 2 && value.block === this.block);
  }
}

function operandOf(instruction: MachineInstruction, spec: Spec): Operand {
  const { registers, roles } = instruction;
  if (spec.kind === "immediate") return spec;
  if (spec.kind === "register") {
    registers.push(spec.register);
    roles.push(spec.role);
    return { kind: "register", at: registers.length - 1, size: spec.size };
  }
  const position = (register: number) => {
    if (register < 0) return -1;
    registers.push(register);
    roles.push(Role.Use);
    return registers.length - 1;
  };
  return { ...spec, base: position(spec.base), index: position(spec.index) };
}
