/**
 * From allocated machine code to assembly: registers and frame slots put in, pseudo-operations written out, prologue and
 * epilogue made. Imports mir, emitasm, emitexpansions.
 *
 * The frame, from EBP down: saved EBX, ESI, EDI as used; slot 0, slot 1, …; outgoing stack arguments, which end at ESP.
 */

import { type AsmBlock, type AsmInstruction, type AsmOperand, FIRST_INNER_LABEL, imm, mem, reg } from "./emitasm";
import { EXPANSIONS, type Expander } from "./emitexpansions";
import {
  type Allocation,
  CONDITION_NAMES,
  Condition,
  type Location,
  type MachineFunction,
  type MachineInstruction,
  type Operand,
  Register,
} from "./mir";

/** What the function's frame looks like. */
class Frame {
  readonly saved: readonly number[];
  /** Bytes below the saved registers. */
  readonly bytes: number;

  constructor(allocation: Allocation, machine: MachineFunction) {
    this.saved = savedRegisters(allocation);
    this.bytes = 4 * allocation.slots + machine.outgoingBytes;
  }
}

/** Displacement of a slot from EBP. */
export function slotDisplacement(allocation: Allocation, slot: number): number {
  return -4 * (savedRegisters(allocation).length + 1 + slot);
}

function savedRegisters({ saved }: Allocation): number[] {
  return [Register.EBX, Register.ESI, Register.EDI].filter((register) => (saved >>> register) & 1);
}

/** Write out one function. `tableSize` is the number of entries of the table of functions. */
export function expandFunction(machine: MachineFunction, allocation: Allocation, tableSize: number): AsmBlock[] {
  const frame = new Frame(allocation, machine);
  const expander = new FunctionExpander(allocation, frame, tableSize);
  const blocks = machine.blocks.map(
    (block): AsmBlock => ({
      ...{
        id: block.id,
        code: [],
        end: "jump",
        condition: Condition.E,
        register: 0,
        cases: block.cases,
        successors: [],
      },
      ...{ depth: block.depth, cold: block.cold, endOffset: 0 },
    }),
  );
  for (let b = 0; b < blocks.length; b++) {
    const block = blocks[b];
    block.successors = machine.blocks[b].successors.map((successor) => blocks[successor.id]);
    expander.begin(block);
    for (const item of allocation.blocks[b]) {
      expander.note++;
      if (item.kind === "move") expander.move(item.to, item.from);
      else expander.instruction(item.instruction, item.locations);
    }
    expander.note++;
  }
  return blocks;
}

class FunctionExpander implements Expander {
  private block!: AsmBlock;
  private offset = 0;
  private labels = 0;
  /** The number of the instruction that is being expanded; a block's end has one too. */
  note = -1;

  constructor(
    private readonly allocation: Allocation,
    private readonly frame: Frame,
    readonly tableSize: number,
  ) {}

  begin(block: AsmBlock): void {
    this.block = block;
  }

  emit(mnemonic: string, ...operands: AsmOperand[]): AsmInstruction {
    const instruction = { mnemonic, operands, rep: false, offset: this.offset, note: this.note };
    this.block.code.push(instruction);
    this.block.endOffset = this.offset;
    return instruction;
  }

  newLabel(): AsmOperand {
    return { kind: "label", label: FIRST_INNER_LABEL + this.labels++ };
  }

  private operandAt(location: Location, size: 1 | 2 | 4): AsmOperand {
    return location >= 0 ? reg(location, size) : mem(Register.EBP, slotDisplacement(this.allocation, ~location), size);
  }

  move(to: Location, from: Location): void {
    if (to !== from) this.emit("mov", this.operandAt(to, 4), this.operandAt(from, 4));
  }

  instruction(instruction: MachineInstruction, locations: readonly Location[]): void {
    this.offset = instruction.offset;
    const operands = instruction.operands.map((operand) => this.operand(operand, locations));
    switch (instruction.op) {
      case "copy":
        this.move(locations[0], locations[1]);
        break;
      case "enter":
        this.enter();
        break;
      case "return":
        this.leave();
        break;
      case "jcc":
        this.block.end = "branch";
        this.block.condition = instruction.condition;
        this.block.endOffset = instruction.offset;
        break;
      case "switch":
        this.block.end = "switch";
        this.block.register = locations[0];
        this.block.endOffset = instruction.offset;
        break;
      case "ud2":
        this.emit("ud2");
        this.block.end = "stop";
        break;
      case "setcc":
        this.emit(`set${CONDITION_NAMES[instruction.condition]}`, ...operands);
        break;
      case "call":
        this.emit("call", { kind: "function", symbol: instruction.symbol });
        break;
      default: {
        const expansion = EXPANSIONS.get(instruction.op);
        if (expansion !== undefined) expansion(this, operands);
        else this.emit(instruction.op, ...operands);
      }
    }
  }

  private operand(operand: Operand, locations: readonly Location[]): AsmOperand {
    if (operand.kind === "immediate") return imm(operand.value, operand.symbol);
    if (operand.kind === "register") return this.operandAt(locations[operand.at], operand.size);
    const { base, index, scale, displacement, symbol, size } = operand;
    const at = (position: number) => (position < 0 ? -1 : locations[position]);
    return { kind: "mem", base: at(base), index: at(index), scale, displacement, symbol, size };
  }

  private enter(): void {
    const { frame } = this;
    this.emit("push", reg(Register.EBP));
    this.emit("mov", reg(Register.EBP), reg(Register.ESP));
    for (const register of frame.saved) this.emit("push", reg(register));
    if (frame.bytes > 0) this.emit("sub", reg(Register.ESP), imm(frame.bytes));
  }

  private leave(): void {
    const { frame } = this;
    if (frame.saved.length === 0 && frame.bytes > 0) this.emit("leave");
    else {
      if (frame.bytes > 0) this.emit("add", reg(Register.ESP), imm(frame.bytes));
      for (const register of [...frame.saved].reverse()) this.emit("pop", reg(register));
      this.emit("pop", reg(Register.EBP));
    }
    this.emit("ret");
    this.block.end = "stop";
  }
}
