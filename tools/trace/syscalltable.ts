/**
 * Names of system calls, the forms of their arguments, names of flags, errors and signals. May import kernel/abi. Source: Linux i386's table of system calls,
 * its include/asm-i386; strace(1) for the form.
 */
import { Errno } from "../../kernel/abi/errno";
import { Signal } from "../../kernel/abi/signals";
import { Syscall } from "../../kernel/abi/syscalls";

/**
 * A call's name and arguments. Each argument is one word:
 *
 *     int uint hex octal fd ptr   a number in that form; ptr is NULL for 0
 *     path                        a string
 *     buf:N                       bytes, as many as argument N says;  out:N bytes that the call fills in: as many as its result says
 *     argv                        strings by a NULL-terminated list of pointers
 *     sig open prot map clone wait whence madvise     a number by its names
 *     status                      filled in: a wait status;  pair: filled in: two numbers
 *     old                         a pointer to all the arguments: those of mmap
 *
 * Behind "=" how the result is shown: "int" unless it is said.
 */
export const SIGNATURES: Readonly<Record<number, string>> = {
  [Syscall.Exit]: "exit int",
  [Syscall.Fork]: "fork",
  [Syscall.Read]: "read fd out:2 uint",
  [Syscall.Write]: "write fd buf:2 uint",
  [Syscall.Open]: "open path open octal",
  [Syscall.Close]: "close fd",
  [Syscall.Waitpid]: "waitpid int status wait",
  [Syscall.Creat]: "creat path octal",
  [Syscall.Unlink]: "unlink path",
  [Syscall.Execve]: "execve path argv ptr",
  [Syscall.Chdir]: "chdir path",
  [Syscall.Time]: "time ptr",
  [Syscall.Lseek]: "lseek fd int whence",
  [Syscall.Getpid]: "getpid",
  [Syscall.Getuid]: "getuid",
  [Syscall.Alarm]: "alarm uint",
  [Syscall.Pause]: "pause",
  [Syscall.Access]: "access path octal",
  [Syscall.Sync]: "sync",
  [Syscall.Kill]: "kill int sig",
  [Syscall.Mkdir]: "mkdir path octal",
  [Syscall.Rmdir]: "rmdir path",
  [Syscall.Dup]: "dup fd",
  [Syscall.Pipe]: "pipe pair",
  [Syscall.Brk]: "brk ptr =hex",
  [Syscall.Getgid]: "getgid",
  [Syscall.Signal]: "signal sig ptr",
  [Syscall.Geteuid]: "geteuid",
  [Syscall.Getegid]: "getegid",
  [Syscall.Ioctl]: "ioctl fd hex ptr",
  [Syscall.Fcntl]: "fcntl fd int hex",
  [Syscall.Setpgid]: "setpgid int int",
  [Syscall.Umask]: "umask octal =octal",
  [Syscall.Dup2]: "dup2 fd fd",
  [Syscall.Getppid]: "getppid",
  [Syscall.Getpgrp]: "getpgrp",
  [Syscall.Setsid]: "setsid",
  [Syscall.Sigaction]: "sigaction sig ptr ptr",
  [Syscall.Sigsuspend]: "sigsuspend hex hex hex",
  [Syscall.Sigpending]: "sigpending ptr",
  [Syscall.Gettimeofday]: "gettimeofday ptr ptr",
  [Syscall.Swapon]: "swapon path hex",
  [Syscall.Reboot]: "reboot hex hex hex",
  [Syscall.Mmap]: "mmap old =hex",
  [Syscall.Munmap]: "munmap ptr uint",
  [Syscall.Ftruncate]: "ftruncate fd uint",
  [Syscall.Setitimer]: "setitimer int ptr ptr",
  [Syscall.Getitimer]: "getitimer int ptr",
  [Syscall.Wait4]: "wait4 int status wait ptr",
  [Syscall.Swapoff]: "swapoff path",
  [Syscall.Fsync]: "fsync fd",
  [Syscall.Sigreturn]: "sigreturn",
  [Syscall.Clone]: "clone clone ptr ptr ptr ptr",
  [Syscall.Uname]: "uname ptr",
  [Syscall.Mprotect]: "mprotect ptr uint prot",
  [Syscall.Sigprocmask]: "sigprocmask int ptr ptr",
  [Syscall.Getpgid]: "getpgid int",
  [Syscall.LlSeek]: "_llseek fd uint uint ptr whence",
  [Syscall.Msync]: "msync ptr uint hex",
  [Syscall.Readv]: "readv fd ptr uint",
  [Syscall.Writev]: "writev fd ptr uint",
  [Syscall.Fdatasync]: "fdatasync fd",
  [Syscall.Mlock]: "mlock ptr uint",
  [Syscall.Munlock]: "munlock ptr uint",
  [Syscall.Mlockall]: "mlockall hex",
  [Syscall.Munlockall]: "munlockall",
  [Syscall.SchedYield]: "sched_yield",
  [Syscall.Nanosleep]: "nanosleep ptr ptr",
  [Syscall.Mremap]: "mremap ptr uint uint hex ptr =hex",
  [Syscall.RtSigreturn]: "rt_sigreturn",
  [Syscall.RtSigaction]: "rt_sigaction sig ptr ptr uint",
  [Syscall.RtSigprocmask]: "rt_sigprocmask int ptr ptr uint",
  [Syscall.RtSigpending]: "rt_sigpending ptr uint",
  [Syscall.RtSigsuspend]: "rt_sigsuspend ptr uint",
  [Syscall.Getcwd]: "getcwd out:1 uint",
  [Syscall.Vfork]: "vfork",
  [Syscall.Mmap2]: "mmap2 ptr uint prot map fd hex =hex",
  [Syscall.Ftruncate64]: "ftruncate64 fd uint uint",
  [Syscall.Stat64]: "stat64 path ptr",
  [Syscall.Lstat64]: "lstat64 path ptr",
  [Syscall.Fstat64]: "fstat64 fd ptr",
  [Syscall.Getuid32]: "getuid32",
  [Syscall.Getgid32]: "getgid32",
  [Syscall.Geteuid32]: "geteuid32",
  [Syscall.Getegid32]: "getegid32",
  [Syscall.Madvise]: "madvise ptr uint madvise",
  [Syscall.Getdents64]: "getdents64 fd ptr uint",
  [Syscall.Fcntl64]: "fcntl64 fd int hex",
  [Syscall.Gettid]: "gettid",
  [Syscall.Tkill]: "tkill int sig",
  [Syscall.SetThreadArea]: "set_thread_area ptr",
  [Syscall.ExitGroup]: "exit_group int",
  [Syscall.SetTidAddress]: "set_tid_address ptr",
  [Syscall.ClockGettime]: "clock_gettime int ptr",
};

