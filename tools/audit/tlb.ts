/**
 * I6: no entry of the charged TLB grants more than the tables of the directory in CR3 grant. An entry that believes the page dirty
 * grants too: a write through it would leave no trace in the pte. May import view, cpu/tlb.
 */
import { type ChargedTlb, Entry } from "../../cpu/tlb";
import { hex, type View } from "./view";

const PDE_LARGE = 0x80;

interface Grant {
  frame: number;
  writable: boolean;
  user: boolean;
  dirty: boolean;
}

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
  const grant = grantOf(view, linear, cr3);
  const frame = entry >>> 12;
  const slot = linear >>> 22;
  const space = view.spaces.find((one) => one.directory === cr3 >>> 12);
  const tell = (text: string) => {
    view.report("I6", `the TLB ${text} ${hex(linear)}`, { ...(space ? { space } : {}), slot, frame });
  };
  if (grant === undefined) tell("still maps, which the tables do not:");
  else if (grant.frame !== frame) tell(`maps the wrong frame, expected ${hex(grant.frame)}, at`);
  else if ((entry & Entry.Writable) !== 0 && !grant.writable) tell("lets write, which the tables do not:");
  else if ((entry & Entry.User) !== 0 && !grant.user) tell("lets user mode in, which the tables do not:");
  else if ((entry & Entry.Dirty) !== 0 && !grant.dirty) tell("takes for dirty what is clean in its pte:");
}

/** What the tables in memory grant at an address; undefined for nothing. */
function grantOf(view: View, linear: number, cr3: number): Grant | undefined {
  const { words } = view;
  const { present, write, user, dirty } = view.model.constants;
  const pde = words[((cr3 & ~0xfff) >>> 2) + (linear >>> 22)] ?? 0;
  if ((pde & present) === 0) return undefined;
  if ((pde & PDE_LARGE) !== 0) {
    const frame = ((pde & 0xffc00000) + (linear & 0x3ff000)) >>> 12;
    return { frame, writable: (pde & write) !== 0, user: (pde & user) !== 0, dirty: (pde & dirty) !== 0 };
  }
  const pte = words[((pde & ~0xfff) >>> 2) + ((linear >>> 12) & 1023)] ?? 0;
  if ((pte & present) === 0) return undefined;
  const both = pde & pte;
  return {
    frame: pte >>> 12,
    writable: (both & write) !== 0,
    user: (both & user) !== 0,
    dirty: (pte & dirty) !== 0,
  };
}
