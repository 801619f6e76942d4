/**
 * What a compiled region looks like from inside: its locals, where they live in the processor's state between regions, and the
 * pieces of code that move them there and back. May import wasm.ts and registers.ts.
 *
 * While a region runs, the general registers and the lazy flags are in locals; Word.Eip is not kept up, because each place in
 * the code knows its own. Time is counted from the region's entry (Cycles, Instret) and added to the Time words on the way out;
 * Budget is how many cycles may pass before a boundary has to be looked at by the interpreter. One instruction takes at
 * least one cycle, so that the same number bounds both instret and cycles.
 */

import { Layout, Time, Word } from "../registers";
import { Access, Body, Op, type Signature } from "./wasm";

/** Locals of a region's function. The parameter is the number of the block to begin with. */
export const enum Local {
  Block = 0,
  /** EAX to EDI. */
  Registers = 1,
  Eflags = 9,
  Lazy = 10,
  LazyA = 11,
  LazyB = 12,
  LazyResult = 13,
  Cycles = 14,
  Instret = 15,
  Budget = 16,
  /** Linear address of the page that the region lies in. */
  Page = 17,
  /** Where to go on: a linear address. */
  Target = 18,
  /** What the function returns. */
  Code = 19,
  /** Linear address of an operand, its entry in the host TLB, its host offset; a second one of these. */
  Address = 20,
  Entry = 21,
  Host = 22,
  Host2 = 23,
  /** Values on the way. */
  T = 24,
  U = 25,
  V = 26,
  /** An int64 value. */
  Wide = 27,
  Wide2 = 28,
}

const I32_LOCALS = Local.V;
const I64_LOCALS = 2;

/** State words that live in locals Registers to LazyResult. */
export const STATE: readonly number[] = [
  0,
  1,
  2,
  3,
  4,
  5,
  6,
  7,
  Word.Eflags,
  Word.Lazy,
  Word.LazyA,
  Word.LazyB,
  Word.LazyResult,
];

export const enum Type {
  /** (block) -> code, and (site) -> event. */
  Unary = 0,
  /** (site, state…) -> (state…, budget, event). */
  Handler = 1,
  /** (eflags, lazy, a, b, result) -> 0 or 1. */
  Condition = 2,
  /** (linear address, 1 for writing) -> entry; (segment, selector) -> 0 or 1. */
  Binary = 3,
  /** The same -> (entry, budget). */
  Fill = 4,
  /** See flat.ts. */
  EnterFlat = 5,
  /** () -> number. */
  Nullary = 6,
  /** (host offset, value, words). */
  FillWords = 7,
}

export const TYPES: readonly Signature[] = [
  { parameters: 1, results: 1 },
  { parameters: 1 + STATE.length, results: STATE.length + 2 },
  { parameters: 5, results: 1 },
  { parameters: 2, results: 1 },
  { parameters: 2, results: 2 },
  { parameters: 6, results: 1 },
  { parameters: 0, results: 1 },
  { parameters: 3, results: 0 },
];

/**
 * Functions by their number. A region's module imports all but the last: Host and the functions of the runtime, a module that
 * each processor has one of (runtime.ts).
 */
export const enum Callee {
  /** The way back to TypeScript: a region's runs the handler of a site, the runtime's translates an address. */
  Host = 0,
  Fill = 1,
  FillByUser = 2,
  LoadFlat = 3,
  EnterFlat = 4,
  ReturnFlat = 5,
  Carry = 6,
  Zero = 7,
  Sign = 8,
  Overflow = 9,
  Parity = 10,
  Less = 11,
  Adjust = 12,
  FillWords = 13,
  Handler = 14,
}

/** The type of each function, by its number. */
export const TYPE_OF_CALLEE: readonly Type[] = [
  Type.Unary,
  Type.Fill,
  Type.Fill,
  Type.Binary,
  Type.EnterFlat,
  Type.Nullary,
  ...new Array<Type>(Callee.Adjust + 1 - Callee.Carry).fill(Type.Condition),
  Type.FillWords,
  Type.Handler,
];

/** Budgets are cut to this, so that sums stay within int32. */
const MOST_BUDGET = 1 << 30;

export function newBody(): Body {
  return new Body(I32_LOCALS, I64_LOCALS);
}

/** Pushes a state word. */
export function loadWord(body: Body, word: number): void {
  body.constant(Layout.Words + 4 * word);
  body.access(Access.I32Load);
}

/** Stores a local to a state word. */
export function storeWord(body: Body, word: number, local: number): void {
  body.constant(Layout.Words + 4 * word);
  body.get(local);
  body.access(Access.I32Store);
}

function loadTime(body: Body, word: number): void {
  body.constant(Layout.Time + 8 * word);
  body.access(Access.F64Load);
}

/** Pushes how much may pass from what the Time words say to the deadline or the limit. */
export function pushBudget(body: Body): void {
  loadTime(body, Time.Deadline);
  loadTime(body, Time.Cycles);
  body.op(Op.F64Sub);
  loadTime(body, Time.Limit);
  loadTime(body, Time.Instret);
  body.op(Op.F64Sub);
  body.op(Op.F64Min);
  body.wholeF64(MOST_BUDGET);
  body.op(Op.F64Min);
  body.truncate();
}

/** Loads all locals on the way in. */
export function enter(body: Body): void {
  for (const [index, word] of STATE.entries()) {
    loadWord(body, word);
    body.set(Local.Registers + index);
  }
  pushBudget(body);
  body.set(Local.Budget);
  loadWord(body, Word.Eip);
  body.constant(0xfffff000 | 0);
  body.op(Op.I32And);
  body.set(Local.Page);
}

/** Stores registers and flags. */
export function storeState(body: Body): void {
  for (const [index, word] of STATE.entries()) storeWord(body, word, Local.Registers + index);
}

function addTime(body: Body, word: number, local: number): void {
  body.constant(Layout.Time + 8 * word);
  loadTime(body, word);
  body.get(local);
  body.op(Op.F64ConvertI32S);
  body.op(Op.F64Add);
  body.access(Access.F64Store);
}

/** Adds a number of cycles to the Time word. */
export function addCycles(body: Body, cycles: number): void {
  body.constant(Layout.Time + 8 * Time.Cycles);
  loadTime(body, Time.Cycles);
  body.wholeF64(cycles);
  body.op(Op.F64Add);
  body.access(Access.F64Store);
}

/** Adds the time that has passed to the Time words. Budget is to be worked out again. */
export function flushTime(body: Body): void {
  addTime(body, Time.Cycles, Local.Cycles);
  addTime(body, Time.Instret, Local.Instret);
  for (const local of [Local.Cycles, Local.Instret]) {
    body.constant(0);
    body.set(local);
  }
}

/** Stores EIP (from Target) and time, and pushes what the function returns. */
export function leave(body: Body): void {
  storeWord(body, Word.Eip, Local.Target);
  addTime(body, Time.Cycles, Local.Cycles);
  addTime(body, Time.Instret, Local.Instret);
  body.get(Local.Code);
}
