/**
 * Compiled moves: MOV MOVZX MOVSX LEA XCHG BSWAP CDQ CWDE SETcc, PUSH POP PUSHA POPA LEAVE, and the flags that are set
 * outright. The same as exec/mov.ts, exec/stack.ts, exec/bits.ts and exec/flags.ts on flat 32-bit segments.
 * May import emitter.ts, arithmetic.ts (the type), conditions.ts, frame.ts, wasm.ts, isa.ts, operation.ts, registers.ts.
 * Source: Intel SDM volume 2, under each mnemonic.
 */

import { CONDITIONS } from "../isa";
import type { Operation } from "../operation";
import { Flag, Register } from "../registers";
import type { Emit } from "./arithmetic";
import { Known } from "./conditions";
import type { Emitter } from "./emitter";
import { Local } from "./frame";
import { Op } from "./wasm";

const ESP = Register.ESP;

const move: Emit = (e, op, [first, second]) => {
  e.prepare(op, second, false);
  if (first.kind === "m") {
    e.prepare(op, first, true);
    e.store(first.size, () => {
      if (second.kind === "r") e.view(first.size, op.source, true);
      else e.value(op, second, op.source);
    });
    return true;
  }
  e.value(op, second, op.source);
  e.setView(first.size, op.destination);
  return true;
};

/** MOVZX and MOVSX. */
function extending(unsigned: boolean): Emit {
  return (e, op, [first, second]) => {
    e.prepare(op, second, false);
    if (second.kind === "r") e.view(second.size, op.source, unsigned);
    else if (unsigned) e.loadUnsigned(second.size);
    else e.load(second.size);
    e.setView(first.size, op.destination);
    return true;
  };
}

const loadAddress: Emit = (e, op, [first]) => {
  e.effectiveAddress(op);
  e.setView(first.size, op.destination);
  return true;
};

const exchange: Emit = (e, op, [first, second]) => {
  e.prepare(op, first, true);
  e.value(op, first, op.destination);
  e.value(op, second, op.source);
  e.set(Local.U);
  e.set(Local.V);
  e.write(first, op.destination, Local.U);
  e.write(second, op.source, Local.V);
  return true;
};

const swapBytes: Emit = (e, op, [first]) => {
  if (first.size !== 4) return false;
  for (const [rotation, mask] of [
    [8, 0x00ff00ff],
    [24, 0xff00ff00 | 0],
  ]) {
    e.register(op.destination);
    e.with(Op.I32Rotl, rotation);
    e.with(Op.I32And, mask);
  }
  e.op(Op.I32Or);
  e.setRegister(op.destination);
  return true;
};

/** Checks the stack for writing `bytes` below ESP; their lowest is then at Host. */
export function preparePush(e: Emitter, bytes: number, host: Local = Local.Host): void {
  e.register(ESP);
  e.with(Op.I32Sub, bytes);
  e.checkWrite(bytes, host);
}

/** Checks the stack for reading `bytes` at ESP. */
export function preparePop(e: Emitter, bytes: number): void {
  e.register(ESP);
  e.checkRead(bytes);
}

export function moveStack(e: Emitter, bytes: number): void {
  e.register(ESP);
  e.with(Op.I32Add, bytes);
  e.setRegister(ESP);
}

const push: Emit = (e, op, [first]) => {
  if (op.operandSize !== 4) return false;
  e.prepare(op, first, false);
  e.register(ESP);
  e.with(Op.I32Sub, 4);
  // Of a segment register's four bytes two are written.
  const bytes = first.kind === "s" ? 2 : 4;
  e.checkWrite(bytes, Local.Host2);
  e.store(bytes, () => e.value(op, first, op.destination), Local.Host2);
  moveStack(e, -4);
  return true;
};

const pop: Emit = (e, op, [first]) => {
  if (first.kind !== "r" || op.operandSize !== 4) return false;
  preparePop(e, 4);
  e.load(4);
  // The value goes to ESP last when that is the destination.
  moveStack(e, 4);
  e.setRegister(op.destination);
  return true;
};

