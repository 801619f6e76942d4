/**
 * Every frame: I4 (a data frame's reverse map is the set of ptes that map it), its references, that only data frames are mapped, the
 * copy-on-write rule, frames in use by kind. May import view.
 *
 * A chain is right when it has as many entries as ptes map the frame, each names such a pte, and none comes twice. A kernel that
 * was booted with rmap=off keeps none.
 */
import { Broken, hex, type Space, type View } from "./view";

/** Of each pte of each table, a bit: it was met in a chain. */
type Seen = Uint32Array;

export function auditFrames(view: View): void {
  const { table, directory, chain, data, frameKinds, framesInUse } = view.model.constants;
  const { mapCount, frames } = view;
  const seen: Seen = new Uint32Array(view.tables.length * 32);
  let blocks = 0;
  for (const frame of view.framesOf(data)) blocks += auditData(view, frame, seen);
  for (let frame = 0; frame < frames; frame++) {
    if (mapCount[frame] === 0 || view.kind(frame) === data) continue;
    const what = `a ${nameOf(view, view.kind(frame))} frame is mapped by ${mapCount[frame]} ptes`;
    view.report("frames", what, ownerOf(view, frame));
  }
  for (const frame of view.framesOf(table)) {
    if (view.tableOf[frame] < 0) view.report("I1", "a page table that no directory points at", { frame });
  }
  const directories = new Set(view.spaces.map((space) => space.directory));
  for (const frame of view.framesOf(directory)) {
    if (!directories.has(frame)) view.report("frames", "a directory of no process", { frame });
  }
  let blocksInUse = 0;
  for (const frame of view.framesOf(chain))
    blocksInUse += view.words[view.page(frame) + view.model.fields.SlabPage.inUse];
  if (blocks !== blocksInUse) {
    view.report("I4", `${blocksInUse} chain blocks are in use, expected ${blocks}: so many are in chains`);
  }
  let used = 0;
  for (let kind = 1; kind < frameKinds; kind++) {
    used += view.framesOf(kind).length;
    checkCount(view, `frames in use as ${nameOf(view, kind)}`, framesInUse + kind * 4, view.framesOf(kind).length);
  }
  checkCount(view, "freeCount", view.model.variables.freeCount, view.frames - used);
}

function checkCount(view: View, what: string, address: number, expected: number): void {
  const kept = view.word(address);
  if (kept !== expected)
    view.report("frames", `${what} is ${kept}, expected ${expected}: so many frames have that kind`);
}

/** A data frame: its reverse map, its references, who may write to it. Returns how many chain blocks it has. */
function auditData(view: View, frame: number, seen: Seen): number {
  const { words, mapCount, writableCount } = view;
  const { Page } = view.model.fields;
  const page = view.page(frame);
  const ptes = mapCount[frame];
  const rmap = words[page + Page.rmap];
  let blocks = 0;
  if (view.word(view.model.variables.rmapKept) !== 0) blocks = auditRmap(view, frame, rmap, seen);
  else if (rmap !== 0) view.report("I4", `rmap is ${hex(rmap)} with rmap=off`, ownerOf(view, frame));
  const owned = words[page + Page.object] !== 0 ? 1 : 0;
  const count = words[page + Page.count];
  if (count !== ptes + owned) {
    const holders = `${ptes} ptes map it${owned ? " and an object holds it" : ""}`;
    view.report("I4", `count is ${count}, expected ${ptes + owned}: ${holders}`, ownerOf(view, frame));
  }
  if (ptes > 1 && !owned && writableCount[frame] > 0) {
    const text = `a private page is mapped by ${ptes} ptes, and ${writableCount[frame]} of them let write`;
    view.report("I2", text, ownerOf(view, frame, view.model.constants.write));
  }
  return blocks;
}

function nameOf(view: View, kind: number): string {
  return view.model.kindNames[kind] ?? `kind ${kind}`;
}

