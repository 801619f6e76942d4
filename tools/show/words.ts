/** Numbers and names as the pictures write them. May import snapshot's types. */
import type { Snapshot } from "./snapshot";

const SLOT_BYTES = 0x400000;

/** 0x1a3: a frame's number. */
export function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`;
}

/** 60000000: the first user address of a slot. */
export function slotAddress(slot: number): string {
  return ((slot * SLOT_BYTES) >>> 0).toString(16).padStart(8, "0");
}

/** 1,234,567. */
export function grouped(value: number): string {
  return value.toLocaleString("en-US");
}

/** `1 table`, `2 tables`. */
export function counted(count: number, noun: string): string {
  return `${grouped(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** What a snapshot comes to. */
export interface Totals {
  tables: number;
  /** Tables with more than one user. */
  shared: number;
  /** Frames that page tables would take more if each directory had its own. */
  saved: number;
  /** Data frames that ptes map, and the ptes. */
  data: number;
  ptes: number;
}

/** Sums up a snapshot. */
export function totalsOf({ tables, mapped }: Snapshot): Totals {
  const shared = tables.filter(({ users }) => users > 1);
  return {
    tables: tables.length,
    shared: shared.length,
    saved: shared.reduce((sum, { sharers }) => sum + sharers.length - 1, 0),
    data: mapped.length,
    ptes: mapped.reduce((sum, { ptes }) => sum + ptes.length, 0),
  };
}

/** `6 page tables, 3 of them shared; 1,046 data frames, mapped by 1,046 ptes`. */
export function totalsText(totals: Totals): string {
  const { tables, shared, data, ptes } = totals;
  return `${counted(tables, "page table")}, ${shared} shared; ${counted(data, "data frame")}, mapped by ${counted(ptes, "pte")}`;
}
