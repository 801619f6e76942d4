/**
 * Compiled arithmetic: ADD OR ADC SBB AND SUB XOR CMP TEST, INC DEC NEG NOT, shifts, multiplication and division. What each does
 * to state words is what exec/arith.ts, exec/logic.ts, exec/shift.ts and exec/multiply.ts do, to the last lazy word.
 * May import emitter.ts, conditions.ts, frame.ts, wasm.ts, eflags.ts, operation.ts, registers.ts.
 * Source: Intel SDM volume 2, under each mnemonic.
 */

import { Lazy } from "../eflags";
import type { Operation } from "../operation";
import { Flag, Register } from "../registers";
import { Known } from "./conditions";
import type { Emitter, Shape } from "./emitter";
import { Local } from "./frame";
import { Op } from "./wasm";

/** Emits an instruction with these operands; false: it cannot, and has emitted nothing. */
export type Emit = (e: Emitter, op: Operation, shapes: readonly Shape[]) => boolean;

const SHIFT_LAZY = Flag.SF | Flag.ZF | Flag.PF;
const SHIFT_CLEARED = ~(Flag.CF | Flag.OF | Flag.AF);
const OVERFLOW_BIT = 11;

/** Sets LazyA and LazyB to the two operands. */
function takeOperands(e: Emitter, op: Operation, [first, second]: readonly Shape[]): void {
  e.value(op, first, op.destination);
  e.value(op, second, op.source);
  e.set(Local.LazyB);
  e.set(Local.LazyA);
}

/** Checks the one memory operand that there may be; `write` when the first is written. */
function prepareBoth(e: Emitter, op: Operation, [first, second]: readonly Shape[], write: boolean): void {
  e.prepare(op, first, write);
  e.prepare(op, second, false);
}

function pushOperands(e: Emitter): void {
  e.get(Local.LazyA);
  e.get(Local.LazyB);
}

/** Addition and subtraction; `borrows`: with CF. */
function sum(operation: Op.I32Add | Op.I32Sub, withCarry: boolean, writes: boolean): Emit {
  return (e, op, shapes) => {
    const [first] = shapes;
    prepareBoth(e, op, shapes, writes);
    if (withCarry) {
      e.carry();
      e.set(Local.U);
    }
    takeOperands(e, op, shapes);
    pushOperands(e);
    e.op(operation);
    if (withCarry) {
      e.get(Local.U);
      e.op(operation);
    }
    e.extend(first.size);
    e.set(Local.LazyResult);
    const adds = operation === Op.I32Add;
    const known = adds ? Known.Add : Known.Subtract;
    e.flags(adds ? Lazy.Add : Lazy.Sub, withCarry ? Known.Result : known);
    if (writes) e.write(first, op.destination, Local.LazyResult);
    return true;
  };
}

/** Leaves the flags of a logical operation whose result is in LazyResult. */
function logicalFlags(e: Emitter): void {
  e.get(Local.LazyResult);
  e.set(Local.LazyA);
  e.constant(0);
  e.set(Local.LazyB);
  e.flags(Lazy.Add, Known.Logical);
}

function logical(operation: Op, writes: boolean): Emit {
  return (e, op, shapes) => {
    const [first, second] = shapes;
    prepareBoth(e, op, shapes, writes);
    e.value(op, first, op.destination);
    e.value(op, second, op.source);
    e.op(operation);
    e.set(Local.LazyResult);
    logicalFlags(e);
    if (writes) e.write(first, op.destination, Local.LazyResult);
    return true;
  };
}

/** INC and DEC: CF becomes a plain bit and stays. */
function step(operation: Op.I32Add | Op.I32Sub, lazy: number): Emit {
  return (e, op, [first]) => {
    e.prepare(op, first, true);
    e.carry();
    e.get(Local.Eflags);
    e.with(Op.I32And, ~Flag.CF);
    e.op(Op.I32Or);
    e.set(Local.Eflags);
    e.value(op, first, op.destination);
    e.body.tee(Local.LazyA);
    e.with(operation, 1);
    e.extend(first.size);
    e.set(Local.LazyResult);
    e.constant(1);
    e.set(Local.LazyB);
    e.flags(lazy & ~Flag.CF, Known.Result);
    e.write(first, op.destination, Local.LazyResult);
    return true;
  };
}

