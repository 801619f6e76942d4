/**
 * Compiled transfers: the last instruction of a block where it is a near jump, call or return. Targets in the region's page are
 * branches within the function; all others leave it.
 * May import emitter.ts, moves.ts, frame.ts, wasm.ts, isa.ts, operation.ts, registers.ts.
 * Source: Intel SDM volume 2, under each mnemonic.
 */

import type { CostTable } from "../costs";
import { CONDITIONS } from "../isa";
import type { Operation } from "../operation";
import { Register } from "../registers";
import type { Emitter, Shape } from "./emitter";
import { Local } from "./frame";
import { moveStack, preparePop, preparePush } from "./moves";
import { Op } from "./wasm";

/** The ways on from a block. Offsets are within the page of the region, or beyond it. */
export interface Ways {
  /** Goes on at a known place. */
  direct(offset: number): void;
  /** Goes on at the linear address in Target. */
  indirect(): void;
  /** Leaves the region for the linear address in Target. */
  outside(): void;
  costs: CostTable;
  /** Offset of the instruction behind the block's last one. */
  next: number;
}

/** Emits a transfer; false: it cannot, and has emitted nothing. */
export type EmitTransfer = (e: Emitter, op: Operation, shapes: readonly Shape[], ways: Ways) => boolean;

function branchTaken(e: Emitter, ways: Ways, op: Operation): void {
  e.get(Local.Cycles);
  e.with(Op.I32Add, ways.costs.takenBranch);
  e.set(Local.Cycles);
  ways.direct(ways.next + op.immediate);
}

/** Jumps where what is on the stack is not 0, else goes on behind. */
function branch(e: Emitter, ways: Ways, op: Operation): void {
  const { body } = e;
  body.if();
  branchTaken(e, ways, op);
  body.end();
  ways.direct(ways.next);
}

function conditional(code: number): EmitTransfer {
  return (e, op, _shapes, ways) => {
    if (op.operandSize !== 4) return false;
    e.condition(code);
    branch(e, ways, op);
    return true;
  };
}

const jump: EmitTransfer = (e, op, [first], ways) => {
  if (op.operandSize !== 4) return false;
  if (first === undefined) {
    ways.direct(ways.next + op.immediate);
    return true;
  }
  e.prepare(op, first, false);
  e.value(op, first, op.destination);
  e.set(Local.Target);
  ways.indirect();
  return true;
};

const call: EmitTransfer = (e, op, [first], ways) => {
  if (op.operandSize !== 4) return false;
  if (first !== undefined) e.prepare(op, first, false);
  preparePush(e, 4, Local.Host2);
  if (first !== undefined) {
    e.value(op, first, op.destination);
    e.set(Local.Target);
  }
  e.store(
    4,
    () => {
      e.get(Local.Page);
      e.with(Op.I32Add, ways.next);
    },
    Local.Host2,
  );
  moveStack(e, -4);
  if (first === undefined) ways.direct(ways.next + op.immediate);
  else ways.indirect();
  return true;
};

const ret: EmitTransfer = (e, op, shapes, ways) => {
  if (op.operandSize !== 4) return false;
  preparePop(e, 4);
  e.load(4);
  e.set(Local.Target);
  moveStack(e, 4 + (shapes.length > 0 ? op.immediate : 0));
  ways.indirect();
  return true;
};

/** LOOP. */
const loop: EmitTransfer = (e, op, _shapes, ways) => {
  if (op.operandSize !== 4 || op.addressSize !== 4) return false;
  e.register(Register.ECX);
  e.with(Op.I32Sub, 1);
  e.body.tee(Local.Registers + Register.ECX);
  branch(e, ways, op);
  return true;
};

const jumpIfZero: EmitTransfer = (e, op, _shapes, ways) => {
  if (op.operandSize !== 4) return false;
  e.register(Register.ECX);
  e.op(Op.I32Eqz);
  branch(e, ways, op);
  return true;
};

/** By mnemonic. */
export const TRANSFER_EMITTERS: Readonly<Record<string, EmitTransfer>> = {
  jmp: jump,
  call,
  ret,
  loop,
  jecxz: jumpIfZero,
  ...Object.fromEntries(CONDITIONS.map((name, code): [string, EmitTransfer] => [`j${name}`, conditional(code)])),
};
