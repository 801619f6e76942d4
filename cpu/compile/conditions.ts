/**
 * The flags in compiled code. Lazy flags are what eflags.ts says, in locals; where the region knows which instruction left
 * them, a condition is one comparison of its operands, else a call of a function that every region's module has.
 * May import wasm.ts, frame.ts, eflags.ts and registers.ts.
 *
 * Invariant: known() is called by an emitter exactly when Lazy, LazyA, LazyB and LazyResult are what its kind says; a kind
 * holds until the next known() in the same block.
 */

import { Lazy } from "../eflags";
import { Flag } from "../registers";
import { Callee, Local, Type } from "./frame";
import { Body, type Definition, Op } from "./wasm";

/** What left the lazy flags. */
export const enum Known {
  Nothing = 0,
  /** LazyA - LazyB, without a borrow in. */
  Subtract = 1,
  /** LazyA + LazyB, without a carry in. */
  Add = 2,
  /** A logical operation: CF and OF are clear. */
  Logical = 3,
  /** SF, ZF and PF follow LazyResult; of the others nothing is known. */
  Result = 4,
}

/** Conditions by the upper three bits of their code. */
const enum Test {
  Overflow = 0,
  Carry = 1,
  Zero = 2,
  CarryOrZero = 3,
  Sign = 4,
  Parity = 5,
  Less = 6,
}

function callCondition(body: Body, callee: Callee): void {
  for (const local of [Local.Eflags, Local.Lazy, Local.LazyA, Local.LazyB, Local.LazyResult]) body.get(local);
  body.call(callee);
}

function compareOperands(body: Body, op: Op): void {
  body.get(Local.LazyA);
  body.get(Local.LazyB);
  body.op(op);
}

function compareResult(body: Body, op: Op): void {
  body.get(Local.LazyResult);
  body.constant(0);
  body.op(op);
}

function pushOverflow(body: Body, known: Known): void {
  if (known === Known.Logical) body.constant(0);
  else callCondition(body, Callee.Overflow);
}

/** Pushes CF as 0 or 1. */
export function pushCarry(body: Body, known: Known): void {
  if (known === Known.Subtract) compareOperands(body, Op.I32LtU);
  else if (known === Known.Logical) body.constant(0);
  else if (known === Known.Add) {
    body.get(Local.LazyResult);
    body.get(Local.LazyA);
    body.op(Op.I32LtU);
  } else callCondition(body, Callee.Carry);
}

function pushZero(body: Body, known: Known): void {
  if (known === Known.Nothing) callCondition(body, Callee.Zero);
  else {
    body.get(Local.LazyResult);
    body.op(Op.I32Eqz);
  }
}

function pushCarryOrZero(body: Body, known: Known): void {
  if (known === Known.Subtract) compareOperands(body, Op.I32LeU);
  else if (known === Known.Logical) pushZero(body, known);
  else {
    pushCarry(body, known);
    pushZero(body, known);
    body.op(Op.I32Or);
  }
}

function pushSign(body: Body, known: Known): void {
  if (known === Known.Nothing) callCondition(body, Callee.Sign);
  else compareResult(body, Op.I32LtS);
}

function pushLess(body: Body, known: Known): void {
  if (known === Known.Subtract) compareOperands(body, Op.I32LtS);
  else if (known === Known.Logical) compareResult(body, Op.I32LtS);
  else callCondition(body, Callee.Less);
}

function pushLessOrZero(body: Body, known: Known): void {
  if (known === Known.Subtract) compareOperands(body, Op.I32LeS);
  else if (known === Known.Logical) compareResult(body, Op.I32LeS);
  else {
    pushLess(body, known);
    pushZero(body, known);
    body.op(Op.I32Or);
  }
}

/** Pushes whether condition 0 to 15 (o no b ae z nz be a s ns p np l ge le g) holds. */
export function pushCondition(body: Body, code: number, known: Known): void {
  switch (code >> 1) {
    case Test.Overflow:
      pushOverflow(body, known);
      break;
    case Test.Carry:
      pushCarry(body, known);
      break;
    case Test.Zero:
      pushZero(body, known);
      break;
    case Test.CarryOrZero:
      pushCarryOrZero(body, known);
      break;
    case Test.Sign:
      pushSign(body, known);
      break;
    case Test.Parity:
      callCondition(body, Callee.Parity);
      break;
    case Test.Less:
      pushLess(body, known);
      break;
    default:
      pushLessOrZero(body, known);
  }
  if ((code & 1) !== 0) body.op(Op.I32Eqz);
}

/** Parameters of the functions below. */
const enum Parameter {
  Eflags = 0,
  Lazy = 1,
  A = 2,
  B = 3,
  Result = 4,
}

/**
 * A function of Type.Condition: where `flag` is lazy `lazily` pushes 0 or 1, else the bit in Eflags counts. The same as
 * eflags.ts does on the state words.
 */