const negate: Emit = (e, op, [first]) => {
  e.prepare(op, first, true);
  e.value(op, first, op.destination);
  e.set(Local.LazyB);
  e.constant(0);
  e.body.tee(Local.LazyA);
  e.get(Local.LazyB);
  e.op(Op.I32Sub);
  e.extend(first.size);
  e.set(Local.LazyResult);
  e.flags(Lazy.Sub, Known.Subtract);
  e.write(first, op.destination, Local.LazyResult);
  return true;
};

const not: Emit = (e, op, [first]) => {
  e.prepare(op, first, true);
  e.value(op, first, op.destination);
  e.with(Op.I32Xor, -1);
  e.set(Local.U);
  e.write(first, op.destination, Local.U);
  return true;
};

/** Sets the flags of a shift: LazyResult is set, `carry` pushes a word whose lowest bit is CF, `overflow` one for OF. */
function shiftFlags(e: Emitter, carry: () => void, overflow: (() => void) | null): void {
  e.get(Local.Eflags);
  e.with(Op.I32And, SHIFT_CLEARED);
  carry();
  e.with(Op.I32And, Flag.CF);
  e.op(Op.I32Or);
  if (overflow !== null) {
    overflow();
    e.with(Op.I32Shl, OVERFLOW_BIT);
    e.op(Op.I32Or);
  }
  e.set(Local.Eflags);
  e.flags(SHIFT_LAZY, Known.Result);
}

type ShiftKind = "shl" | "shr" | "sar";

/** The shift of the 32-bit value in T by the count minus 1 that `less` pushes. Leaves the result in LazyResult. */
function shiftBody(e: Emitter, kind: ShiftKind, less: () => void): void {
  const step = kind === "shl" ? Op.I32Shl : kind === "shr" ? Op.I32ShrU : Op.I32ShrS;
  e.get(Local.T);
  less();
  e.op(step);
  e.body.tee(Local.U);
  e.with(step, 1);
  e.set(Local.LazyResult);
  // OF is what a count of 1 would have made it.
  const overflow = (): void => {
    e.get(Local.T);
    if (kind === "shl") {
      e.get(Local.T);
      e.with(Op.I32Shl, 1);
      e.op(Op.I32Xor);
    }
    e.with(Op.I32ShrU, 31);
  };
  const carry = (): void => {
    e.get(Local.U);
    if (kind === "shl") e.with(Op.I32ShrU, 31);
  };
  shiftFlags(e, carry, kind === "sar" ? null : overflow);
}

/** 32-bit shifts by an immediate and by CL. */
function shift(kind: ShiftKind): Emit {
  return (e, op, [first, count]) => {
    if (first.size !== 4) return false;
    if (count.kind === "i") {
      const by = op.immediate & 31;
      if (by === 0) return false;
      e.prepare(op, first, true);
      e.value(op, first, op.destination);
      e.set(Local.T);
      shiftBody(e, kind, () => e.constant(by - 1));
      e.write(first, op.destination, Local.LazyResult);
      return true;
    }
    if (first.kind === "m") return false;
    const { body } = e;
    e.register(Register.ECX);
    e.with(Op.I32And, 31);
    body.tee(Local.V);
    body.if();
    e.value(op, first, op.destination);
    e.set(Local.T);
    shiftBody(e, kind, () => {
      e.get(Local.V);
      e.with(Op.I32Sub, 1);
    });
    e.write(first, op.destination, Local.LazyResult);
    body.end();
    e.known = Known.Nothing;
    return true;
  };
}

/** Sets the flags of a product whose low half is in LazyResult; what is on the stack is 1 when it does not fit there. */
function productFlags(e: Emitter): void {
  e.set(Local.U);
  shiftFlags(
    e,
    () => e.get(Local.U),
    () => e.get(Local.U),
  );
  e.get(Local.Eflags);
  e.with(Op.I32And, ~Flag.ZF);
  e.set(Local.Eflags);
  e.flags(SHIFT_LAZY & ~Flag.ZF, Known.Nothing);
}

/** IMUL with two or three operands of 32 bits. */
const product: Emit = (e, op, [first, second, third]) => {
  if (first.size !== 4) return false;
  e.prepare(op, second, false);
  if (third === undefined) e.value(op, first, op.destination);
  else e.constant(op.immediate);
  e.op(Op.I64ExtendI32S);
  e.value(op, second, op.source);
  e.op(Op.I64ExtendI32S);
  e.op(Op.I64Mul);
  e.body.tee(Local.Wide);
  e.op(Op.I32WrapI64);
  e.body.tee(Local.LazyResult);
  e.op(Op.I64ExtendI32S);
  e.get(Local.Wide);
  e.op(Op.I64Ne);
  productFlags(e);
  e.get(Local.LazyResult);
  e.setRegister(op.destination);
  return true;
};

