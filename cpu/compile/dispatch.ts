/**
 * The way from region to region without a return to TypeScript: a WebAssembly loop that does for compiled code what the
 * interpreter's loop does for all code, as long as nothing is due at the boundary and the next block is one that it knows.
 * May import expression.ts, frame.ts, wasm.ts, registers.ts, tlb.ts, arena.ts, and the types of blocks and regions.
 *
 * Invariants: an entry of the table names a block whose region is reachable; forget() takes it out before that changes. The
 * number of a region is given away again only when another is compiled, so that the one that runs can be asked for its sites.
 * Source: none; interpreter.ts is what it must agree with.
 */

import type { Arena } from "../arena";
import type { Block } from "../blocks";
import { Layout, Word } from "../registers";
import { HostTlb } from "../tlb";
import {
  and,
  branchIf,
  differs,
  isZero,
  local,
  multiply,
  or,
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
  xor,
} from "./expression";
import { Type } from "./frame";
import type { Region } from "./region";
import { Body, type Definition } from "./wasm";

/** An entry: four words, found by the block's physical address. */
const enum Entry {
  Physical = 0,
  Mode = 4,
  Region = 8,
  /** The block's number in it. */
  Block = 12,
  Bytes = 16,
}
const ENTRIES = 1 << 12;
const NO_MODE = -1;
const PAGE_OFFSET = 0xfff;
const FIRST_CAPACITY = 64;

/** Bytes of an arena that it takes. */
export const REGION_TABLE_BYTES = ENTRIES * Entry.Bytes;

function slotOf(physical: number): number {
  return ((physical ^ (physical >>> 12)) & (ENTRIES - 1)) * (Entry.Bytes >> 2);
}

/** The regions of a processor by number, and the blocks where they can be entered. */
export class RegionTable {
  /** Their functions, for the dispatcher alone: a module that imports a table lives as long as the table. */
  readonly functions = new WebAssembly.Table({ element: "anyfunc", initial: FIRST_CAPACITY });
  readonly entries: Int32Array;
  private readonly regions: Region[] = [];
  private free: number[] = [];

  constructor(arena: Arena) {
    this.entries = arena.words(REGION_TABLE_BYTES >> 2);
    this.entries.fill(NO_MODE);
  }

  /** A number for a region that is compiled next. */
  number(): number {
    return this.free.pop() ?? this.regions.length;
  }

  add(region: Region): void {
    const { number } = region;
    if (number >= this.functions.length) this.functions.grow(this.functions.length);
    this.functions.set(number, region.run);
    this.regions[number] = region;
  }

  /** The region of a number, also where it has been forgotten since it was entered. */
  at(number: number): Region {
    return this.regions[number];
  }

  /** Lets the dispatcher enter a block's region. */
  enter(block: Block, { number }: Region): void {
    const at = slotOf(block.physical);
    this.entries[at] = block.physical;
    this.entries[at + 1] = block.mode;
    this.entries[at + 2] = number;
    this.entries[at + 3] = block.entry;
  }

  /** Forgets a region and the ways into it. */
  forget({ number, blocks }: Region): void {
    for (const block of blocks) {
      const at = slotOf(block.physical);
      if (this.entries[at + 2] === number) this.entries[at + 1] = NO_MODE;
    }
    this.functions.set(number, null);
    this.free.push(number);
  }

  /** Forgets all. */
  clear(): void {
    this.entries.fill(NO_MODE);
    this.free = [...this.regions.keys()];
    for (const number of this.free) this.functions.set(number, null);
  }
}

/** Parameters and locals. */
const enum Of {
  Region = 0,
  Block = 1,
  Linear = 2,
  Physical = 3,
  At = 4,
  Code = 5,
}
const LOCALS = 4;

function field(at: Entry, base: number): Value {
  return word(local(Of.At), base + at);
}

/** Makes the page of Linear the known fetch page, as a hit of the host TLB; leaves by `out` where it is none. */
function fetchPage(body: Body, out: number): void {
  when(body, differs(shiftRight(local(Of.Linear), 12), state(Word.FetchPage)), () => {
    set(body, Of.At, word(shiftLeft(shiftRight(local(Of.Linear), 12), 2), Layout.HostTlb));
    branchIf(body, isZero(and(local(Of.At), state(Word.ReadBit))), out);
    storeState(body, Word.FetchPage, shiftRight(local(Of.Linear), 12));
    storeState(body, Word.FetchPhysical, subtract(and(local(Of.At), HostTlb.Frame), Layout.Ram));
  });
}

/**
 * (region, block) -> what the last region returned that ran (generate.ts, Exit), its number being in Layout.RunningRegion. 0: what
 * comes next is the interpreter's.
 */
export function dispatch({ entries }: RegionTable): Definition {
  const body = new Body(LOCALS, 0);
  const base = entries.byteOffset;
  const out = body.block();
  const again = body.loop();
  storeWord(body, Layout.RunningRegion, local(Of.Region));
  storeState(body, Word.Event, 0);
  body.get(Of.Block);
  body.get(Of.Region);
  body.callIndirect(Type.Unary);
  body.tee(Of.Code);
  body.branchIf(out);
  // Nothing may be due, and with alignment checked compiled code does not run.
  branchIf(body, or(state(Word.Attention), isZero(state(Word.ReadBit))), out);
  set(body, Of.Linear, state(Word.Eip));
  fetchPage(body, out);
  set(body, Of.Physical, or(state(Word.FetchPhysical), and(local(Of.Linear), PAGE_OFFSET)));
  const hash = and(xor(local(Of.Physical), shiftRight(local(Of.Physical), 12)), ENTRIES - 1);
  set(body, Of.At, multiply(hash, Entry.Bytes));
  branchIf(body, differs(field(Entry.Physical, base), local(Of.Physical)), out);
  branchIf(body, differs(field(Entry.Mode, base), state(Word.Mode)), out);
  set(body, Of.Region, field(Entry.Region, base));
  set(body, Of.Block, field(Entry.Block, base));
  body.branch(again);
  body.end();
  body.end();
  body.get(Of.Code);
  return { type: Type.Binary, body: body.finish() };
}
