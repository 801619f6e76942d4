/**
 * TrapFrame: what lies on the kernel stack while a trap, an interrupt or a system call is served. stubs.s pushes it and
 * `returnToUser` pops it. The interrupted EAX (a system call's number, then its result) is `eax`. `esp` and `ss` are there
 * only if the trap came from ring 3. May import nothing. Source: Intel SDM volume 3, 6.12.1; order as Linux's pt_regs.
 *
 *     offset 0    4    8    12   16   20   24   28  32  36  40  44      48     52   56  60      64   68
 *            ebx  ecx  edx  esi  edi  ebp  eax  ds  es  fs  gs  vector  error  eip  cs  eflags  esp  ss
 *            `---------- pushed by stubs.s -----------------------------'`-- by the CPU (error: or by the stub)
 */
@unmanaged
export class TrapFrame {
  ebx: u32 = 0;
  ecx: u32 = 0;
  edx: u32 = 0;
  esi: u32 = 0;
  edi: u32 = 0;
  ebp: u32 = 0;
  eax: u32 = 0;
  ds: u32 = 0;
  es: u32 = 0;
  fs: u32 = 0;
  gs: u32 = 0;
  vector: u32 = 0;
  error: u32 = 0;
  eip: u32 = 0;
  cs: u32 = 0;
  eflags: u32 = 0;
  esp: u32 = 0;
  ss: u32 = 0;

  /** Whether ring 3 was interrupted. */
  get fromUser(): bool {
    return (this.cs & 3) == 3;
  }
}

/** Bytes of a TrapFrame from ring 3: it lies at stackTop - TRAP_FRAME_BYTES. */
export const TRAP_FRAME_BYTES: u32 = 72;
