/**
 * The short way into a handler and back: between flat 32-bit segments of rings 0 and 3, where gate, descriptors, TSS and stack
 * are all hits in the host TLB; and loads of ES, DS, FS and GS with flat data segments. Kernels go no other way, thousands of
 * times a second. Each is a WebAssembly function that answers 0, with nothing changed, for whatever is the long way's:
 * interrupts.ts, exec/return.ts, segmentation.ts.
 * May import expression.ts, frame.ts, wasm.ts, eflags.ts, registers.ts, segmentation.ts (constants), tlb.ts.
 *
 * Invariant: what is done here is what the long way would do. Nothing is charged for a hit; nothing is relied on that could have
 * changed without being read again: a descriptor is recognised by both of its words.
 * Source: Intel SDM volume 3, sections 3.4.5 (descriptors), 6.12.1 (stack switch); volume 2, IRET.
 */

import { CHANGEABLE_FLAGS } from "../eflags";
import { Attention, Cr0, Flag, Layout, Mode, Register, TR, Word } from "../registers";
import { FLAT_CODE, FLAT_DATA, SystemType, TYPE_MASK } from "../segmentation";
import { HostTlb } from "../tlb";
import {
  above,
  add,
  and,
  branchIf,
  choose,
  differs,
  equal,
  half,
  isZero,
  local,
  or,
  type Push,
  set,
  shiftLeft,
  shiftRight,
  state,
  storeState,
  storeWord,
  subtract,
  type Value,
  when,
  word,
} from "./expression";
import { Type } from "./frame";
import { Body, type Definition, Op } from "./wasm";

const CS = 1;
const SS = 2;
const DATA_SEGMENTS: readonly number[] = [0, 3];
const EXTRA_SEGMENTS: readonly number[] = [4, 5];
const PAGE = 4096;

/** Words of a descriptor of 4 GB from 0, present and accessed, of ring 0; and the bits that make it one of ring 3. */
const FLAT_LOW = 0x0000ffff;
const CODE_HIGH = 0x00cf9b00;
const DATA_HIGH = 0x00cf9300;
const RING3 = 0x6000;

/** A 32-bit gate, present: its bits but DPL and the one that makes it a trap gate. */
const GATE_MASK = 0x9e00;
const GATE = 0x8e00;
const TRAP_BIT = 0x100;
const DPL_SHIFT = 13;

/** ESP0 and SS0 in a 32-bit TSS, and the last byte of the two. */
const TSS_ESP0 = 4;
const TSS_SS0 = 8;
const TSS_END = 9;

/** How a handler was entered. */
export const enum FlatEntry {
  No = 0,
  SameRing = 1,
  InnerRing = 2,
}

/** A function whose block `slow` ends in the answer 0. */
function answering(type: Type, locals: number, emit: (body: Body, slow: number) => void): Definition {
  const body = new Body(locals, 0);
  const slow = body.block();
  emit(body, slow);
  body.end();
  body.constant(0);
  return { type, body: body.finish() };
}

/** Sets `at` to the host offset of `size` bytes at a linear address where that is a hit with this bit, else goes to `slow`. */
function hit(body: Body, at: number, linear: Value, size: Value, bit: HostTlb, slow: number): void {
  set(body, at, linear);
  const entry = word(shiftLeft(shiftRight(local(at), 12), 2), Layout.HostTlb);
  branchIf(body, above(add(and(local(at), PAGE - 1), size), PAGE), slow);
  branchIf(body, isZero(and(entry, bit)), slow);
  set(body, at, or(and(entry, HostTlb.Frame), and(local(at), PAGE - 1)));
}

/** Sets `at` to the host offset of a selector's descriptor in the GDT, whose first word must be a flat one's. */
function findFlat(body: Body, at: number, selector: number, slow: number): void {
  const offset = and(local(selector), 0xfff8);
  branchIf(body, or(and(local(selector), 4), isZero(offset)), slow);
  branchIf(body, above(add(offset, 7), state(Word.GdtLimit)), slow);
  hit(body, at, add(state(Word.GdtBase), offset), 8, HostTlb.SupervisorRead, slow);
  branchIf(body, differs(word(local(at)), FLAT_LOW), slow);
}

/** Goes to `slow` unless a selector's descriptor is flat with this second word. */
function demandFlat(body: Body, at: number, selector: number, high: Value, slow: number): void {
  findFlat(body, at, selector, slow);
  branchIf(body, differs(word(local(at), 4), high), slow);
}

/** Fills a segment register with a flat segment. */
function fillFlat(body: Body, segment: number, selector: Value, attributes: Value): void {
  storeState(body, Word.Selector + segment, selector);
  storeState(body, Word.Base + segment, 0);
  storeState(body, Word.Limit + segment, -1);
  storeState(body, Word.Attributes + segment, attributes);
}