/** What of memory an argument tells. */
export const enum ArgumentMemory {
  None,
  /** A string; as many bytes as another argument says; a list of strings. */
  String,
  Bytes,
  Strings,
  /** Filled in by the call: as many bytes as its result says; a word; two words. */
  Filled,
  Status,
  Pair,
}

const MEMORY_OF_FORM: Readonly<Record<string, ArgumentMemory>> = {
  path: ArgumentMemory.String,
  buf: ArgumentMemory.Bytes,
  argv: ArgumentMemory.Strings,
  out: ArgumentMemory.Filled,
  status: ArgumentMemory.Status,
  pair: ArgumentMemory.Pair,
};

/** A row of SIGNATURES, taken apart. */
export interface Signature {
  name: string;
  /** Form of each argument, and the number of the argument that says how many bytes. */
  forms: readonly { form: string; length: number; memory: ArgumentMemory }[];
  result: string;
  /** Its arguments lie in memory, all in a row: the first one says where. */
  inMemory: boolean;
}

const signatures = new Map<number, Signature>();

/** The signature of a call; of one that the table does not know, three numbers. */
export function signatureOf(number: number): Signature {
  let signature = signatures.get(number);
  if (signature === undefined) {
    const [name, ...words] = (SIGNATURES[number] ?? `syscall_${number} hex hex hex`).split(" ");
    const forms = words
      .filter((word) => !word.startsWith("="))
      .map((word) => {
        const [form, length] = word.split(":");
        return { form, length: Number(length ?? -1), memory: MEMORY_OF_FORM[form] ?? ArgumentMemory.None };
      });
    const result = words.find((word) => word.startsWith("="))?.slice(1) ?? "int";
    signature = { name, forms, result, inMemory: forms[0]?.form === "old" };
    signatures.set(number, signature);
  }
  return signature;
}

