/**
 * Marks: what the kernel tells a listening host; see kernel/abi/marks.ts for the encoding. Imports the ABI only.
 */
import { outl } from "../abi/intrinsics";
import { MARK_PORT, Mark } from "../abi/marks";

/** Writes one mark. `argument` keeps its low 24 bits. Costs one port write whether anyone listens or not. */
export function mark(kind: Mark, argument: u32): void {
  outl(MARK_PORT, ((kind as u32) << 24) | (argument & 0xffffff));
}
