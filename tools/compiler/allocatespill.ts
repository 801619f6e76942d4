/**
 * Spilling: names that got no register live in a frame slot from now on. Where an instruction can take memory in that
 * place it reads or writes the slot itself. Otherwise, between two calls of a block, all mentions share a new local name,
 * which is loaded before the first of them and stored after each that writes; if even that gets no register, each
 * instruction has a name of its own, a temporary. Imports allocatecode, allocategraph, mir.
 */

import { moveItem, type WorkFunction, type WorkItem } from "./allocatecode";
import type { InterferenceGraph } from "./allocategraph";
import { CALL_CLOBBERS, FIRST_VIRTUAL, Role } from "./mir";

/** The slot (negative) of a name that is spilled in this round, else undefined. */
type SlotOf = (name: number) => number | undefined;

/** What stands for a name and all that were coalesced with it, if it is spilled in this round for the first time; else -1. */
type WebOf = (name: number) => number;

/**
 * Rewrite the code so that the given names (representatives, with all that were coalesced into them) are in slots.
 * Names that do not interfere may share a slot.
 */
export function spill(
  code: WorkFunction,
  graph: InterferenceGraph,
  spilled: readonly number[],
  representative: (name: number) => number,
): void {
  const assigned = assignSlots(code, graph, spilled);
  // A local name that had a slot already goes back to it.
  const slotOf: SlotOf = (name) => {
    if (name < FIRST_VIRTUAL) return undefined;
    const slot = assigned.get(representative(name));
    return slot === undefined ? undefined : (code.homes.get(name) ?? slot);
  };
  // Names that were coalesced share a slot and are never live at once: they go together.
  const webOf: WebOf = (name) => (slotOf(name) === undefined || code.homes.has(name) ? -1 : representative(name));
  const spread = countSegments(code, webOf);
  for (const block of code.blocks) {
    const items: WorkItem[] = [];
    for (const segment of segmentsOf(block.items)) {
      const locals = chooseLocals(code, segment, webOf, slotOf, spread);
      rewriteSegment(code, segment, slotOf, (name) => locals.get(webOf(name)), items);
    }
    block.items = items;
  }
}

/** The slot of each spilled name: the first that no interfering name of this round has. */
function assignSlots(code: WorkFunction, graph: InterferenceGraph, spilled: readonly number[]): Map<number, number> {
  const slotOf = new Map<number, number>();
  const first = code.slots;
  for (const name of spilled) {
    let slot = first;
    while (spilled.some((other) => slotOf.get(other) === ~slot && graph.interferes(name, other))) slot++;
    slotOf.set(name, ~slot);
    code.slots = Math.max(code.slots, slot + 1);
  }
  return slotOf;
}

/** A block's items cut after each call. */
function segmentsOf(items: readonly WorkItem[]): WorkItem[][] {
  const segments: WorkItem[][] = [[]];
  for (const item of items) {
    segments[segments.length - 1].push(item);
    if ((item.fixedDefs & CALL_CLOBBERS) === CALL_CLOBBERS) segments.push([]);
  }
  return segments;
}

/** In how many segments each web is mentioned: one in a single segment gains nothing from a local name there. */
function countSegments(code: WorkFunction, webOf: WebOf): Map<number, number> {
  const counts = new Map<number, number>();
  for (const block of code.blocks) {
    for (const segment of segmentsOf(block.items)) {
      const seen = new Set<number>();
      for (const { names } of segment) for (const name of names) seen.add(webOf(name));
      for (const web of seen) counts.set(web, (counts.get(web) ?? 0) + 1);
    }
  }
  return counts;
}

/** What a slot as operand costs, in instructions: read or written, and both in one. */
const SLOT_COST = 0.1;
const SLOT_UPDATE_COST = 0.5;

/** New names for those webs whose mentions in the segment cost less with one load before and one store behind them. */
function chooseLocals(
  code: WorkFunction,
  segment: readonly WorkItem[],
  webOf: WebOf,
  slotOf: SlotOf,
  spread: ReadonlyMap<number, number>,
): Map<number, number> {
  const costs = new Map<number, { direct: number; load: number; store: number; slot: number }>();
  for (const { names, roles } of segment) {
    for (let k = 0; k < names.length; k++) {
      const web = webOf(names[k]);
      if (web < 0 || (spread.get(web) as number) < 2) continue;
      const reads = roles[k] & Role.Use ? 1 : 0;
      const writes = roles[k] & Role.Def ? 1 : 0;
      let cost = costs.get(web);
      if (cost === undefined) {
        cost = { direct: 0, load: reads, store: 0, slot: slotOf(names[k]) as number };
        costs.set(web, cost);
      }
      if (!(roles[k] & Role.Memory)) cost.direct += reads + writes;
      else cost.direct += reads + writes === 2 ? SLOT_UPDATE_COST : SLOT_COST;
      if (writes) cost.store = 1;
    }
  }
  const locals = new Map<number, number>();
  for (const [web, { direct, load, store, slot }] of costs) {
    if (direct <= load + store) continue;
    const local = code.nameCount++;
    code.homes.set(local, slot);
    locals.set(web, local);
  }
  return locals;
}