/** MUL and IMUL of EAX into EDX:EAX. */
function wideProduct(extend: Op): Emit {
  return (e, op, shapes) => {
    const [first] = shapes;
    if (shapes.length > 1) return product(e, op, shapes);
    if (first.size !== 4) return false;
    e.prepare(op, first, false);
    e.value(op, first, op.destination);
    e.op(extend);
    e.register(Register.EAX);
    e.op(extend);
    e.op(Op.I64Mul);
    e.body.tee(Local.Wide);
    e.op(Op.I32WrapI64);
    e.body.tee(Local.LazyResult);
    e.body.tee(Local.Registers + Register.EAX);
    e.op(extend);
    e.get(Local.Wide);
    e.op(Op.I64Ne);
    e.get(Local.Wide);
    e.body.constant64(32);
    e.op(Op.I64ShrU);
    e.op(Op.I32WrapI64);
    e.setRegister(Register.EDX);
    productFlags(e);
    return true;
  };
}

/** Divides Wide by T, which is extended by `extend`, into EAX and EDX. */
function quotientAndRemainder(e: Emitter, extend: Op, quotient: Op, remainder: Op): void {
  for (const operation of [quotient, remainder]) {
    e.get(Local.Wide);
    e.get(Local.T);
    e.op(extend);
    e.op(operation);
    e.op(Op.I32WrapI64);
    e.setRegister(operation === quotient ? Register.EAX : Register.EDX);
  }
}

/** DIV of EDX:EAX. A divisor that is not above EDX faults: the slow way. */
const divide: Emit = (e, op, [first]) => {
  if (first.size !== 4) return false;
  const { body } = e;
  e.prepare(op, first, false);
  e.value(op, first, op.destination);
  body.tee(Local.T);
  e.register(Register.EDX);
  e.op(Op.I32LeU);
  body.branchIf(e.slow);
  e.register(Register.EDX);
  e.op(Op.I64ExtendI32U);
  body.constant64(32);
  e.op(Op.I64Shl);
  e.register(Register.EAX);
  e.op(Op.I64ExtendI32U);
  e.op(Op.I64Or);
  e.set(Local.Wide);
  quotientAndRemainder(e, Op.I64ExtendI32U, Op.I64DivU, Op.I64RemU);
  return true;
};

/** IDIV of a dividend that fits in EAX by neither 0 nor −1; the rest goes the slow way. */
const divideSigned: Emit = (e, op, [first]) => {
  if (first.size !== 4) return false;
  const { body } = e;
  e.prepare(op, first, false);
  e.value(op, first, op.destination);
  body.tee(Local.T);
  e.with(Op.I32Add, 1);
  e.with(Op.I32LeU, 1);
  body.branchIf(e.slow);
  e.register(Register.EAX);
  e.with(Op.I32ShrS, 31);
  e.register(Register.EDX);
  e.op(Op.I32Ne);
  body.branchIf(e.slow);
  e.register(Register.EAX);
  e.op(Op.I64ExtendI32S);
  e.set(Local.Wide);
  quotientAndRemainder(e, Op.I64ExtendI32S, Op.I64DivS, Op.I64RemS);
  return true;
};

/** By mnemonic. */
export const ARITHMETIC_EMITTERS: Readonly<Record<string, Emit>> = {
  add: sum(Op.I32Add, false, true),
  adc: sum(Op.I32Add, true, true),
  sub: sum(Op.I32Sub, false, true),
  sbb: sum(Op.I32Sub, true, true),
  cmp: sum(Op.I32Sub, false, false),
  or: logical(Op.I32Or, true),
  and: logical(Op.I32And, true),
  xor: logical(Op.I32Xor, true),
  test: logical(Op.I32And, false),
  inc: step(Op.I32Add, Lazy.Add),
  dec: step(Op.I32Sub, Lazy.Sub),
  neg: negate,
  not,
  shl: shift("shl"),
  shr: shift("shr"),
  sar: shift("sar"),
  mul: wideProduct(Op.I64ExtendI32U),
  imul: wideProduct(Op.I64ExtendI32S),
  div: divide,
  idiv: divideSigned,
};