/** Names of errors in the order of their numbers, from 1; where there is a gap, by number. */
export const ERRORS: Readonly<Record<number, string>> = {
  [Errno.EPERM]: "EPERM (Operation not permitted)",
  [Errno.ENOENT]: "ENOENT (No such file or directory)",
  [Errno.ESRCH]: "ESRCH (No such process)",
  [Errno.EINTR]: "EINTR (Interrupted system call)",
  [Errno.EIO]: "EIO (Input/output error)",
  [Errno.ENXIO]: "ENXIO (No such device or address)",
  [Errno.E2BIG]: "E2BIG (Argument list too long)",
  [Errno.ENOEXEC]: "ENOEXEC (Exec format error)",
  [Errno.EBADF]: "EBADF (Bad file descriptor)",
  [Errno.ECHILD]: "ECHILD (No child processes)",
  [Errno.EAGAIN]: "EAGAIN (Resource temporarily unavailable)",
  [Errno.ENOMEM]: "ENOMEM (Cannot allocate memory)",
  [Errno.EACCES]: "EACCES (Permission denied)",
  [Errno.EFAULT]: "EFAULT (Bad address)",
  [Errno.ENOTBLK]: "ENOTBLK (Block device required)",
  [Errno.EBUSY]: "EBUSY (Device or resource busy)",
  [Errno.EEXIST]: "EEXIST (File exists)",
  [Errno.EXDEV]: "EXDEV (Invalid cross-device link)",
  [Errno.ENODEV]: "ENODEV (No such device)",
  [Errno.ENOTDIR]: "ENOTDIR (Not a directory)",
  [Errno.EISDIR]: "EISDIR (Is a directory)",
  [Errno.EINVAL]: "EINVAL (Invalid argument)",
  [Errno.ENFILE]: "ENFILE (Too many open files in system)",
  [Errno.EMFILE]: "EMFILE (Too many open files)",
  [Errno.ENOTTY]: "ENOTTY (Inappropriate ioctl for device)",
  [Errno.ETXTBSY]: "ETXTBSY (Text file busy)",
  [Errno.EFBIG]: "EFBIG (File too large)",
  [Errno.ENOSPC]: "ENOSPC (No space left on device)",
  [Errno.ESPIPE]: "ESPIPE (Illegal seek)",
  [Errno.EROFS]: "EROFS (Read-only file system)",
  [Errno.EMLINK]: "EMLINK (Too many links)",
  [Errno.EPIPE]: "EPIPE (Broken pipe)",
  [Errno.EDOM]: "EDOM (Numerical argument out of domain)",
  [Errno.ERANGE]: "ERANGE (Numerical result out of range)",
  [Errno.EDEADLK]: "EDEADLK (Resource deadlock avoided)",
  [Errno.ENAMETOOLONG]: "ENAMETOOLONG (File name too long)",
  [Errno.ENOLCK]: "ENOLCK (No locks available)",
  [Errno.ENOSYS]: "ENOSYS (Function not implemented)",
  [Errno.ENOTEMPTY]: "ENOTEMPTY (Directory not empty)",
  [Errno.ELOOP]: "ELOOP (Too many levels of symbolic links)",
  [Errno.EOVERFLOW]: "EOVERFLOW (Value too large for defined data type)",
};