/** Checks the reverse map of a frame; returns how many chain blocks it has. */
function auditRmap(view: View, frame: number, rmap: number, seen: Seen): number {
  const expected = view.mapCount[frame];
  const { direct } = view.model.constants;
  if (rmap === 0 && expected === 0) return 0;
  // Most frames are mapped once.
  if (expected === 1 && (rmap & direct) !== 0 && entryFault(view, (rmap & ~direct) >>> 0, frame, seen) === undefined) {
    return 0;
  }
  const { entries, blocks, fault } = readRmap(view, rmap, expected + 8);
  const wrong = fault ?? entries.map((pte) => entryFault(view, pte, frame, seen)).find((text) => text !== undefined);
  const few = entries.length !== expected ? `the rmap has ${entries.length} entries, expected ${expected}` : undefined;
  const single = entries.length === 1 && (rmap & direct) === 0 ? "a chain of one entry" : undefined;
  const text = wrong ?? few ?? single;
  if (text !== undefined) {
    const places = placesOf(view, frame, view.model.constants.mapped).map(({ address }) => hex(address));
    const list = places.length > 0 ? `mapped at ${places.join(", ")}` : "mapped nowhere";
    view.report("I4", `${text}; ${list}`, ownerOf(view, frame));
  }
  return blocks;
}

/** The ptes that a reverse map names, `most` at most: their kernel addresses. */
export function readRmap(
  view: View,
  rmap: number,
  most: number,
): { entries: number[]; blocks: number; fault?: string } {
  const { direct, blockMask, firstEntry, chain } = view.model.constants;
  if (rmap === 0) return { entries: [], blocks: 0 };
  if ((rmap & direct) !== 0) return { entries: [(rmap & ~direct) >>> 0], blocks: 0 };
  const entries: number[] = [];
  let blocks = 1;
  let cursor = rmap;
  try {
    while (cursor !== 0 && entries.length < most) {
      const frame = view.index(cursor) >>> 10;
      if (frame >= view.frames || view.kind(frame) !== chain || (cursor & blockMask) < firstEntry) {
        return { entries, blocks, fault: `the chain leads to ${hex(cursor)}, which is in no chain block` };
      }
      entries.push(view.word(cursor));
      if ((cursor & blockMask) === firstEntry) {
        cursor = view.word(cursor - firstEntry);
        if (cursor !== 0) blocks++;
      } else cursor -= 4;
    }
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    return { entries, blocks, fault: `the chain is broken: ${error.message}` };
  }
  return { entries, blocks };
}

/** What is wrong with one entry of a frame's chain; notes that it was met. */
function entryFault(view: View, pte: number, frame: number, seen: Seen): string | undefined {
  const physical = pte - view.model.constants.kernelBase;
  const tableFrame = physical >>> 12;
  const table = physical >= 0 && tableFrame < view.frames ? view.tableOf[tableFrame] : -1;
  if (table < 0) return `the rmap names a pte at ${hex(pte)}, which is in no table`;
  const index = (physical >>> 2) & 1023;
  const { slot } = view.tables[table];
  const address = slot * 0x400000 + index * 4096;
  const entry = view.words[physical >>> 2];
  if ((entry & view.model.constants.mapped) === 0 || entry >>> 12 !== frame) {
    return `the rmap names the pte of ${hex(address)} in table ${hex(tableFrame)}, which is ${hex(entry)}`;
  }
  const word = table * 32 + (index >>> 5);
  const bit = 1 << (index & 31);
  if ((seen[word] & bit) !== 0) return `the rmap names the pte of ${hex(address)} in table ${hex(tableFrame)} twice`;
  seen[word] |= bit;
  return undefined;
}

interface Place {
  space: Space;
  slot: number;
  address: number;
  pte: number;
}

/** Every pte with any of `bits` that names a frame: a search through all tables, for messages. */
function placesOf(view: View, frame: number, bits: number): Place[] {
  const places: Place[] = [];
  for (const { frame: tableFrame, slot, sharers } of view.tables) {
    for (let i = 0; i < 1024; i++) {
      const pte = view.words[(tableFrame << 10) + i];
      if (pte >>> 12 !== frame || (pte & view.model.constants.mapped) === 0 || (pte & bits) === 0) continue;
      places.push({ space: sharers[0], slot, address: slot * 0x400000 + i * 4096, pte });
    }
  }
  return places;
}

/** Whom a finding about a frame concerns: the first who maps it with any of `bits`. */
export function ownerOf(view: View, frame: number, bits = view.model.constants.mapped) {
  const [place] = placesOf(view, frame, bits);
  return place ? { space: place.space, slot: place.slot, frame } : { frame };
}
