/**
 * The page walk in compiled code: a miss of the charged TLB whose tables are plain (4 KB page, present, rights granted, accessed
 * and, for a write, dirty already) is walked and entered here; all else is paging.ts's, and so is everything that counts: this
 * does what walk() there does, to the last charged cycle.
 * May import expression.ts, frame.ts, wasm.ts, registers.ts, tlb.ts.
 *
 * Invariant: nothing has changed where it turns to paging.ts.
 * Source: Intel SDM volume 3, sections 4.3, 4.6, 4.10.
 */

import { Cr0, Cr4, Layout, Word } from "../registers";
import { type Bank, Entry, HostTlb } from "../tlb";
import {
  add,
  and,
  atLeast,
  branchIf,
  byte,
  choose,
  differs,
  equal,
  isZero,
  local,
  multiply,
  or,
  set,
  shiftLeft,
  shiftRight,
  state,
  storeByte,
  storeWord,
  subtract,
  type Value,
  when,
  word,
} from "./expression";
import { addCycles, Callee, pushBudget, Type } from "./frame";
import { Body, type Definition, Op } from "./wasm";

/** What the walk must know of the machine. Addresses are those of the arrays in the one memory. */
export interface WalkPlan {
  /** The charged TLB's entries for 4 KB pages; absent: victims are drawn by chance, and every walk is paging.ts's. */
  small?: Bank;
  /** slotOf of those for 4 MB pages. */
  largeSlots: number;
  /** By frame: 1 where it holds decoded code. */
  codeFrames: number;
  memoryBytes: number;
  /** Cycles of each read of a table. */
  walkRead: number;
}

/** Bits of directory and table entries. */
const enum Pte {
  Present = 1,
  Writable = 2,
  User = 4,
  Accessed = 0x20,
  Dirty = 0x40,
  Large = 0x80,
  Global = 0x100,
}

const PAGE_MASK = 0xfffff000 | 0;
/** Below lie the adapters' memory and the ROM, which not everything can be done to. */
const PLAIN_RAM = 0x100000;

/** Parameters and locals. */
const enum Of {
  Linear = 0,
  Write = 1,
  Page = 2,
  Pde = 3,
  Pte = 4,
  Rights = 5,
  Slot = 6,
  Tag = 7,
  Bits = 8,
  At = 9,
}
const LOCALS = 8;

/** The word of an array of words at an index. */
function element(array: Int32Array, index: Value): (body: Body) => void {
  return word(shiftLeft(index, 2), array.byteOffset);
}

function storeElement(body: Body, array: Int32Array, index: Value, value: Value): void {
  storeWord(body, shiftLeft(index, 2), value, array.byteOffset);
}

/** Sets Pde and Pte, Rights to their common bits, and At to the frame's address; all else goes to `slow`. */
function readTables(body: Body, plan: WalkPlan, user: boolean, slow: number): void {
  const need = Pte.Present | Pte.Accessed | (user ? Pte.User : 0);
  const wanted = choose(local(Of.Write), need | Pte.Writable, need);
  const lacks = (entry: Of, bits: Value): Value => differs(and(local(entry), bits), bits);
  const readEntry = (into: Of): void => {
    branchIf(body, atLeast(local(Of.At), plan.memoryBytes), slow);
    set(body, into, word(local(Of.At), Layout.Ram));
    branchIf(body, lacks(into, wanted), slow);
  };
  set(body, Of.At, or(and(state(Word.Cr3), PAGE_MASK), shiftLeft(shiftRight(local(Of.Linear), 22), 2)));
  readEntry(Of.Pde);
  branchIf(body, and(local(Of.Pde), Pte.Large), slow);
  set(body, Of.At, or(and(local(Of.Pde), PAGE_MASK), and(shiftRight(local(Of.Linear), 10), 0xffc)));
  readEntry(Of.Pte);
  const dirty = choose(local(Of.Write), Pte.Dirty, 0);
  branchIf(body, lacks(Of.Pte, dirty), slow);
  set(body, Of.Rights, and(local(Of.Pde), local(Of.Pte)));
  set(body, Of.At, and(local(Of.Pte), PAGE_MASK));
  branchIf(body, atLeast(subtract(local(Of.At), PLAIN_RAM), plan.memoryBytes - PLAIN_RAM), slow);
}