export const SIGNALS: Readonly<Record<number, string>> = {
  [Signal.SIGHUP]: "SIGHUP",
  [Signal.SIGINT]: "SIGINT",
  [Signal.SIGQUIT]: "SIGQUIT",
  [Signal.SIGILL]: "SIGILL",
  [Signal.SIGTRAP]: "SIGTRAP",
  [Signal.SIGABRT]: "SIGABRT",
  [Signal.SIGBUS]: "SIGBUS",
  [Signal.SIGFPE]: "SIGFPE",
  [Signal.SIGKILL]: "SIGKILL",
  [Signal.SIGUSR1]: "SIGUSR1",
  [Signal.SIGSEGV]: "SIGSEGV",
  [Signal.SIGUSR2]: "SIGUSR2",
  [Signal.SIGPIPE]: "SIGPIPE",
  [Signal.SIGALRM]: "SIGALRM",
  [Signal.SIGTERM]: "SIGTERM",
  [Signal.SIGCHLD]: "SIGCHLD",
  [Signal.SIGCONT]: "SIGCONT",
  [Signal.SIGSTOP]: "SIGSTOP",
  [Signal.SIGTSTP]: "SIGTSTP",
  [Signal.SIGTTIN]: "SIGTTIN",
  [Signal.SIGTTOU]: "SIGTTOU",
};

/** Numbers that are sums of names; what no name covers is left in hex. `zero` is what 0 is called. */
export interface FlagNames {
  zero: string;
  /** The low bits that are one of several. */
  choice?: { mask: number; names: readonly string[] };
  bits: readonly (readonly [number, string])[];
}
export const FLAGS: Readonly<Record<string, FlagNames>> = {
  open: {
    zero: "O_RDONLY",
    choice: { mask: 3, names: ["O_RDONLY", "O_WRONLY", "O_RDWR"] },
    bits: [
      [0x40, "O_CREAT"],
      [0x80, "O_EXCL"],
      [0x200, "O_TRUNC"],
      [0x400, "O_APPEND"],
      [0x800, "O_NONBLOCK"],
      [0x8000, "O_LARGEFILE"],
      [0x10000, "O_DIRECTORY"],
      [0x80000, "O_CLOEXEC"],
    ],
  },
  prot: {
    zero: "PROT_NONE",
    bits: [
      [1, "PROT_READ"],
      [2, "PROT_WRITE"],
      [4, "PROT_EXEC"],
    ],
  },
  map: {
    zero: "0",
    bits: [
      [1, "MAP_SHARED"],
      [2, "MAP_PRIVATE"],
      [0x10, "MAP_FIXED"],
      [0x20, "MAP_ANONYMOUS"],
      [0x100, "MAP_GROWSDOWN"],
    ],
  },
  clone: {
    zero: "0",
    bits: [
      [0x100, "CLONE_VM"],
      [0x200, "CLONE_FS"],
      [0x400, "CLONE_FILES"],
      [0x800, "CLONE_SIGHAND"],
      [0x4000, "CLONE_VFORK"],
      [0x100000, "CLONE_PARENT_SETTID"],
      [0x200000, "CLONE_CHILD_CLEARTID"],
      [0x1000000, "CLONE_CHILD_SETTID"],
    ],
  },
  wait: {
    zero: "0",
    bits: [
      [1, "WNOHANG"],
      [2, "WUNTRACED"],
      [0x20000000, "__WNOTHREAD"],
      [0x40000000, "__WALL"],
      [0x80000000, "__WCLONE"],
    ],
  },
  whence: { zero: "SEEK_SET", choice: { mask: 3, names: ["SEEK_SET", "SEEK_CUR", "SEEK_END"] }, bits: [] },
  madvise: {
    zero: "MADV_NORMAL",
    choice: { mask: 7, names: ["MADV_NORMAL", "MADV_RANDOM", "MADV_SEQUENTIAL", "MADV_WILLNEED", "MADV_DONTNEED"] },
    bits: [],
  },
};
