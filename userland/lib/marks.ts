/**
 * Measured regions of a program: marks that a listening host turns into instruction and cycle counts. The kernel opens
 * the mark ports to ring 3. May import kernel/abi only. Source: kernel/abi/marks.ts, which draws the encoding.
 */
import { inl, outl } from "../../kernel/abi/intrinsics";
import { INSTRET_LOW_PORT, MARK_PORT, Mark, Region } from "../../kernel/abi/marks";

/** From here on the instructions of this process count to `region`; `tag` (0 to 65535) tells its runs apart. */
export function regionBegin(region: Region, tag: u32): void {
  outl(MARK_PORT, (Mark.RegionBegin << 24) | (region << 16) | tag);
}

/** The region begun with the same two arguments ends. One that is open when its process exits ends there. */
export function regionEnd(region: Region, tag: u32): void {
  outl(MARK_PORT, (Mark.RegionEnd << 24) | (region << 16) | tag);
}

/** Instructions that the machine has retired, modulo 2**32, whoever ran them; 0xffffffff on a machine without the port. */
export function instructionsRetired(): u32 {
  return inl(INSTRET_LOW_PORT);
}
