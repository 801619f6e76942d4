/**
 * Spilling: names that got no register live in a frame slot from now on. Where an instruction can take memory in that
 * place it reads or writes the slot itself; otherwise a new name, for this instruction only, is loaded before and stored
 * after. Imports allocatecode, allocategraph, mir.
 */

import { moveItem, type WorkFunction, type WorkItem } from "./allocatecode";
import type { InterferenceGraph } from "./allocategraph";
import { FIRST_VIRTUAL, Role } from "./mir";

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
  const slotOf = assignSlots(code, graph, spilled);
  const slotOfName = (name: number) => (name < FIRST_VIRTUAL ? undefined : slotOf.get(representative(name)));
  for (const block of code.blocks) {
    const items: WorkItem[] = [];
    for (const item of block.items) {
      if (item.names.some((name) => slotOfName(name) !== undefined)) rewrite(code, item, slotOfName, items);
      else items.push(item);
    }
    block.items = items;
  }
}

/** The location (negative) of each spilled name: the first slot that no interfering name of this round has. */
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

function rewrite(
  code: WorkFunction,
  item: WorkItem,
  slotOfName: (name: number) => number | undefined,
  into: WorkItem[],
): void {
  const { names, roles } = item;
  const direct = directMention(item, slotOfName);
  const temporaries = new Map<number, { name: number; role: number; slot: number }>();
  const rewritten = names.map((name, k) => {
    const slot = slotOfName(name);
    if (slot === undefined) return name;
    if (k === direct || (item.isCopy && direct >= 0 && slotOfName(names[direct]) === slot)) return slot;
    let temporary = temporaries.get(slot);
    if (temporary === undefined) {
      temporary = { name: code.nameCount++, role: 0, slot };
      code.temporaries.add(temporary.name);
      temporaries.set(slot, temporary);
    }
    temporary.role |= roles[k];
    return temporary.name;
  });
  for (const { name, role, slot } of temporaries.values()) if (role & Role.Use) into.push(moveItem(name, slot));
  into.push({ ...item, names: rewritten });
  for (const { name, role, slot } of temporaries.values()) if (role & Role.Def) into.push(moveItem(slot, name));
}

/** The position whose register may be the slot itself, or -1: at most one operand can be memory. */
function directMention(item: WorkItem, slotOfName: (name: number) => number | undefined): number {
  const { names, roles } = item;
  if (names.some((name) => name < 0)) return -1;
  let best = -1;
  for (let k = 0; k < names.length; k++) {
    if (!(roles[k] & Role.Memory) || slotOfName(names[k]) === undefined) continue;
    // The same name elsewhere in the instruction would need a register anyway, unless all of it is this one mention.
    const repeated = names.some((name, other) => other !== k && slotOfName(name) === slotOfName(names[k]));
    if (repeated && !item.isCopy) continue;
    if (best < 0 || (roles[k] & Role.Def) > (roles[best] & Role.Def)) best = k;
  }
  return best;
}
