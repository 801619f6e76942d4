/**
 * What the kernel leaves on a program's stack when it calls a signal handler, and reads back at sigreturn: Linux 2.4 i386
 * (include/asm-i386/sigcontext.h, siginfo.h, ucontext.h; arch/i386/kernel/signal.c). Offsets in bytes. May import nothing.
 *
 *     struct sigframe (without SA_SIGINFO)             struct rt_sigframe (SA_SIGINFO)
 *       0  return address: restorer, or retcode          0  return address
 *       4  signal                                        4  signal
 *       8  struct sigcontext                             8  address of info
 *      96  struct _fpstate: there is no x87             12  address of the ucontext
 *     720  high word of the mask                        16  struct siginfo
 *     724  retcode: POP EAX; MOV EAX, 119; INT 0x80    144  struct ucontext: flags, link, stack (12 bytes),
 *     732  end                                         164    struct sigcontext
 *                                                      252    mask (8 bytes)
 *                                                      260  struct _fpstate
 *                                                      884  retcode: MOV EAX, 173; INT 0x80
 *                                                      892  end
 *
 * The handler also gets its arguments in EAX, EDX and ECX (signal; siginfo and ucontext, or 0), as from Linux 2.6 on.
 */

/** struct sigcontext: the interrupted registers. Segment registers are 16 bits, their upper halves 0. 88 bytes. */
@unmanaged
export class SignalContext {
  gs: u32 = 0;
  fs: u32 = 0;
  es: u32 = 0;
  ds: u32 = 0;
  edi: u32 = 0;
  esi: u32 = 0;
  ebp: u32 = 0;
  esp: u32 = 0;
  ebx: u32 = 0;
  edx: u32 = 0;
  ecx: u32 = 0;
  eax: u32 = 0;
  /** The last exception that the program's own instruction raised: vector and error code. */
  trapno: u32 = 0;
  err: u32 = 0;
  eip: u32 = 0;
  cs: u32 = 0;
  eflags: u32 = 0;
  espAtSignal: u32 = 0;
  ss: u32 = 0;
  /** Address of the x87's state: 0. */
  fpstate: u32 = 0;
  /** Low word of the mask to go back to (struct sigframe only). */
  oldmask: u32 = 0;
  /** Address of the last page fault. */
  cr2: u32 = 0;
}

/** struct siginfo: the words that are used; 128 bytes in the frame. */
@unmanaged
export class Siginfo {
  signal: i32 = 0;
  errno: i32 = 0;
  /** SI_…, SEGV_…, CLD_… */
  code: i32 = 0;
  /** si_pid: the sender or the child; for the signal of an instruction si_addr. */
  origin: u32 = 0;
  uid: u32 = 0;
  /** si_status: a child's exit code or its signal. */
  status: i32 = 0;
}

export const SIGFRAME_SIGNAL: u32 = 4;
export const SIGFRAME_CONTEXT: u32 = 8;
/** Bytes up to the x87's state. */
export const SIGFRAME_HEAD: u32 = 96;
/** The bytes from here to the end: high word of the mask and retcode. */
export const SIGFRAME_TAIL: u32 = 720;
export const SIGFRAME_RETCODE: u32 = 724;
export const SIGFRAME_BYTES: u32 = 732;

export const RT_SIGFRAME_INFO_ADDRESS: u32 = 8;
export const RT_SIGFRAME_UCONTEXT_ADDRESS: u32 = 12;
export const RT_SIGFRAME_INFO: u32 = 16;
export const RT_SIGFRAME_UCONTEXT: u32 = 144;
export const RT_SIGFRAME_CONTEXT: u32 = 164;
export const RT_SIGFRAME_MASK: u32 = 252;
/** Bytes up to the x87's state. */
export const RT_SIGFRAME_HEAD: u32 = 260;
export const RT_SIGFRAME_RETCODE: u32 = 884;
export const RT_SIGFRAME_BYTES: u32 = 892;

/** Where the SignalContext lies in a ucontext, which a handler with SA_SIGINFO gets the address of. */
export const UCONTEXT_CONTEXT: u32 = RT_SIGFRAME_CONTEXT - RT_SIGFRAME_UCONTEXT;
