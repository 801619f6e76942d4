/**
 * Compiled INT n and IRETD by the short way (flat.ts): the region is left for the other ring's code without a detour through
 * the handlers. Where somebody listens to traps, the handlers run.
 * May import control.ts (types), conditions.ts, emitter.ts, frame.ts, wasm.ts, operation.ts, registers.ts.
 * Source: Intel SDM volume 2, INT n and IRET.
 */

import { Layout, Register, Word } from "../registers";
import { pushFlags } from "./conditions";
import type { EmitTransfer, Ways } from "./control";
import type { Emitter } from "./emitter";
import { FlatEntry } from "./flat";
import { Callee, Local, loadWord, storeWord } from "./frame";
import { Access, Op } from "./wasm";

function slowWhenHeard(e: Emitter): void {
  e.constant(Layout.Listening);
  e.body.access(Access.I32Load);
  e.body.branchIf(e.slow);
}

/** Takes a FlatEntry: goes the slow way when there is none, else charges `always` and what a change of the ring costs, and leaves. */
function leaveThrough(e: Emitter, ways: Ways, always: number, ringChange: number): void {
  const { body } = e;
  body.tee(Local.T);
  e.op(Op.I32Eqz);
  body.branchIf(e.slow);
  e.get(Local.Cycles);
  e.constant(always + ringChange);
  e.constant(always);
  e.get(Local.T);
  e.with(Op.I32Eq, FlatEntry.InnerRing);
  e.op(Op.Select);
  e.op(Op.I32Add);
  e.set(Local.Cycles);
  loadWord(body, Register.ESP);
  e.setRegister(Register.ESP);
  loadWord(body, Word.Eflags);
  e.set(Local.Eflags);
  e.constant(0);
  e.set(Local.Lazy);
  loadWord(body, Word.Eip);
  e.set(Local.Target);
  ways.outside();
}

const interrupt: EmitTransfer = (e, op, _shapes, ways) => {
  const { body } = e;
  slowWhenHeard(e);
  storeWord(body, Register.ESP, Local.Registers + Register.ESP);
  e.constant(op.immediate);
  e.constant(1);
  pushFlags(body, e.known);
  e.constant(0);
  e.constant(0);
  e.get(Local.Page);
  e.with(Op.I32Add, ways.next);
  body.call(Callee.EnterFlat);
  leaveThrough(e, ways, ways.costs.trapEntry, ways.costs.trapRingChange);
  return true;
};

const interruptReturn: EmitTransfer = (e, _op, _shapes, ways) => {
  const { body } = e;
  slowWhenHeard(e);
  storeWord(body, Register.ESP, Local.Registers + Register.ESP);
  storeWord(body, Word.Eflags, Local.Eflags);
  body.call(Callee.ReturnFlat);
  leaveThrough(e, ways, 0, ways.costs.farRingChange);
  return true;
};

/** By mnemonic. */
export const TRAP_EMITTERS: Readonly<Record<string, EmitTransfer>> = { int: interrupt, iretd: interruptReturn };
