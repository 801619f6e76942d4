/**
 * I6: no entry of the charged TLB grants more than the tables of the directory in CR3 grant. An entry that believes the page dirty
 * grants too: a write through it would leave no trace in the pte. May import view, cpu/tlb.
 */
import { type ChargedTlb, Entry } from "../../cpu/tlb";
import { hex, type View } from "./view";

const PDE_LARGE = 0x80;

/** Compares every entry. `cr3` is the register's value. */
export function auditTlb(view: View, tlb: ChargedTlb, cr3: number): void {
  const { smallTags, smallEntries, largeTags, largeEntries } = tlb;
  for (let slot = 0; slot < smallTags.length; slot++) {
    if (smallTags[slot] >= 0) checkEntry(view, smallTags[slot] * 4096, smallEntries[slot], cr3);
  }
  for (let slot = 0; slot < largeTags.length; slot++) {
    if (largeTags[slot] >= 0) checkEntry(view, largeTags[slot] * 0x400000, largeEntries[slot], cr3);
  }
}

function checkEntry(view: View, linear: number, entry: number, cr3: number): void {
  const text = excessOf(view, linear, entry, cr3);
  if (text === undefined) return;
  const space = view.spaces.find((one) => one.directory === cr3 >>> 12);
  const about = { ...(space ? { space } : {}), slot: linear >>> 22, frame: entry >>> 12 };
  view.report("I6", `the TLB ${text} ${hex(linear)}`, about);
}

/** What an entry grants that the tables in memory do not, in words; undefined for nothing. */
function excessOf(view: View, linear: number, entry: number, cr3: number): string | undefined {
  const { words } = view;
  const { present, write, user, dirty } = view.model.constants;
  const nothing = "still maps, which the tables do not:";
  const pde = words[((cr3 & ~0xfff) >>> 2) + (linear >>> 22)] ?? 0;
  if ((pde & present) === 0) return nothing;
  let last = pde;
  let frame = ((pde & 0xffc00000) + (linear & 0x3ff000)) >>> 12;
  if ((pde & PDE_LARGE) === 0) {
    last = words[((pde & ~0xfff) >>> 2) + ((linear >>> 12) & 1023)] ?? 0;
    if ((last & present) === 0) return nothing;
    frame = last >>> 12;
  }
  if (frame !== entry >>> 12) return `maps the wrong frame, expected ${hex(frame)}, at`;
  if ((entry & Entry.Writable) !== 0 && (pde & last & write) === 0) return "lets write, which the tables do not:";
  if ((entry & Entry.User) !== 0 && (pde & last & user) === 0) return "lets user mode in, which the tables do not:";
  if ((entry & Entry.Dirty) !== 0 && (last & dirty) === 0) return "takes for dirty what is clean in its pte:";
  return undefined;
}
