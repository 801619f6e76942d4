/**
 * Expressions for the functions that every region's module has: a Push writes code that leaves one value on the stack, so that
 * a formula reads as one. May import wasm.ts, frame.ts, registers.ts.
 */

import { Layout } from "../registers";
import { Access, type Body, Op } from "./wasm";

export type Push = (body: Body) => void;
/** A number stands for the constant. */
export type Value = Push | number;

function push(body: Body, value: Value): void {
  if (typeof value === "number") body.constant(value);
  else value(body);
}

export function local(index: number): Push {
  return (body) => body.get(index);
}

function binary(op: Op): (a: Value, b: Value) => Push {
  return (a, b) => (body) => {
    push(body, a);
    push(body, b);
    body.op(op);
  };
}

export const add = binary(Op.I32Add);
export const subtract = binary(Op.I32Sub);
export const multiply = binary(Op.I32Mul);
export const and = binary(Op.I32And);
export const or = binary(Op.I32Or);
export const xor = binary(Op.I32Xor);
export const shiftLeft = binary(Op.I32Shl);
export const shiftRight = binary(Op.I32ShrU);
export const equal = binary(Op.I32Eq);
export const differs = binary(Op.I32Ne);
export const above = binary(Op.I32GtU);
export const atLeast = binary(Op.I32GeU);

export function isZero(value: Value): Push {
  return (body) => {
    push(body, value);
    body.op(Op.I32Eqz);
  };
}

/** The word at an address plus `offset`. */
export function word(address: Value, offset = 0): Push {
  return (body) => {
    push(body, address);
    body.access(Access.I32Load, offset);
  };
}

/** The 16 bits at an address, unsigned. */
export function half(address: Value, offset = 0): Push {
  return (body) => {
    push(body, address);
    body.access(Access.I32Load16U, offset);
  };
}

export function byte(address: Value, offset = 0): Push {
  return (body) => {
    push(body, address);
    body.access(Access.I32Load8U, offset);
  };
}

/** A word of the processor's state: a Word or a Register. */
export function state(index: number): Push {
  return word(Layout.Words + 4 * index);
}

/** `a` where the condition is not 0, else `b`; both are worked out. */
export function choose(condition: Value, a: Value, b: Value): Push {
  return (body) => {
    push(body, a);
    push(body, b);
    push(body, condition);
    body.op(Op.Select);
  };
}

export function set(body: Body, index: number, value: Value): void {
  push(body, value);
  body.set(index);
}

export function storeWord(body: Body, address: Value, value: Value, offset = 0): void {
  push(body, address);
  push(body, value);
  body.access(Access.I32Store, offset);
}

export function storeByte(body: Body, address: Value, value: Value, offset = 0): void {
  push(body, address);
  push(body, value);
  body.access(Access.I32Store8, offset);
}

export function storeState(body: Body, index: number, value: Value): void {
  storeWord(body, Layout.Words + 4 * index, value);
}

/** Goes to a label where the condition is not 0. */
export function branchIf(body: Body, condition: Value, label: number): void {
  push(body, condition);
  body.branchIf(label);
}

export function when(body: Body, condition: Value, then: () => void, otherwise?: () => void): void {
  push(body, condition);
  body.if();
  then();
  if (otherwise !== undefined) {
    body.else();
    otherwise();
  }
  body.end();
}
