/**
 * The entries of every table, each table once however many share it: I5 (present, swapped, locked), and that no pte grants what
 * its mapping does not. Counts for each frame how many ptes map it. May import view, spaces.
 */
import { firstInSlot, SLOT_BYTES } from "./spaces";
import { hex, type Space, type Table, type View } from "./view";

const PAGE_BYTES = 4096;

export function auditTables(view: View): void {
  for (const table of view.tables) auditTable(view, table);
}

function auditTable(view: View, table: Table): void {
  const { words, mapCount, writableCount, frames } = view;
  const { present: presentBit, write, mapped, vmWrite, vmAccess, vmLocked, lockedPte } = view.model.constants;
  const { frame: tableFrame, slot } = table;
  const [space] = table.sharers;
  const { mappings } = space;
  const base = tableFrame << 10;
  let mapping = firstInSlot(space, slot);
  let present = 0;
  let swapped = 0;
  for (const i of view.entries.of(tableFrame)) {
    const pte = words[base + i];
    const address = slot * SLOT_BYTES + i * PAGE_BYTES;
    while (mapping < mappings.length && mappings[mapping].end <= address) mapping++;
    const inside = mapping < mappings.length && mappings[mapping].start <= address;
    const about = { space, slot, frame: pte >>> 12 };
    if (!inside)
      view.report("mappings", `the pte of ${hex(address)} is ${hex(pte)}, but nothing is mapped there`, about);
    if ((pte & mapped) === 0) {
      swapped++;
      view.swapEntry(pte >>> 12);
      if ((pte & 0xfff) !== 0) view.report("swap", `the pte of ${hex(address)} is ${hex(pte)}, no swap entry`, about);
      continue;
    }
    present++;
    const frame = pte >>> 12;
    if (frame >= frames) {
      view.report("frames", `the pte of ${hex(address)} maps a frame that does not exist`, about);
      continue;
    }
    mapCount[frame]++;
    const flags = inside ? mappings[mapping].flags : vmWrite | vmAccess;
    if (inside && ((pte & lockedPte) !== 0) !== ((flags & vmLocked) !== 0)) {
      const says =
        (pte & lockedPte) !== 0 ? "is not under mlock, its pte says so" : "is under mlock, its pte does not say so";
      view.report("mappings", `${hex(address)} ${says}`, about);
    }
    if ((pte & presentBit) === 0) continue;
    if ((flags & vmAccess) === 0) view.report("mappings", `${hex(address)} is accessible, its mapping is not`, about);
    if ((pte & write) === 0) continue;
    writableCount[frame]++;
    if ((flags & vmWrite) === 0) view.report("mappings", `${hex(address)} is writable, its mapping is not`, about);
  }
  const { TablePage } = view.model.fields;
  const page = view.page(tableFrame);
  const counts = { present, swapped, locked: lockedPages(space, slot, vmLocked) };
  for (const [name, expected] of Object.entries(counts) as [keyof typeof counts, number][]) {
    const kept = words[page + TablePage[name]];
    if (kept === expected) continue;
    const what = name === "locked" ? "pages of the slot are under mlock" : "ptes are";
    view.report("I5", `${name} is ${kept}, expected ${expected}: so many ${what}`, { space, slot, frame: tableFrame });
  }
}

/** Pages of a slot that lie in mappings with the flag of mlock. */
function lockedPages(space: Space, slot: number, vmLocked: number): number {
  const end = (slot + 1) * SLOT_BYTES;
  let pages = 0;
  for (let i = firstInSlot(space, slot); i < space.mappings.length && space.mappings[i].start < end; i++) {
    const mapping = space.mappings[i];
    if ((mapping.flags & vmLocked) === 0) continue;
    pages += (Math.min(mapping.end, end) - Math.max(mapping.start, slot * SLOT_BYTES)) / PAGE_BYTES;
  }
  return pages;
}
