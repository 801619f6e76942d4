/**
 * Signal numbers and dispositions: Linux i386 (include/asm-i386/signal.h). May import nothing.
 */
export const enum Signal {
  SIGHUP = 1,
  SIGINT = 2,
  SIGQUIT = 3,
  SIGILL = 4,
  SIGTRAP = 5,
  SIGABRT = 6,
  SIGBUS = 7,
  SIGFPE = 8,
  SIGKILL = 9,
  SIGUSR1 = 10,
  SIGSEGV = 11,
  SIGUSR2 = 12,
  SIGPIPE = 13,
  SIGALRM = 14,
  SIGTERM = 15,
  SIGSTKFLT = 16,
  SIGCHLD = 17,
  SIGCONT = 18,
  SIGSTOP = 19,
  SIGTSTP = 20,
  SIGTTIN = 21,
  SIGTTOU = 22,
  SIGURG = 23,
  SIGXCPU = 24,
  SIGXFSZ = 25,
  SIGVTALRM = 26,
  SIGPROF = 27,
  SIGWINCH = 28,
  SIGIO = 29,
  SIGPWR = 30,
  SIGSYS = 31,
}

/** Signals are 1 … NSIG - 1 for sets of one word. */
export const NSIG: u32 = 32;
/** sa_handler: the default action. */
export const SIG_DFL: u32 = 0;
/** sa_handler: the signal is thrown away. */
export const SIG_IGN: u32 = 1;

/** sa_flags. */
export const SA_NOCLDSTOP: u32 = 1;
/** Of SIGCHLD: children that end are not to be waited for. */
export const SA_NOCLDWAIT: u32 = 2;
/** The handler gets a Siginfo and a UserContext, and an RtSignalFrame is built. */
export const SA_SIGINFO: u32 = 4;
/** The action names the code that a handler returns to; else the kernel puts it into the frame. */
export const SA_RESTORER: u32 = 0x04000000;
/** A system call that the handler interrupted goes on afterwards instead of failing with EINTR. */
export const SA_RESTART: u32 = 0x10000000;
/** The signal is not held back while its handler runs. */
export const SA_NODEFER: u32 = 0x40000000;
/** The action is SIG_DFL again once the handler has been called. */
export const SA_RESETHAND: u32 = 0x80000000;

/** si_code: who sent the signal, or why. include/asm-i386/siginfo.h. */
export const SI_USER: i32 = 0;
export const SI_KERNEL: i32 = 0x80;
export const SI_TKILL: i32 = -6;
/** SIGSEGV: no mapping at the address; a mapping that does not allow it. */
export const SEGV_MAPERR: i32 = 1;
export const SEGV_ACCERR: i32 = 2;
/** SIGBUS: there is no such memory, as behind the end of a mapped file. */
export const BUS_ADRERR: i32 = 2;
/** SIGFPE: integer division by zero. */
export const FPE_INTDIV: i32 = 1;
/** SIGILL: illegal operand. */
export const ILL_ILLOPN: i32 = 2;
/** SIGCHLD: the child called exit; a signal killed it. */
export const CLD_EXITED: i32 = 1;
export const CLD_KILLED: i32 = 2;

/** setitimer's timer that runs in real time and sends SIGALRM. */
export const ITIMER_REAL: u32 = 0;

/** sigprocmask's first argument. */
export const SIG_BLOCK: u32 = 0;
export const SIG_UNBLOCK: u32 = 1;
export const SIG_SETMASK: u32 = 2;
