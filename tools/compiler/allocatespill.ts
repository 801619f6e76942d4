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
  const spread = countSegments(code, slotOf);
  for (const block of code.blocks) {
    const items: WorkItem[] = [];
    for (const segment of segmentsOf(block.items)) rewriteSegment(code, segment, slotOf, spread, items);
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

/** In how many segments each spilled name is mentioned: one in a single segment gains nothing from a local name there. */
function countSegments(code: WorkFunction, slotOf: SlotOf): Map<number, number> {
  const counts = new Map<number, number>();
  for (const block of code.blocks) {
    for (const segment of segmentsOf(block.items)) {
      const seen = new Set<number>();
      for (const { names } of segment) for (const name of names) if (slotOf(name) !== undefined) seen.add(name);
      for (const name of seen) counts.set(name, (counts.get(name) ?? 0) + 1);
    }
  }
  return counts;
}

function rewriteSegment(
  code: WorkFunction,
  segment: readonly WorkItem[],
  slotOf: SlotOf,
  spread: ReadonlyMap<number, number>,
  into: WorkItem[],
): void {
  const locals = chooseLocals(code, segment, slotOf, spread);
  const loaded = new Set<number>();
  for (const item of segment) {
    if (item.names.every((name) => slotOf(name) === undefined)) {
      into.push(item);
      continue;
    }
    const stores: WorkItem[] = [];
    const renamed = item.names.map((name, k) => {
      const local = locals.get(name);
      if (local === undefined) return name;
      const slot = slotOf(name) as number;
      if (!loaded.has(name) && item.roles[k] & Role.Use) into.push(moveItem(local, slot));
      loaded.add(name);
      if (item.roles[k] & Role.Def) stores.push(moveItem(slot, local));
      return local;
    });
    rewrite(code, { ...item, names: renamed }, slotOf, into);
    into.push(...stores);
  }
}

/** New names for those that an instruction of the segment needs in a register and that are mentioned again in it. */
function chooseLocals(
  code: WorkFunction,
  segment: readonly WorkItem[],
  slotOf: SlotOf,
  spread: ReadonlyMap<number, number>,
): Map<number, number> {
  const mentions = new Map<number, { all: number; hard: number }>();
  for (const item of segment) {
    for (let k = 0; k < item.names.length; k++) {
      const name = item.names[k];
      if (slotOf(name) === undefined || code.homes.has(name) || (spread.get(name) as number) < 2) continue;
      const count = mentions.get(name) ?? { all: 0, hard: 0 };
      mentions.set(name, count);
      count.all++;
      if (!(item.roles[k] & Role.Memory)) count.hard++;
    }
  }
  const locals = new Map<number, number>();
  for (const [name, { all, hard }] of mentions) {
    if (hard === 0 || all < 2) continue;
    const local = code.nameCount++;
    code.homes.set(local, slotOf(name) as number);
    locals.set(name, local);
  }
  return locals;
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
