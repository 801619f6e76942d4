/**
 * The interrupt descriptor table: an interrupt gate for each exception, each IRQ and the system call, all to the stubs of
 * stubs.s. Interrupt gates clear IF, so the kernel runs with interrupts off. May import assembly.ts and gdt.ts.
 * Source: Intel SDM volume 3, 6.10, 6.11, 6.13.
 *
 *     gate   63         48 47 46 45 44      40 39   32 31          16 15           0
 *           │ offset high │ P│ DPL │ 0 1 1 1 0│   0   │  selector    │  offset low  │
 */
import { lidt } from "../../abi/intrinsics";
import { interruptStub } from "./assembly";
import { KERNEL_CS } from "./gdt";

export const enum Vector {
  DivideError = 0,
  Debug = 1,
  NonMaskable = 2,
  Breakpoint = 3,
  Overflow = 4,
  BoundRange = 5,
  InvalidOpcode = 6,
  DeviceNotAvailable = 7,
  DoubleFault = 8,
  InvalidTss = 10,
  SegmentNotPresent = 11,
  StackFault = 12,
  GeneralProtection = 13,
  PageFault = 14,
  FloatingPoint = 16,
  AlignmentCheck = 17,
  /** IRQ 0; the 16 of the two PICs follow. */
  Irq = 32,
  Syscall = 0x80,
}

const EXCEPTIONS: u32 = 18;
const IRQS: u32 = 16;
/** Bit v: the CPU pushes an error code for vector v (8, 10–14, 17). */
const WITH_ERROR_CODE: u32 = 0x27d00;
/** Present, 32-bit interrupt gate; and the same, callable from ring 3. */
const GATE: u32 = 0x8e00;
const USER_GATE: u32 = 0xee00;

const GATES: u32 = 129;
/** Gates, and behind them limit and base for LIDT. */
const idt: usize = memory.data(1040, 16);

/** Fills the table and loads it. Interrupts stay off. */
export function idtInit(): void {
  for (let vector: u32 = 0; vector < EXCEPTIONS; vector++) setGate(vector, (WITH_ERROR_CODE >> vector) & 1, GATE);
  for (let irq: u32 = 0; irq < IRQS; irq++) setGate(Vector.Irq + irq, 0, GATE);
  // Programs may execute INT3, INTO, BOUND and the system call; any other INT n is a protection fault.
  setGate(Vector.Breakpoint, 0, USER_GATE);
  setGate(Vector.Overflow, 0, USER_GATE);
  setGate(Vector.BoundRange, 0, USER_GATE);
  setGate(Vector.Syscall, 0, USER_GATE);
  const pointer = idt + GATES * 8;
  store<u16>(pointer, GATES * 8 - 1);
  store<u32>(pointer, idt, 2);
  lidt(pointer);
}

function setGate(vector: u32, hasError: u32, access: u32): void {
  const stub = interruptStub(vector, hasError);
  store<u32>(idt + vector * 8, (KERNEL_CS << 16) | (stub & 0xffff));
  store<u32>(idt + vector * 8, (stub & 0xffff0000) | access, 4);
}