const pushAll: Emit = (e) => {
  // The first push's fault before that of the others.
  preparePush(e, 4);
  preparePush(e, 32);
  for (let register = 0; register < 8; register++) {
    e.store(4, () => e.register(register), Local.Host, 28 - 4 * register);
  }
  moveStack(e, -32);
  return true;
};

const popAll: Emit = (e) => {
  preparePop(e, 32);
  for (let register = 0; register < 8; register++) {
    if (register === ESP) continue;
    e.load(4, Local.Host, 28 - 4 * register);
    e.setRegister(register);
  }
  moveStack(e, 32);
  return true;
};

const leave: Emit = (e, op) => {
  if (op.operandSize !== 4) return false;
  e.register(Register.EBP);
  e.checkRead(4);
  e.register(Register.EBP);
  e.with(Op.I32Add, 4);
  e.setRegister(ESP);
  e.load(4);
  e.setRegister(Register.EBP);
  return true;
};

/** CDQ. */
const signIntoEdx: Emit = (e) => {
  e.register(Register.EAX);
  e.with(Op.I32ShrS, 31);
  e.setRegister(Register.EDX);
  return true;
};

/** CWDE. */
const extendAx: Emit = (e) => {
  e.register(Register.EAX);
  e.op(Op.I32Extend16S);
  e.setRegister(Register.EAX);
  return true;
};

function setCondition(code: number): Emit {
  return (e, op, [first]) => {
    e.prepare(op, first, true);
    e.condition(code);
    e.set(Local.U);
    e.write(first, op.destination, Local.U);
    return true;
  };
}

/** CMOVcc: the source is read whether or not it is moved. */
function conditionalMove(code: number): Emit {
  return (e, op, [first, second]) => {
    if (first.size !== 4) return false;
    e.prepare(op, second, false);
    e.value(op, second, op.source);
    e.register(op.destination);
    e.condition(code);
    e.op(Op.Select);
    e.setRegister(op.destination);
    return true;
  };
}

/** CLD and STD: DF is never lazy. */
function direction(set: boolean): Emit {
  return (e) => {
    e.get(Local.Eflags);
    if (set) e.with(Op.I32Or, Flag.DF);
    else e.with(Op.I32And, ~Flag.DF);
    e.set(Local.Eflags);
    return true;
  };
}

/** CLC and STC. */
function setCarry(carry: 0 | 1): Emit {
  return (e) => {
    e.get(Local.Lazy);
    e.with(Op.I32And, ~Flag.CF);
    e.set(Local.Lazy);
    e.get(Local.Eflags);
    e.with(Op.I32And, ~Flag.CF);
    e.with(Op.I32Or, carry);
    e.set(Local.Eflags);
    e.known = Known.Nothing;
    return true;
  };
}

const nothing: Emit = () => true;

/** By mnemonic. */
export const MOVE_EMITTERS: Readonly<Record<string, Emit>> = {
  mov: move,
  movzx: extending(true),
  movsx: extending(false),
  lea: loadAddress,
  xchg: exchange,
  bswap: swapBytes,
  push,
  pop,
  pushad: pushAll,
  popad: popAll,
  leave,
  cdq: signIntoEdx,
  cwde: extendAx,
  cld: direction(false),
  std: direction(true),
  clc: setCarry(0),
  stc: setCarry(1),
  nop: nothing,
  ...Object.fromEntries(CONDITIONS.map((name, code): [string, Emit] => [`set${name}`, setCondition(code)])),
  ...Object.fromEntries(CONDITIONS.map((name, code): [string, Emit] => [`cmov${name}`, conditionalMove(code)])),
};

/** Whether an operation's operands are of the kind that compiled code knows: flat 32-bit memory, if any. */
export function isPlain(op: Operation): boolean {
  return op.checked === 0 && op.addressSize === 4;
}
