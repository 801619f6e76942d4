/**
 * The intermediate representation to machine code over virtual registers: the walk over blocks, their ends, and the
 * copies that phis stand for. Critical edges must be split and uses counted. Imports ir, mir, lowercontext, lowervalue,
 * lowercompare.
 *
 * Blocks are taken in reverse, and each block from its end: whatever a value's user folds into itself is never asked for.
 */

import { type Block, End, hasEffect, type IrFunction, Op, type Value } from "./ir";
import { lowerCondition } from "./lowercompare";
import { atRegister, define, LoweringContext, type ModuleLayout, useRegister } from "./lowercontext";
import { lowerValue } from "./lowervalue";
import { FIRST_VIRTUAL, MachineBlock, type MachineFunction, type MachineInstruction, Register } from "./mir";

/** Select machine instructions for a function. */
export function lowerFunction(fn: IrFunction, layout: ModuleLayout): MachineFunction {
  const machine: MachineFunction = {
    ...{ name: fn.name, registerCount: FIRST_VIRTUAL, outgoingBytes: 0, variables: [] },
    blocks: fn.blocks.map((block, i) => {
      const result = new MachineBlock(i);
      result.depth = block.depth;
      result.cold = block.cold;
      return result;
    }),
  };
  const context = new LoweringContext(fn, machine, layout);
  for (let i = fn.blocks.length - 1; i >= 0; i--) {
    const block = fn.blocks[i];
    const target = machine.blocks[i];
    target.successors = block.successors.map((successor) => machine.blocks[successor.order]);
    target.cases = block.cases;
    target.code = lowerBlock(context, block);
  }
  for (const { variable, value } of fn.variables) machine.variables.push({ ...variable, ...context.placeOf(value) });
  return machine;
}

function lowerBlock(context: LoweringContext, block: Block): MachineInstruction[] {
  const reversed: MachineInstruction[] = [];
  const flush = () => {
    for (let i = context.group.length - 1; i >= 0; i--) reversed.push(context.group[i]);
    context.group = [];
  };
  context.begin(block, null, block.endOffset);
  lowerEnd(context, block);
  flush();
  for (let i = block.body.length - 1; i >= 0; i--) {
    const value = block.body[i];
    if (value.op === Op.Param || context.isSunk(value)) continue;
    if (!context.isDemanded(value) && !hasEffect(value)) continue;
    context.begin(block, value, value.offset);
    lowerValue(context, value);
    flush();
  }
  if (block === context.fn.entry) {
    context.begin(block, null, context.fn.offset);
    lowerParameters(context, block);
    flush();
  }
  return reversed.reverse();
}

/** Bring the parameters that are used from where the calling convention has them. */
function lowerParameters(context: LoweringContext, entry: Block): void {
  const inRegisters = [Register.EAX, Register.EDX, Register.ECX];
  const enter = context.emit("enter");
  for (const value of entry.body) {
    if (value.op !== Op.Param || !context.isDemanded(value)) continue;
    const register = inRegisters[value.imm];
    if (register !== undefined) {
      enter.fixedDefs |= 1 << register;
      context.copy(context.registerOf(value), register);
    } else context.emit("mov", define(context.registerOf(value)), atRegister(Register.EBP, 8 + 4 * (value.imm - 3)));
  }
}

function lowerEnd(context: LoweringContext, block: Block): void {
  switch (block.end) {
    case End.Jump:
      lowerPhis(context, block, block.successors[0]);
      break;
    case End.Branch: {
      const condition = lowerCondition(context, block.control as Value);
      context.emit("jcc").condition = condition;
      break;
    }
    case End.Switch:
      context.emit("switch", useRegister(context.register(block.control as Value)));
      break;
    case End.Return: {
      if (block.control !== null) context.moveInto(Register.EAX, block.control);
      context.emit("return").fixedUses = block.control === null ? 0 : 1 << Register.EAX;
      break;
    }
    case End.Trap:
      context.emit("ud2");
      break;
  }
}

/** The parallel copy of an edge, put in an order in which no source is overwritten before it is read. */
function lowerPhis(context: LoweringContext, from: Block, to: Block): void {
  const at = to.preds.indexOf(from);
  const pending: { to: number; from: number }[] = [];
  const constants: { to: number; value: Value }[] = [];
  for (const phi of to.phis) {
    const argument = phi.args[at];
    const target = context.resultOf(phi);
    if (argument.op === Op.Const || argument.op === Op.CString) constants.push({ to: target, value: argument });
    else {
      const source = context.registerOf(argument);
      if (source !== target) pending.push({ to: target, from: source });
    }
  }
  while (pending.length > 0) {
    const free = pending.findIndex((copy) => pending.every((other) => other.from !== copy.to));
    if (free >= 0) {
      const [copy] = pending.splice(free, 1);
      context.copy(copy.to, copy.from);
    } else {
      const temporary = context.newRegister();
      const source = pending[0].from;
      context.copy(temporary, source);
      for (const copy of pending) if (copy.from === source) copy.from = temporary;
    }
  }
  for (const { to: target, value } of constants) context.moveInto(target, value);
}
