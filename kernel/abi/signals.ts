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

/** sigprocmask's first argument. */
export const SIG_BLOCK: u32 = 0;
export const SIG_UNBLOCK: u32 = 1;
export const SIG_SETMASK: u32 = 2;