/** Rewrite one segment; `localOf` gives the local name of those that have one. */
function rewriteSegment(
  code: WorkFunction,
  segment: readonly WorkItem[],
  slotOf: SlotOf,
  localOf: (name: number) => number | undefined,
  into: WorkItem[],
): void {
  const loaded = new Set<number>();
  for (const item of segment) {
    if (item.names.every((name) => slotOf(name) === undefined)) {
      into.push(item);
      continue;
    }
    const stores: WorkItem[] = [];
    const touched = new Set<number>();
    const renamed = item.names.map((name, k) => {
      const local = localOf(name);
      if (local === undefined) return name;
      const slot = slotOf(name) as number;
      if (!loaded.has(local) && item.roles[k] & Role.Use) {
        into.push(moveItem(local, slot));
        loaded.add(local);
      }
      if (item.roles[k] & Role.Def) stores.push(moveItem(slot, local));
      touched.add(local);
      return local;
    });
    for (const local of touched) loaded.add(local);
    rewrite(code, { ...item, names: renamed }, slotOf, into);
    into.push(...stores);
  }
}

/** Put slots or temporaries in the place of spilled names. */
function rewrite(code: WorkFunction, item: WorkItem, slotOf: SlotOf, into: WorkItem[]): void {
  const { names, roles } = item;
  const direct = directMention(item, slotOf);
  const temporaries = new Map<number, { name: number; role: number; slot: number }>();
  const rewritten = names.map((name, k) => {
    const slot = slotOf(name);
    if (slot === undefined) return name;
    if (k === direct || (item.isCopy && direct >= 0 && slotOf(names[direct]) === slot)) return slot;
    // A move that the allocator made between a local name and its slot has nothing left to do.
    if (item.instruction === null && names.includes(slot)) return slot;
    let temporary = temporaries.get(slot);
    if (temporary === undefined) {
      temporary = { name: code.nameCount++, role: 0, slot };
      code.temporaries.add(temporary.name);
      temporaries.set(slot, temporary);
    }
    temporary.role |= roles[k];
    return temporary.name;
  });
  if (item.instruction === null && rewritten[0] === rewritten[1]) return;
  for (const { name, role, slot } of temporaries.values()) if (role & Role.Use) into.push(moveItem(name, slot));
  into.push({ ...item, names: rewritten });
  for (const { name, role, slot } of temporaries.values()) if (role & Role.Def) into.push(moveItem(slot, name));
}

/** The position whose register may be the slot itself, or -1: at most one operand can be memory. */
function directMention(item: WorkItem, slotOf: SlotOf): number {
  const { names, roles } = item;
  if (names.some((name) => name < 0)) return -1;
  let best = -1;
  for (let k = 0; k < names.length; k++) {
    if (!(roles[k] & Role.Memory) || slotOf(names[k]) === undefined) continue;
    // The same name elsewhere in the instruction would need a register anyway, unless all of it is this one mention.
    const repeated = names.some((name, other) => other !== k && slotOf(name) === slotOf(names[k]));
    if (repeated && !item.isCopy) continue;
    if (best < 0 || (roles[k] & Role.Def) > (roles[best] & Role.Def)) best = k;
  }
  return best;
}

/** Drop the allocator's stores to slots that nothing reads afterwards. */
export function removeDeadStores(code: WorkFunction): void {
  const { blocks, slots } = code;
  if (slots === 0) return;
  const liveIn = blocks.map(() => new Set<number>());
  const walk = (b: number, drop: boolean): Set<number> => {
    const live = new Set<number>();
    for (const successor of blocks[b].successors) for (const slot of liveIn[successor]) live.add(slot);
    const { items } = blocks[b];
    const kept: WorkItem[] = [];
    for (let i = items.length - 1; i >= 0; i--) {
      const { instruction, names, roles } = items[i];
      if (drop && instruction === null && names[0] < 0 && !live.has(names[0])) continue;
      kept.push(items[i]);
      for (let k = 0; k < names.length; k++) if (names[k] < 0 && roles[k] & Role.Def) live.delete(names[k]);
      for (let k = 0; k < names.length; k++) if (names[k] < 0 && roles[k] & Role.Use) live.add(names[k]);
    }
    if (drop) blocks[b].items = kept.reverse();
    return live;
  };
  for (let changed = true; changed; ) {
    changed = false;
    for (let b = blocks.length - 1; b >= 0; b--) {
      const live = walk(b, false);
      if (live.size !== liveIn[b].size) changed = true;
      liveIn[b] = live;
    }
  }
  for (let b = 0; b < blocks.length; b++) walk(b, true);
}
