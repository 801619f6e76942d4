/**
 * A snapshot as text for a terminal: processes, the slots of their directories, and the tables there. A shared table is drawn in
 * full where it is met first; the other sharers point back to it. May import snapshot's types, words, picocolors.
 */
import pc from "picocolors";
import type { ProcessSnapshot, Snapshot, TableSnapshot } from "./snapshot";
import { counted, hex, slotAddress, totalsOf, totalsText } from "./words";

/** Below so many columns a line says less. */
const NARROW = 64;
const FEWEST_COLUMNS = 24;

/** A colour by users, from the third on the same: one's own is plain. */
function byUsers(users: number): (text: string) => string {
  return users <= 1 ? (text) => text : users === 2 ? pc.yellow : pc.red;
}

/** Cuts a line that is too long, before it is coloured. */
function fitted(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, columns - 1)}…`;
}

/** Lines for a terminal of so many columns. */
export function treeOf(snapshot: Snapshot, columns = 100): string[] {
  const width = Math.max(FEWEST_COLUMNS, columns);
  const tables = new Map(snapshot.tables.map((table) => [table.frame, table]));
  const firstUser = new Map<number, number>();
  const lines: string[] = [];
  for (const process of snapshot.processes) {
    lines.push(pc.bold(fitted(headOf(process, width < NARROW), width)));
    for (const [index, { slot, table: frame, writable }] of process.slots.entries()) {
      const table = tables.get(frame);
      if (table === undefined) continue;
      const branch = index === process.slots.length - 1 ? "└─" : "├─";
      const first = firstUser.get(frame);
      const place = `${branch} slot ${String(slot).padStart(3)}  ${slotAddress(slot)}  `;
      if (first === undefined) firstUser.set(frame, process.pid);
      const text =
        first === undefined ? tableText(table, process.pid, writable, width < NARROW) : `${hex(frame)} of pid ${first}`;
      lines.push(byUsers(table.users)(fitted(place + text, width)));
    }
  }
  lines.push(fitted(totalsText(totalsOf(snapshot)), width));
  return lines;
}

function headOf({ pid, name, tasks, directory, resident }: ProcessSnapshot, narrow: boolean): string {
  const threads = tasks > 1 ? `, ${tasks} threads` : "";
  const words = `pid ${pid} ${name}${threads}: ${counted(resident, "page")}`;
  return narrow ? words : `${words} resident, directory ${hex(directory)}`;
}

function tableText(table: TableSnapshot, pid: number, writable: boolean, narrow: boolean): string {
  const { frame, users, present, swapped, sharers } = table;
  const others = sharers.filter((one) => one !== pid);
  const shared = others.length > 0 ? `, shared with pid ${others.join(", ")}` : "";
  if (narrow) return `${hex(frame)} users ${users}${shared}`;
  const swap = swapped > 0 ? `, ${swapped} swapped` : "";
  return `table ${hex(frame)} users ${users} ${writable ? "W=1" : "W=0"} ${present} present${swap}${shared}`;
}