/** Sets Slot to an empty way of the page's set, or makes its victim's way empty; a victim that the running code lies in: slow. */
function makeRoom(body: Body, { sets, ways, tags, next, slotOf }: Bank, slow: number): void {
  const first = body.block();
  set(body, Of.Slot, multiply(and(local(Of.Page), sets - 1), ways));
  for (let way = 0; way < ways; way++) {
    branchIf(body, equal(element(tags, local(Of.Slot)), -1), first);
    if (way < ways - 1) set(body, Of.Slot, add(local(Of.Slot), 1));
  }
  const turn = element(next, and(local(Of.Page), sets - 1));
  set(body, Of.Slot, add(multiply(and(local(Of.Page), sets - 1), ways), turn));
  set(body, Of.Tag, element(tags, local(Of.Slot)));
  branchIf(body, equal(local(Of.Tag), state(Word.FetchPage)), slow);
  storeWord(body, shiftLeft(local(Of.Tag), 2), 0, Layout.HostTlb);
  storeElement(body, slotOf, local(Of.Tag), 0);
  const following = add(turn, 1);
  storeElement(body, next, and(local(Of.Page), sets - 1), choose(equal(following, ways), 0, following));
  body.end();
}

/** `to` where the tested bits of `value` are set, else 0. */
function bit(value: Value, from: number, to: number): Value {
  return choose(and(value, from), to, 0);
}

/** Fills Slot with the translation. */
function enterTranslation(body: Body, { tags, entries, slotOf, occupied, listed, count }: Bank): void {
  const global = choose(and(state(Word.Cr4), Cr4.PGE), bit(local(Of.Pte), Pte.Global, Entry.Global), 0);
  const bits = or(
    or(bit(local(Of.Rights), Pte.Writable, Entry.Writable), bit(local(Of.Rights), Pte.User, Entry.User)),
    or(bit(local(Of.Pte), Pte.Dirty, Entry.Dirty), global),
  );
  storeElement(body, tags, local(Of.Slot), local(Of.Page));
  storeElement(body, entries, local(Of.Slot), or(local(Of.At), bits));
  storeElement(body, slotOf, local(Of.Page), add(local(Of.Slot), 1));
  when(body, isZero(byte(local(Of.Slot), listed.byteOffset)), () => {
    storeByte(body, local(Of.Slot), 1, listed.byteOffset);
    storeElement(body, occupied, word(count.byteOffset), local(Of.Slot));
    storeWord(body, count.byteOffset, add(word(count.byteOffset), 1));
  });
}

/** Sets Bits to the host TLB's entry, and enters it. */
function enterHost(body: Body, plan: WalkPlan): void {
  set(body, Of.Bits, or(HostTlb.SupervisorRead, bit(local(Of.Rights), Pte.User, HostTlb.UserRead)));
  const isCode = byte(shiftRight(local(Of.At), 12), plan.codeFrames);
  const mayWrite = and(shiftRight(local(Of.Pte), 6), isZero(isCode));
  when(body, mayWrite, () => {
    const writable = and(local(Of.Rights), Pte.Writable);
    const unprotected = isZero(and(state(Word.Cr0), Cr0.WP));
    const byUser = and(bit(local(Of.Rights), Pte.User, Pte.Writable), local(Of.Rights));
    const more = or(
      choose(or(writable, unprotected), HostTlb.SupervisorWrite, 0),
      choose(byUser, HostTlb.UserWrite, 0),
    );
    set(body, Of.Bits, or(local(Of.Bits), more));
  });
  set(body, Of.Bits, or(add(local(Of.At), Layout.Ram), local(Of.Bits)));
  storeWord(body, shiftLeft(local(Of.Page), 2), local(Of.Bits), Layout.HostTlb);
}

/**
 * The function Callee.Fill: (linear address, 1 for writing) -> (the host TLB's entry, or 0 for the slow way; the budget). It may
 * take time.
 */
export function fill(plan: WalkPlan, user: boolean): Definition {
  const body = new Body(LOCALS, 0);
  const { small } = plan;
  const slow = body.block();
  if (small !== undefined) {
    set(body, Of.Page, shiftRight(local(Of.Linear), 12));
    const hit = or(
      element(small.slotOf, local(Of.Page)),
      word(shiftLeft(shiftRight(local(Of.Linear), 22), 2), plan.largeSlots),
    );
    branchIf(body, or(hit, state(Word.HeldLow)), slow);
    branchIf(body, isZero(and(state(Word.Cr0), Cr0.PG)), slow);
    readTables(body, plan, user, slow);
    makeRoom(body, small, slow);
    enterTranslation(body, small);
    enterHost(body, plan);
    addCycles(body, 2 * plan.walkRead);
    local(Of.Bits)(body);
    pushBudget(body);
    body.op(Op.Return);
  }
  body.end();
  local(Of.Linear)(body);
  local(Of.Write)(body);
  body.call(Callee.Host);
  pushBudget(body);
  return { type: Type.Fill, body: body.finish() };
}
