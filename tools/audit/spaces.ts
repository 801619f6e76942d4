/**
 * Address spaces and the directories against the tables: I1 (users), I2 (W of shared pdes), I3 (sharers' mappings). May import
 * view. Source: docs/audit.md; the design's section on the algorithm.
 */
import { Broken, hex, type Mapping, type Space, type Table, type View } from "./view";

/** Bytes that one slot covers. */
export const SLOT_BYTES = 0x400000;
/** Bit of a pde that makes it a 4 MB page (Intel SDM volume 3, 4.3). */
const PDE_LARGE = 0x80;

/** Finds the address spaces of all tasks, each once however many tasks use it, and their mappings. */
export function readSpaces(view: View): void {
  const { Task, Mm } = view.model.fields;
  const { taskHash, taskHashSize } = view.model.constants;
  const known = new Map<number, Space>();
  let tasks = 0;
  for (let bucket = 0; bucket < taskHashSize; bucket++) {
    let task = view.word(taskHash + bucket * 4);
    while (task !== 0) {
      if (++tasks > view.frames) throw new Broken("the table of tasks has no end");
      const at = view.index(task);
      const mm = view.words[at + Task.mm];
      if (mm !== 0) {
        const pid = view.words[at + Task.pid];
        const space = known.get(mm);
        if (space === undefined) {
          const directory = (view.word(mm + Mm.directory * 4) - view.model.constants.kernelBase) >>> 12;
          known.set(mm, { mm, pid, name: nameAt(view, at), tasks: 1, directory, mappings: [] });
        } else {
          space.tasks++;
          if (pid < space.pid) Object.assign(space, { pid, name: nameAt(view, at) });
        }
      }
      task = view.words[at + Task.hashNext];
    }
  }
  view.spaces = [...known.values()].sort((a, b) => a.pid - b.pid);
  for (const space of view.spaces) {
    const users = view.word(space.mm + Mm.users * 4);
    if (users !== space.tasks) {
      view.report("mappings", `users of the address space is ${users}, ${space.tasks} tasks use it`, { space });
    }
    readMappings(view, space);
  }
}

function nameAt(view: View, task: number): string {
  let name = "";
  for (let i = 0; i < view.model.constants.taskNameBytes; i++) {
    const byte = (view.words[task + view.model.fields.Task.name0 + (i >> 2)] >>> (8 * (i & 3))) & 0xff;
    if (byte === 0) break;
    name += String.fromCharCode(byte);
  }
  return name;
}

function readMappings(view: View, space: Space): void {
  const { Mm, Vma } = view.model.fields;
  const { words } = view;
  let vma = view.word(space.mm + Mm.vmas * 4);
  let end = 0;
  while (vma !== 0) {
    const at = view.index(vma);
    const mapping: Mapping = {
      start: words[at + Vma.start],
      end: words[at + Vma.end],
      flags: words[at + Vma.flags],
      object: words[at + Vma.object],
      offset: words[at + Vma.offset],
      source: words[at + Vma.source],
      sourceBytes: words[at + Vma.sourceBytes],
    };
    if (mapping.start < end || mapping.end <= mapping.start || mapping.end > view.model.constants.kernelBase) {
      const text = `the mapping ${hex(mapping.start)}-${hex(mapping.end)} is empty, out of order or overlaps another`;
      view.report("mappings", text, { space });
      // A list that does not ascend may never end.
      return;
    }
    end = mapping.end;
    space.mappings.push(mapping);
    vma = words[at + Vma.next];
  }
  const counted = view.word(space.mm + Mm.vmaCount * 4);
  if (counted !== space.mappings.length) {
    view.report("mappings", `vmaCount is ${counted}, there are ${space.mappings.length}`, { space });
  }
}

/** Index of the first mapping that reaches into a slot, or the number of mappings. */
export function firstInSlot({ mappings }: Space, slot: number): number {
  let first = 0;
  while (first < mappings.length && mappings[first].end <= slot * SLOT_BYTES) first++;
  return first;
}

/** Whether only shared mappings, and at least one, reach into a slot. */
function onlyShared(view: View, space: Space, slot: number): boolean {
  const first = firstInSlot(space, slot);
  let i = first;
  for (; i < space.mappings.length && space.mappings[i].start < (slot + 1) * SLOT_BYTES; i++) {
    if ((space.mappings[i].flags & view.model.constants.vmShared) === 0) return false;
  }
  return i > first;
}