/** Everything around must be plain: flat segments in protected mode, and no access that is looked at. */
function demandPlain(body: Body, slow: number): void {
  branchIf(body, isZero(and(state(Word.Mode), Mode.Flat)), slow);
  branchIf(body, isZero(and(state(Word.Cr0), Cr0.PE)), slow);
  branchIf(body, isZero(state(Word.ReadBit)), slow);
}

/** Sets all flags; none is lazy then. TF must be clear in them. */
function writeFlags(body: Body, flags: Value): void {
  storeState(body, Word.Lazy, 0);
  storeState(body, Word.Eflags, or(and(and(flags, CHANGEABLE_FLAGS), state(Word.FlagsMask)), Flag.Always));
  storeState(body, Word.Attention, and(state(Word.Attention), ~Attention.Trap));
}

/** Parameters and locals of enterFlat. */
const enum In {
  Vector = 0,
  Software = 1,
  Flags = 2,
  ErrorCode = 3,
  PushesError = 4,
  Eip = 5,
  High = 6,
  Low = 7,
  Selector = 8,
  Stack = 9,
  Pointer = 10,
  At = 11,
  Inner = 12,
}

/** Sets Pointer and Stack to the inner ring's from the TSS. */
function innerStack(body: Body, slow: number): void {
  const type = and(state(Word.Attributes + TR), TYPE_MASK);
  branchIf(body, differs(type, SystemType.Tss32Busy), slow);
  branchIf(body, above(TSS_END, state(Word.Limit + TR)), slow);
  const fields = add(state(Word.Base + TR), TSS_ESP0);
  hit(body, In.At, fields, TSS_END + 1 - TSS_ESP0, HostTlb.SupervisorRead, slow);
  set(body, In.Pointer, word(local(In.At)));
  set(body, In.Stack, half(local(In.At), TSS_SS0 - TSS_ESP0));
  branchIf(body, and(local(In.Stack), 3), slow);
  demandFlat(body, In.At, In.Stack, DATA_HIGH, slow);
}

/** Writes the frame from the host offset in At on. */
function pushFrame(body: Body): void {
  when(body, local(In.PushesError), () => {
    storeWord(body, local(In.At), local(In.ErrorCode));
    set(body, In.At, add(local(In.At), 4));
  });
  storeWord(body, local(In.At), local(In.Eip));
  storeWord(body, local(In.At), state(Word.Selector + CS), 4);
  storeWord(body, local(In.At), local(In.Flags), 8);
  when(body, local(In.Inner), () => {
    storeWord(body, local(In.At), state(Register.ESP), 12);
    storeWord(body, local(In.At), state(Word.Selector + SS), 16);
    fillFlat(body, SS, local(In.Stack), FLAT_DATA);
    storeState(body, Word.Cpl, 0);
    storeState(body, Word.FetchPage, -1);
  });
}

/**
 * (vector, 1 for INT n, EFLAGS as it is pushed, error code, 1 when there is one, EIP to push) -> FlatEntry. The caller charges.
 * What a delivery clears beside (shadows, HLT, RF) is the caller's too.
 */
export function enterFlat(): Definition {
  return answering(Type.EnterFlat, 7, (body, slow) => {
    demandPlain(body, slow);
    const gateOffset = shiftLeft(local(In.Vector), 3);
    branchIf(body, above(add(gateOffset, 7), state(Word.IdtLimit)), slow);
    hit(body, In.At, add(state(Word.IdtBase), gateOffset), 8, HostTlb.SupervisorRead, slow);
    set(body, In.Low, word(local(In.At)));
    set(body, In.High, word(local(In.At), 4));
    branchIf(body, differs(and(local(In.High), GATE_MASK), GATE), slow);
    const gateLevel = and(shiftRight(local(In.High), DPL_SHIFT), 3);
    branchIf(body, and(local(In.Software), above(state(Word.Cpl), gateLevel)), slow);
    set(body, In.Selector, shiftRight(local(In.Low), 16));
    demandFlat(body, In.At, In.Selector, CODE_HIGH, slow);
    set(body, In.Inner, differs(state(Word.Cpl), 0));
    set(body, In.Pointer, state(Register.ESP));
    when(body, local(In.Inner), () => innerStack(body, slow));
    const bytes = add(choose(local(In.Inner), 20, 12), shiftLeft(local(In.PushesError), 2));
    set(body, In.Pointer, subtract(local(In.Pointer), bytes));
    hit(body, In.At, local(In.Pointer), bytes, HostTlb.SupervisorWrite, slow);

    pushFrame(body);
    fillFlat(body, CS, and(local(In.Selector), ~3), FLAT_CODE);
    storeState(body, Register.ESP, local(In.Pointer));
    storeState(body, Word.Eip, or(and(local(In.Low), 0xffff), and(local(In.High), 0xffff0000 | 0)));
    const cleared = Flag.TF | Flag.NT | Flag.RF | Flag.VM;
    const kept = choose(and(local(In.High), TRAP_BIT), ~cleared, ~(cleared | Flag.IF));
    writeFlags(body, and(local(In.Flags), kept));
    storeState(body, Word.Mode, Mode.Code32 | Mode.Flat);
    storeState(body, Word.ReadBit, HostTlb.SupervisorRead);
    storeState(body, Word.WriteBit, HostTlb.SupervisorWrite);
    choose(local(In.Inner), FlatEntry.InnerRing, FlatEntry.SameRing)(body);
    body.op(Op.Return);
  });
}

