/**
 * Compiled REP MOVS and REP STOS: where all of it lies within one page at each end and ends before the budget does, it is one
 * instruction of the host, or one loop; else the handler does it, page by page. The same as exec/string.ts.
 * May import control.ts (types), emitter.ts, frame.ts, wasm.ts, operation.ts, registers.ts.
 * Source: Intel SDM volume 2, MOVS, STOS and REP.
 */

import type { Operation } from "../operation";
import { Flag, Register } from "../registers";
import type { Ways } from "./control";
import type { Emitter } from "./emitter";
import { Callee, Local } from "./frame";
import { Op } from "./wasm";

const { EAX, ECX, ESI, EDI } = { EAX: Register.EAX, ECX: Register.ECX, ESI: Register.ESI, EDI: Register.EDI };
const PAGE = 4096;

/** Emits the whole of a repeated string instruction. */
export type EmitRepeated = (e: Emitter, op: Operation, ways: Ways) => void;

/** Goes the slow way where what is on the stack is not 0. */
function slowIf(e: Emitter): void {
  e.body.branchIf(e.slow);
}

/** Sets T to the bytes that there are to do. Slow: none, too many, or downwards. */
function measure(e: Emitter, shift: number): void {
  e.register(ECX);
  e.with(Op.I32Sub, 1);
  e.with(Op.I32GeU, PAGE >> shift);
  slowIf(e);
  e.get(Local.Eflags);
  e.with(Op.I32And, Flag.DF);
  slowIf(e);
  e.register(ECX);
  e.with(Op.I32Shl, shift);
  e.set(Local.T);
}

/** Sets V to the cycles that it takes; slow where they end behind the budget. Filling the host TLB takes of it: call after that. */
function checkBudget(e: Emitter, op: Operation): void {
  e.register(ECX);
  e.with(Op.I32Mul, op.repetition);
  e.with(Op.I32Add, op.cycles);
  e.body.tee(Local.V);
  e.get(Local.Cycles);
  e.op(Op.I32Add);
  e.get(Local.Budget);
  e.op(Op.I32GeS);
  slowIf(e);
}

/** Slow where T bytes from an index register on cross into another page. */
function withinPage(e: Emitter, register: Register): void {
  e.register(register);
  e.with(Op.I32And, PAGE - 1);
  e.get(Local.T);
  e.op(Op.I32Add);
  e.with(Op.I32GtU, PAGE);
  slowIf(e);
}

function advance(e: Emitter, register: Register): void {
  e.register(register);
  e.get(Local.T);
  e.op(Op.I32Add);
  e.setRegister(register);
}

/** Charges for all repetitions, and goes on behind. */
function finish(e: Emitter, ways: Ways): void {
  e.get(Local.Cycles);
  e.get(Local.V);
  e.op(Op.I32Add);
  e.set(Local.Cycles);
  e.get(Local.Instret);
  e.register(ECX);
  e.op(Op.I32Add);
  e.set(Local.Instret);
  e.constant(0);
  e.setRegister(ECX);
  ways.direct(ways.next);
}

function movs(shift: number): EmitRepeated {
  return (e, op, ways) => {
    measure(e, shift);
    withinPage(e, ESI);
    withinPage(e, EDI);
    e.register(ESI);
    e.checkRead(1, Local.Host);
    e.register(EDI);
    e.checkWrite(1, Local.Host2);
    checkBudget(e, op);
    // Upward into its own tail, a copy repeats what it has written.
    e.get(Local.Host2);
    e.get(Local.Host);
    e.op(Op.I32Sub);
    e.with(Op.I32Sub, 1);
    e.get(Local.T);
    e.with(Op.I32Sub, 1);
    e.op(Op.I32LtU);
    slowIf(e);
    e.get(Local.Host2);
    e.get(Local.Host);
    e.get(Local.T);
    e.body.copyMemory();
    advance(e, ESI);
    advance(e, EDI);
    finish(e, ways);
  };
}

function stos(shift: 0 | 2): EmitRepeated {
  return (e, op, ways) => {
    measure(e, shift);
    withinPage(e, EDI);
    e.register(EDI);
    e.checkWrite(1, Local.Host2);
    checkBudget(e, op);
    e.get(Local.Host2);
    e.register(EAX);
    if (shift === 0) {
      e.get(Local.T);
      e.body.fillMemory();
    } else {
      e.register(ECX);
      e.body.call(Callee.FillWords);
    }
    advance(e, EDI);
    finish(e, ways);
  };
}

/** By the name that the handler's key begins with. */
export const REPEATED_EMITTERS: Readonly<Record<string, EmitRepeated>> = {
  "rep movsb": movs(0),
  "rep movsw": movs(1),
  "rep movsd": movs(2),
  "rep stosb": stos(0),
  "rep stosd": stos(2),
};