/** Walks every directory: finds the tables, checks each pde. */
export function auditDirectories(view: View): void {
  const { userSlots, directory, table: tableKind } = view.model.constants;
  const kernelHalf = view.spaces[0]?.directory ?? 0;
  for (const space of view.spaces) {
    if (space.directory >= view.frames || view.kind(space.directory) !== directory) {
      view.report("frames", "its page directory is in no directory frame", { space, frame: space.directory });
      continue;
    }
    const base = space.directory << 10;
    for (const slot of view.entries.of(space.directory)) {
      if (slot >= userSlots) break;
      const pde = view.words[base + slot];
      const frame = pde >>> 12;
      const about = { space, slot, frame };
      if ((pde & view.model.constants.present) === 0 || (pde & PDE_LARGE) !== 0 || frame >= view.frames) {
        view.report("frames", `the pde is ${hex(pde)}, which names no page table`, about);
        continue;
      }
      if (view.kind(frame) !== tableKind) {
        const kind = view.model.kindNames[view.kind(frame)];
        view.report("frames", `the pde points at a ${kind} frame, not at a page table`, about);
        continue;
      }
      checkPde(view, space, slot, pde);
    }
    for (let slot = userSlots; slot < 1024; slot++) {
      if (view.words[base + slot] !== view.words[(kernelHalf << 10) + slot]) {
        view.report("mappings", "the kernel's half of the directory differs from another's", { space, slot });
      }
    }
  }
  for (const table of view.tables) auditUsers(view, table);
}

/** Notes one use of a table and compares the sharer with the first one. */
function checkPde(view: View, space: Space, slot: number, pde: number): void {
  const frame = pde >>> 12;
  const about = { space, slot, frame };
  if (firstInSlot(space, slot) === space.mappings.length || !reaches(space, slot)) {
    view.report("mappings", "the slot has a table and no mapping", about);
  }
  const index = view.tableOf[frame];
  if (index < 0) {
    view.tableOf[frame] = view.tables.length;
    view.tables.push({ frame, slot, sharers: [space] });
    return;
  }
  const table = view.tables[index];
  const [other] = table.sharers;
  table.sharers.push(space);
  if (table.slot !== slot) {
    view.report("I1", `the table is in slot ${table.slot} of pid ${other.pid} too: one table has one slot`, about);
    return;
  }
  const difference = compareMappings(view, other, space, slot);
  if (difference) view.report("I3", `${difference.text} (pid ${other.pid} against pid ${space.pid})`, about);
}

function reaches(space: Space, slot: number): boolean {
  const mapping = space.mappings[firstInSlot(space, slot)];
  return mapping !== undefined && mapping.start < (slot + 1) * SLOT_BYTES;
}

/** I1, I2, and the slot that the table's struct Page names. */
function auditUsers(view: View, table: Table): void {
  const { TablePage } = view.model.fields;
  const { write } = view.model.constants;
  const { frame, slot, sharers } = table;
  const [space] = sharers;
  const page = view.page(frame);
  const users = view.words[page + TablePage.users];
  if (users !== sharers.length) {
    const pids = sharers.map(({ pid }) => pid).join(", ");
    const directories = sharers.length === 1 ? "directory points" : "directories point";
    const text = `users is ${users}, expected ${sharers.length}: so many ${directories} at the table (pid ${pids})`;
    view.report("I1", text, { space, slot, frame });
  }
  const named = view.words[page + TablePage.slot];
  if (named !== slot) view.report("I1", `the table's slot is ${named}, expected ${slot}`, { space, slot, frame });
  if (sharers.length < 2) return;
  const wanted = onlyShared(view, space, slot);
  for (const sharer of sharers) {
    const pde = view.words[(sharer.directory << 10) + slot];
    if (((pde & write) !== 0) === wanted) continue;
    const why = wanted ? "only MAP_SHARED mappings in the slot" : "a private mapping in the slot";
    const text = `the pde has W = ${wanted ? 0 : 1}, expected ${wanted ? 1 : 0}: ${sharers.length} users, ${why}`;
    view.report("I2", text, { space: sharer, slot, frame });
  }
}

/** What a mapping says of one address in it; `until` is where that may change. */
function describe(mapping: Mapping | undefined, at: number): { text: string; until: number } {
  if (mapping === undefined || mapping.start > at) {
    return { text: "nothing", until: mapping?.start ?? Number.POSITIVE_INFINITY };
  }
  const { start, end, flags, object, offset, source, sourceBytes } = mapping;
  const fileEnd = start + sourceBytes;
  const parts = [`flags ${hex(flags)}`];
  if (object !== 0) parts.push(`object ${hex(object)} page ${offset + ((at - start) >>> 12)}`);
  if (at < fileEnd) parts.push(`file bytes at ${hex(source + at - start)}`);
  return { text: parts.join(", "), until: at < fileEnd && fileEnd < end ? fileEnd : end };
}

/** Where two address spaces' mappings of a slot differ first, however they are cut; undefined when they do not. */
export function compareMappings(view: View, one: Space, two: Space, slot: number): { text: string } | undefined {
  const end = Math.min((slot + 1) * SLOT_BYTES, view.model.constants.kernelBase);
  let at = slot * SLOT_BYTES;
  let i = firstInSlot(one, slot);
  let j = firstInSlot(two, slot);
  while (at < end) {
    while (one.mappings[i] !== undefined && one.mappings[i].end <= at) i++;
    while (two.mappings[j] !== undefined && two.mappings[j].end <= at) j++;
    const first = describe(one.mappings[i], at);
    const second = describe(two.mappings[j], at);
    if (first.text !== second.text) {
      return { text: `sharers differ at ${hex(at)}: ${first.text} against ${second.text}` };
    }
    at = Math.min(first.until, second.until);
  }
  return undefined;
}
