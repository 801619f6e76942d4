/**
 * Compiled loads of ES, DS, FS and GS with flat data segments, which a kernel does at every entry and exit (flat.ts). Everything
 * else about segments is the handlers'.
 * May import control.ts (the type), emitter.ts, frame.ts, moves.ts, wasm.ts, instruction.ts.
 */

import { Segment } from "../instruction";
import type { EmitTransfer } from "./control";
import type { Emitter } from "./emitter";
import { Callee, Local } from "./frame";
import { moveStack, preparePop } from "./moves";
import { Op } from "./wasm";

/** Loads a segment register with the selector in T, or goes the slow way. */
function load(e: Emitter, segment: number): void {
  e.constant(segment);
  e.get(Local.T);
  e.body.call(Callee.LoadFlat);
  e.op(Op.I32Eqz);
  e.body.branchIf(e.slow);
}

const moveTo: EmitTransfer = (e, op, [first, second], ways) => {
  if (first.kind !== "s" || op.reg === Segment.SS) return false;
  e.prepare(op, second, false);
  if (second.kind === "m") e.loadUnsigned(2);
  else e.view(2, op.source, true);
  e.set(Local.T);
  load(e, op.reg);
  ways.direct(ways.next);
  return true;
};

const popTo: EmitTransfer = (e, op, [first], ways) => {
  if (first.kind !== "s" || op.reg === Segment.SS || op.operandSize !== 4) return false;
  preparePop(e, 4);
  e.loadUnsigned(2);
  e.set(Local.T);
  load(e, op.reg);
  moveStack(e, 4);
  ways.direct(ways.next);
  return true;
};

/** By mnemonic. */
export const SEGMENT_EMITTERS: Readonly<Record<string, EmitTransfer>> = { mov: moveTo, pop: popTo };
