/**
 * Swap: the entries that name each slot (in ptes, and in the places of shared objects) against its count, the swap cache against the
 * frames in it, free slots, and that no pte lets write to what the cache has. The indexes of shared objects that somebody maps are
 * followed on the way. May import view.
 */
import { Broken, hex, type View } from "./view";

const ENTRIES = 1024;

/** Follows every object that a mapping shows, once: its pages say that they are its, its swapped places are entries. */
export function auditObjects(view: View): void {
  const objects = new Set(view.spaces.flatMap(({ mappings }) => mappings.map(({ object }) => object)));
  objects.delete(0);
  for (const object of objects) auditObject(view, object);
}

function auditObject(view: View, object: number): void {
  const { SharedObject, Page } = view.model.fields;
  const { swappedPlace, data } = view.model.constants;
  const root = view.word(object + SharedObject.root * 4);
  if (root === 0) return;
  for (const i of view.entriesAt(root)) {
    const leaf = view.word(root + i * 4);
    for (const j of view.entriesAt(leaf)) {
      const place = view.word(leaf + j * 4);
      if ((place & swappedPlace) !== 0) {
        view.swapEntry((place & ~swappedPlace) >>> 0);
        continue;
      }
      const index = i * ENTRIES + j;
      const what = `page ${index} of the object at ${hex(object)}`;
      if (place >= view.frames || view.kind(place) !== data) {
        view.report("frames", `${what} is in frame ${hex(place)}, which is no data frame`);
        continue;
      }
      const page = view.page(place);
      if (view.words[page + Page.object] !== object || view.words[page + Page.index] !== index) {
        view.report("frames", `${what} is in a frame that says otherwise`, { frame: place });
      }
    }
  }
}

/** Every slot: its count, its frame, and how many are free. After auditTables and auditObjects. */
export function auditSwap(view: View): void {
  const { Page } = view.model.fields;
  const { cacheMark, data, badSlot } = view.model.constants;
  const { words, swapEntries, writableCount } = view;
  const slots = view.word(view.model.variables.swapSlots);
  const cached = new Map<number, number>();
  for (const frame of view.framesOf(data)) {
    const page = view.page(frame);
    if (words[page + Page.object] !== cacheMark) continue;
    cached.set(words[page + Page.index], frame);
    if (writableCount[frame] > 0) view.report("swap", "a pte lets write to a page of the swap cache", { frame });
  }
  for (const [slot, entries] of swapEntries) {
    if (slot === 0 || slot >= slots) view.report("swap", `${entries} entries name slot ${slot} of ${slots}`);
  }
  if (slots === 0) return;
  const table = view.index(view.word(view.model.variables.slotWords));
  if (table + 2 * slots > words.length) throw new Broken("the words of the swap slots reach beyond the end of memory");
  let free = 0;
  for (let slot = 1; slot < slots; slot++) {
    const count = words[table + 2 * slot];
    const frame = words[table + 2 * slot + 1];
    const entries = swapEntries.get(slot) ?? 0;
    if ((count & ~badSlot) >>> 0 !== entries) {
      view.report("swap", `the count of slot ${slot} is ${(count & ~badSlot) >>> 0}, expected ${entries} entries`);
    }
    if (frame !== (cached.get(slot) ?? 0)) {
      const expected = hex(cached.get(slot) ?? 0);
      view.report("swap", `slot ${slot} has frame ${hex(frame)} in the swap cache, expected ${expected}`);
    }
    if (count === 0 && frame === 0) free++;
  }
  const kept = view.word(view.model.variables.swapFreeSlots);
  if (kept !== free) view.report("swap", `swapFreeSlots is ${kept}, expected ${free}`);
}

/** The lists of reclaim: every frame that says so is in one of them, once, and they are counted. */
export function auditLru(view: View): void {
  const { Page } = view.model.fields;
  const { activeHead, inactiveHead, lru, active, data } = view.model.constants;
  const { words } = view;
  let listed = 0;
  for (const [head, wanted, count] of [
    [activeHead, lru | active, view.word(view.model.variables.activeFrames)],
    [inactiveHead, lru, view.word(view.model.variables.inactiveFrames)],
  ]) {
    const name = head === activeHead ? "active" : "inactive";
    let length = 0;
    let address = words[view.index(head) + Page.next];
    while (address !== head) {
      const frame = view.frameOfPage(address);
      if (frame < 0 || length > view.frames) {
        view.report("frames", `the ${name} list leads to ${hex(address)}, ${frame < 0 ? "no frame's" : "without end"}`);
        return;
      }
      const flags = words[view.page(frame)];
      if (view.kind(frame) !== data || (flags & (lru | active)) !== wanted) {
        view.report("frames", `in the ${name} list, with flags ${hex(flags)}`, { frame });
      }
      length++;
      address = words[view.page(frame) + Page.next];
    }
    if (length !== count) view.report("frames", `the ${name} list has ${length} frames, and ${count} are counted`);
    listed += length;
  }
  let flagged = 0;
  for (const frame of view.framesOf(data)) if ((words[view.page(frame)] & lru) !== 0) flagged++;
  if (flagged !== listed)
    view.report("frames", `${flagged} frames say that they are in a list of reclaim, ${listed} are`);
}