/** Locals of returnFlat. */
const enum Out {
  At = 0,
  Selector = 1,
  Flags = 2,
  Stack = 3,
  Descriptor = 4,
}

/** Segments that the outer ring may not have would become null: then it is the long way's. */
function demandOuterSegments(body: Body, slow: number): void {
  const level = (segment: number): Push => and(state(Word.Attributes + segment), RING3);
  for (const segment of DATA_SEGMENTS) branchIf(body, differs(level(segment), RING3), slow);
  for (const segment of EXTRA_SEGMENTS) {
    // A null segment of selector 0 becomes what it is.
    const stays = or(
      equal(level(segment), RING3),
      isZero(or(state(Word.Attributes + segment), state(Word.Selector + segment))),
    );
    branchIf(body, isZero(stays), slow);
  }
}

/** () -> FlatEntry: IRETD from ring 0, to ring 0 (SameRing) or 3 (InnerRing). The caller charges. */
export function returnFlat(): Definition {
  return answering(Type.Nullary, 5, (body, slow) => {
    demandPlain(body, slow);
    branchIf(body, or(state(Word.Cpl), or(state(Word.NmiBlocked), state(Word.NmiPending))), slow);
    branchIf(body, and(state(Word.Eflags), Flag.NT), slow);
    hit(body, Out.At, state(Register.ESP), 20, HostTlb.SupervisorRead, slow);
    set(body, Out.Selector, half(local(Out.At), 4));
    set(body, Out.Flags, word(local(Out.At), 8));
    // What traps, shields or checks something is the long way's.
    branchIf(body, and(local(Out.Flags), Flag.VM | Flag.RF | Flag.TF | Flag.AC), slow);
    when(body, isZero(and(local(Out.Selector), 3)), () => {
      demandFlat(body, Out.Descriptor, Out.Selector, CODE_HIGH, slow);
      storeState(body, Register.ESP, add(state(Register.ESP), 12));
      storeState(body, Word.Eip, word(local(Out.At)));
      fillFlat(body, CS, local(Out.Selector), FLAT_CODE);
      writeFlags(body, local(Out.Flags));
      body.constant(FlatEntry.SameRing);
      body.op(Op.Return);
    });
    set(body, Out.Stack, half(local(Out.At), 16));
    branchIf(body, differs(and(and(local(Out.Selector), local(Out.Stack)), 3), 3), slow);
    demandFlat(body, Out.Descriptor, Out.Selector, CODE_HIGH | RING3, slow);
    demandFlat(body, Out.Descriptor, Out.Stack, DATA_HIGH | RING3, slow);
    demandOuterSegments(body, slow);
    storeState(body, Register.ESP, word(local(Out.At), 12));
    storeState(body, Word.Eip, word(local(Out.At)));
    fillFlat(body, CS, local(Out.Selector), FLAT_CODE | RING3);
    fillFlat(body, SS, local(Out.Stack), FLAT_DATA | RING3);
    writeFlags(body, local(Out.Flags));
    storeState(body, Word.Cpl, 3);
    storeState(body, Word.FetchPage, -1);
    storeState(body, Word.Mode, Mode.Code32 | Mode.Flat | Mode.User);
    storeState(body, Word.ReadBit, HostTlb.UserRead);
    storeState(body, Word.WriteBit, HostTlb.UserWrite);
    body.constant(FlatEntry.InnerRing);
    body.op(Op.Return);
  });
}

/** Parameters and locals of loadFlat. */
const enum Load {
  Segment = 0,
  Selector = 1,
  At = 2,
  High = 3,
}

/** (segment, selector) -> 1: ES, DS, FS or GS is loaded with a flat data segment, in the place of one or where it does not count. */
export function loadFlat(): Definition {
  return answering(Type.Binary, 2, (body, slow) => {
    demandPlain(body, slow);
    findFlat(body, Load.At, Load.Selector, slow);
    set(body, Load.High, word(local(Load.At), 4));
    when(body, differs(local(Load.High), DATA_HIGH | RING3), () => {
      // Ring 0's own, for ring 0 only.
      const privileged = or(state(Word.Cpl), and(local(Load.Selector), 3));
      branchIf(body, or(differs(local(Load.High), DATA_HIGH), privileged), slow);
    });
    const store = (first: Word, value: Value): void => {
      storeWord(body, shiftLeft(local(Load.Segment), 2), value, Layout.Words + 4 * first);
    };
    store(Word.Selector, local(Load.Selector));
    store(Word.Base, 0);
    store(Word.Limit, -1);
    store(Word.Attributes, or(and(local(Load.High), RING3), FLAT_DATA));
    body.constant(1);
    body.op(Op.Return);
  });
}