function lazyFlag(flag: Flag, lazily: (body: Body) => void): Definition {
  const body = new Body(0, 0);
  body.get(Parameter.Lazy);
  body.constant(flag);
  body.op(Op.I32And);
  body.if();
  lazily(body);
  body.op(Op.Return);
  body.end();
  body.get(Parameter.Eflags);
  body.constant(flag);
  body.op(Op.I32And);
  body.constant(0);
  body.op(Op.I32Ne);
  return { type: Type.Condition, body: body.finish() };
}

/** Pushes Parameter.B, inverted where the flags follow a subtraction. */
function signedB(body: Body): void {
  body.get(Parameter.B);
  body.get(Parameter.B);
  body.constant(-1);
  body.op(Op.I32Xor);
  body.get(Parameter.Lazy);
  body.constant(Lazy.Subtract);
  body.op(Op.I32And);
  body.op(Op.I32Eqz);
  body.op(Op.Select);
}

/** Pushes the top bit of what is on the stack. */
function top(body: Body): void {
  body.constant(31);
  body.op(Op.I32ShrU);
}

/** ((a & b) | ((a | b) & ~result)) >>> 31 after an addition; with ~a, and result as it is, after a subtraction. */
function lazyCarry(body: Body): void {
  const { A, B, Result } = { A: Parameter.A, B: Parameter.B, Result: Parameter.Result };
  body.get(Parameter.Lazy);
  body.constant(Lazy.Subtract);
  body.op(Op.I32And);
  body.if();
  body.get(A);
  body.constant(-1);
  body.op(Op.I32Xor);
  body.set(A);
  body.else();
  body.get(Result);
  body.constant(-1);
  body.op(Op.I32Xor);
  body.set(Result);
  body.end();
  body.get(A);
  body.get(B);
  body.op(Op.I32And);
  body.get(A);
  body.get(B);
  body.op(Op.I32Or);
  body.get(Result);
  body.op(Op.I32And);
  body.op(Op.I32Or);
  top(body);
}

/** ((a ^ result) & (±b ^ result)) < 0. */
function lazyOverflow(body: Body): void {
  body.get(Parameter.A);
  body.get(Parameter.Result);
  body.op(Op.I32Xor);
  signedB(body);
  body.get(Parameter.Result);
  body.op(Op.I32Xor);
  body.op(Op.I32And);
  top(body);
}

function lazyParity(body: Body): void {
  body.get(Parameter.Result);
  body.constant(0xff);
  body.op(Op.I32And);
  body.op(Op.I32Popcnt);
  body.constant(1);
  body.op(Op.I32And);
  body.op(Op.I32Eqz);
}

/** A carry or borrow between bits 3 and 4. */
function lazyAdjust(body: Body): void {
  body.get(Parameter.A);
  body.get(Parameter.B);
  body.op(Op.I32Xor);
  body.get(Parameter.Result);
  body.op(Op.I32Xor);
  body.constant(4);
  body.op(Op.I32ShrU);
  body.constant(1);
  body.op(Op.I32And);
}

/** SF differs from OF. */
function less(): Definition {
  const body = new Body(0, 0);
  for (const callee of [Callee.Sign, Callee.Overflow]) {
    for (let parameter = 0; parameter < 5; parameter++) body.get(parameter);
    body.call(callee);
  }
  body.op(Op.I32Ne);
  return { type: Type.Condition, body: body.finish() };
}

/** The functions Callee.Carry to Callee.Adjust, in that order. */
export const CONDITION_FUNCTIONS: readonly Definition[] = [
  lazyFlag(Flag.CF, lazyCarry),
  lazyFlag(Flag.ZF, (body) => {
    body.get(Parameter.Result);
    body.op(Op.I32Eqz);
  }),
  lazyFlag(Flag.SF, (body) => {
    body.get(Parameter.Result);
    top(body);
  }),
  lazyFlag(Flag.OF, lazyOverflow),
  lazyFlag(Flag.PF, lazyParity),
  less(),
  lazyFlag(Flag.AF, lazyAdjust),
];

/** Pushes EFLAGS, nothing lazy. */
export function pushFlags(body: Body, known: Known): void {
  body.get(Local.Eflags);
  body.constant(~Flag.Arithmetic);
  body.op(Op.I32And);
  pushCarry(body, known);
  body.op(Op.I32Or);
  const flags: readonly [Callee, number][] = [
    [Callee.Parity, 2],
    [Callee.Adjust, 4],
    [Callee.Zero, 6],
    [Callee.Sign, 7],
    [Callee.Overflow, 11],
  ];
  for (const [callee, shift] of flags) {
    callCondition(body, callee);
    body.constant(shift);
    body.op(Op.I32Shl);
    body.op(Op.I32Or);
  }
}
