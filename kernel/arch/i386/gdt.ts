/**
 * Segments and the task state segment. The GDT's flat segments are a table in entry.s; this file adds the TSS, of which the
 * CPU uses two things: the stack to change to on entry from ring 3, and which ports ring 3 may touch. Those are the mark and
 * instret ports only, so that guest programs can mark what they measure.
 * May import the ABI and assembly.ts. Source: Intel SDM volume 3, 7.2; volume 1, 18.5.2.
 *
 *     TSS  0 ...  4 esp0  8 ss0  ...  102 iomap offset | 104: a bit a port, 1 = no, up to port 0x7EF | one byte of ones
 */
import { ltr } from "../../abi/intrinsics";
import { INSTRET_HIGH_PORT, MARK_PORT } from "../../abi/marks";
import { gdtAddress } from "./assembly";

/** Selectors, the last two with ring 3 in their low bits. */
export const KERNEL_CS: u32 = 0x10;
const KERNEL_DS: u32 = 0x18;
export const USER_CS: u32 = 0x23;
export const USER_DS: u32 = 0x2b;
const TSS_SELECTOR: u32 = 0x30;

const TSS_ESP0: usize = 4;
const TSS_SS0: usize = 8;
const TSS_IOMAP_BASE: usize = 102;
const TSS_IOMAP: u32 = 104;
/** Bytes of the bitmap, the byte of ones at its end included: ports 0 to 0x7EF. */
const IOMAP_BYTES: u32 = 0x7f0 / 8 + 1;
const TSS_BYTES: u32 = TSS_IOMAP + IOMAP_BYTES;
/** Present, ring 0, available 32-bit TSS. */
const TSS_ACCESS: u32 = 0x89;

const tss: usize = memory.data(384, 16);

/** Makes the TSS and loads the task register. `stackTop`: where entries from ring 3 push, until a task runs. */
export function gdtInit(stackTop: usize): void {
  assert(TSS_BYTES <= 384);
  store<u32>(tss + TSS_SS0, KERNEL_DS);
  store<u16>(tss + TSS_IOMAP_BASE, TSS_IOMAP);
  memory.fill(tss + TSS_IOMAP, 0xff, IOMAP_BYTES);
  for (let port = MARK_PORT; port < INSTRET_HIGH_PORT + 4; port++) openPort(port);
  setKernelStack(stackTop);
  const descriptor = gdtAddress() + TSS_SELECTOR;
  store<u32>(descriptor, (tss << 16) | (TSS_BYTES - 1));
  store<u32>(descriptor, (tss & 0xff000000) | (TSS_ACCESS << 8) | ((tss >> 16) & 0xff), 4);
  ltr(TSS_SELECTOR);
}

/** Entries from ring 3 push from `stackTop` down from now on: the top of the current task's kernel stack. */
export function setKernelStack(stackTop: usize): void {
  store<u32>(tss + TSS_ESP0, stackTop);
}

function openPort(port: u32): void {
  const byte = tss + TSS_IOMAP + (port >> 3);
  store<u8>(byte, u32(load<u8>(byte)) & ~(1 << (port & 7)));
}
