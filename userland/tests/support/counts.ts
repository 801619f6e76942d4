/**
 * How far the kernel's counters moved between two points of a test. May import lib.
 */
import { counted, cstr, takeSnapshot } from "../../lib/index";

const before: usize = memory.data(4096);
const after: usize = memory.data(4096);

/** Begins to count. The counters are read twice, as the first reading may touch fresh memory of this process. */
export function countBegin(): void {
  takeSnapshot(after);
  takeSnapshot(before);
  takeSnapshot(before);
}

/** Ends the counting that countOf() tells about. */
export function countEnd(): void {
  takeSnapshot(after);
}

/** How far the counter `name` went up from countBegin() to countEnd(). */
export function countOf(name: usize): u32 {
  return counted(before, after, name);
}

/** Frames taken in that time for page directories, page tables and reverse mapping. */
export function framesForMapping(): u32 {
  return countOf(cstr("allocated_directory")) + countOf(cstr("allocated_table")) + countOf(cstr("allocated_chain"));
}
