/**
 * Calls, intrinsics, and block copies: instructions whose operands must be in certain registers. Arguments are copied into
 * place right before the instruction, stack arguments first. Imports ir, mir, intrinsics, lowercontext.
 * Convention: arguments 1 to 3 in EAX EDX ECX, the others at [ESP] and up when the call executes; result in EAX.
 */

import { ANY, INTRINSICS, type Intrinsic, STACK } from "./intrinsics";
import { Op, type Value } from "./ir";
import { atRegister, define, immediate, type LoweringContext, update, use, useRegister } from "./lowercontext";
import { CALL_CLOBBERS, type MachineInstruction, Register } from "./mir";

const ARGUMENTS = [Register.EAX, Register.EDX, Register.ECX];

/** A call of a function that is known. */
export function lowerCall(context: LoweringContext, value: Value): void {
  const registers = passArguments(context, value.args);
  const call = context.emit("call");
  call.symbol = context.layout.callee(value.imm);
  finishCall(context, value, call, registers);
}

/** A call through the table of functions. */
export function lowerCallIndirect(context: LoweringContext, value: Value): void {
  const [index, ...args] = value.args;
  const target = index.op === Op.Const ? context.layout.tableEntry(index.imm) : -1;
  if (target >= 0) {
    const registers = passArguments(context, args);
    const call = context.emit("call");
    call.symbol = context.layout.callee(target);
    finishCall(context, value, call, registers);
    return;
  }
  const register = context.register(index);
  const registers = passArguments(context, args);
  finishCall(context, value, context.emit("callTable", useRegister(register)), registers);
}

/** Put arguments where the callee finds them; the mask of the registers used. */
function passArguments(context: LoweringContext, args: readonly Value[]): number {
  for (let i = 3; i < args.length; i++) storeOutgoing(context, args[i], 4 * (i - 3));
  let mask = 0;
  for (let i = Math.min(args.length, 3) - 1; i >= 0; i--) {
    context.moveInto(ARGUMENTS[i], args[i]);
    mask |= 1 << ARGUMENTS[i];
  }
  return mask;
}

function storeOutgoing(context: LoweringContext, value: Value, at: number): void {
  const { machine } = context;
  machine.outgoingBytes = Math.max(machine.outgoingBytes, at + 4);
  const source =
    value.op === Op.Const || value.op === Op.CString ? context.immediateOf(value) : use(context.registerOf(value));
  context.emit("mov", atRegister(Register.ESP, at), source);
}

function finishCall(context: LoweringContext, value: Value, call: MachineInstruction, registers: number): void {
  call.fixedUses = registers;
  call.fixedDefs = CALL_CLOBBERS;
  if (value.hasResult && context.isDemanded(value)) context.copy(context.registerOf(value), Register.EAX);
}

/** An intrinsic, emitted in place. */
export function lowerIntrinsic(context: LoweringContext, value: Value): void {
  const { name, args } = value;
  const intrinsic = INTRINSICS.get(name) as Intrinsic;
  const anywhere: number[] = [];
  let fixed = 0;
  for (let i = 0; i < args.length; i++) {
    const place = intrinsic.arguments[i];
    if (place === ANY) anywhere.push(context.register(args[i]));
    else if (place === STACK) storeOutgoing(context, args[i], 0);
  }
  // A port that fits the instruction needs no EDX.
  const shortPort = /^(in|out)[bwl]$/.test(name) && args[0].op === Op.Const && args[0].imm >>> 0 < 0x100;
  for (let i = 0; i < args.length; i++) {
    const place = intrinsic.arguments[i];
    if (place < 0 || (shortPort && i === 0)) continue;
    context.moveInto(place, args[i]);
    fixed |= 1 << place;
  }
  const wanted = intrinsic.hasResult && context.isDemanded(value);
  const operands = anywhere.map(useRegister);
  if (intrinsic.hasResult && intrinsic.result === ANY) operands.unshift(define(context.registerOf(value)));
  if (shortPort) operands.push(immediate(args[0].imm));
  const instruction = context.emit(name, ...operands);
  instruction.fixedUses = fixed;
  instruction.fixedDefs = intrinsic.clobbers;
  if (!intrinsic.hasResult || intrinsic.result === ANY) return;
  instruction.fixedDefs |= 1 << intrinsic.result;
  if (wanted) context.copy(context.registerOf(value), intrinsic.result);
}

const MOVED = (1 << Register.ESI) | (1 << Register.EDI) | (1 << Register.ECX);

/** memory.copy, which is memmove: `moveWords` copies ECX words, `moveBytes` ECX bytes; both look for overlap. */
export function lowerMemoryCopy(context: LoweringContext, value: Value): void {
  const [destination, source, bytes] = value.args;
  const words = bytes.op === Op.Const && bytes.imm % 4 === 0;
  context.moveInto(Register.EDI, destination);
  context.moveInto(Register.ESI, source);
  if (words) context.emit("mov", define(Register.ECX), immediate(bytes.imm >>> 2));
  else context.moveInto(Register.ECX, bytes);
  const move = context.emit(words ? "moveWords" : "moveBytes");
  move.fixedUses = MOVED;
  move.fixedDefs = MOVED | (1 << Register.EAX);
}

/** memory.fill: `fillWords` stores ECX words, `fillBytes` ECX bytes, of EAX, which holds the byte four times. */
export function lowerMemoryFill(context: LoweringContext, value: Value): void {
  const [destination, byte, bytes] = value.args;
  const words = bytes.op === Op.Const && bytes.imm % 4 === 0;
  let pattern = -1;
  if (byte.op !== Op.Const) {
    const low = context.newRegister();
    const spread = context.newRegister();
    context.copy(low, context.registerOf(byte));
    context.emit("and", update(low), immediate(0xff));
    context.emit("imul", define(spread), useRegister(low), immediate(0x01010101));
    pattern = spread;
  }
  context.moveInto(Register.EDI, destination);
  if (byte.op === Op.Const) {
    context.emit("mov", define(Register.EAX), immediate(Math.imul(byte.imm & 0xff, 0x01010101)));
  } else context.copy(Register.EAX, pattern);
  if (words) context.emit("mov", define(Register.ECX), immediate(bytes.imm >>> 2));
  else context.moveInto(Register.ECX, bytes);
  const fill = context.emit(words ? "fillWords" : "fillBytes");
  fill.fixedUses = (1 << Register.EAX) | (1 << Register.ECX) | (1 << Register.EDI);
  fill.fixedDefs = (1 << Register.ECX) | (1 << Register.EDI) | (words ? 0 : 1 << Register.EDX);
}
