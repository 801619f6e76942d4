/**
 * Compiled loads of ES, DS, FS and GS with flat data segments, which a kernel does at every entry and exit: the same as
 * flattransfer.ts's loadFlatSegment, as a function of each region's module. Everything else about segments is the handlers'.
 * May import control.ts (the type), emitter.ts, frame.ts, moves.ts, wasm.ts, flattransfer.ts (constants), instruction.ts,
 * registers.ts, segmentation.ts (constants), tlb.ts.
 */

import { DATA_HIGH, FLAT_LOW, RING3 } from "../flattransfer";
import { Segment } from "../instruction";
import { Layout, Word } from "../registers";
import { FLAT_DATA } from "../segmentation";
import { HostTlb } from "../tlb";
import type { EmitTransfer } from "./control";
import type { Emitter } from "./emitter";
import { Callee, Local, loadWord, Type } from "./frame";
import { moveStack, preparePop } from "./moves";
import { Access, Body, type Definition, Op } from "./wasm";

/** Locals of the function: its two parameters and one more. */
const enum Of {
  Segment = 0,
  Selector = 1,
  At = 2,
  High = 3,
}

const DESCRIPTOR_BYTES = 8;
const PAGE = 4096;

/** Returns 0 from the function where the condition on the stack holds. */
function refuseIf(body: Body): void {
  body.if();
  body.constant(0);
  body.op(Op.Return);
  body.end();
}

/** Pushes a local combined with a constant. */
function combine(body: Body, local: Of, op: Op, value: number): void {
  body.get(local);
  body.constant(value);
  body.op(op);
}

/** Sets At to the host offset of the selector's descriptor, or refuses. */
function findDescriptor(body: Body): void {
  combine(body, Of.Selector, Op.I32And, 4);
  refuseIf(body);
  combine(body, Of.Selector, Op.I32And, 0xfff8);
  body.tee(Of.At);
  body.op(Op.I32Eqz);
  refuseIf(body);
  combine(body, Of.At, Op.I32Add, DESCRIPTOR_BYTES - 1);
  loadWord(body, Word.GdtLimit);
  body.op(Op.I32GtU);
  refuseIf(body);
  loadWord(body, Word.GdtBase);
  body.get(Of.At);
  body.op(Op.I32Add);
  body.set(Of.At);
  combine(body, Of.At, Op.I32And, PAGE - 1);
  body.constant(PAGE - DESCRIPTOR_BYTES);
  body.op(Op.I32GtU);
  refuseIf(body);
  combine(body, Of.At, Op.I32ShrU, 12);
  body.constant(2);
  body.op(Op.I32Shl);
  body.access(Access.I32Load, Layout.HostTlb);
  body.tee(Of.High);
  body.constant(HostTlb.SupervisorRead);
  body.op(Op.I32And);
  body.op(Op.I32Eqz);
  refuseIf(body);
  combine(body, Of.High, Op.I32And, HostTlb.Frame);
  combine(body, Of.At, Op.I32And, PAGE - 1);
  body.op(Op.I32Or);
  body.set(Of.At);
}

/** Stores a word of a segment register: `word` is that of ES, what `value` pushes goes there. */
function storeSegmentWord(body: Body, word: Word, value: () => void): void {
  combine(body, Of.Segment, Op.I32Shl, 2);
  value();
  body.access(Access.I32Store, Layout.Words + 4 * word);
}

/** The function Callee.LoadFlat: (segment, selector) -> 1 when it is loaded, 0 when the handler must see to it. */
export function loadFlat(): Definition {
  const body = new Body(2, 0);
  findDescriptor(body);
  body.get(Of.At);
  body.access(Access.I32Load);
  body.constant(FLAT_LOW);
  body.op(Op.I32Ne);
  refuseIf(body);
  body.get(Of.At);
  body.access(Access.I32Load, 4);
  body.tee(Of.High);
  body.constant(DATA_HIGH | RING3);
  body.op(Op.I32Ne);
  body.if();
  // Ring 0's own, for ring 0 only.
  combine(body, Of.High, Op.I32Ne, DATA_HIGH);
  combine(body, Of.Selector, Op.I32And, 3);
  body.op(Op.I32Or);
  loadWord(body, Word.Cpl);
  body.op(Op.I32Or);
  refuseIf(body);
  body.end();
  storeSegmentWord(body, Word.Selector, () => body.get(Of.Selector));
  storeSegmentWord(body, Word.Base, () => body.constant(0));
  storeSegmentWord(body, Word.Limit, () => body.constant(-1));
  storeSegmentWord(body, Word.Attributes, () => {
    combine(body, Of.High, Op.I32And, RING3);
    body.constant(FLAT_DATA);
    body.op(Op.I32Or);
  });
  body.constant(1);
  return { type: Type.Binary, body: body.finish() };
}

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
