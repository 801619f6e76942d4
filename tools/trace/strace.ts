/**
 * System calls in strace's words: names, arguments with strings and paths read from the program's memory, results with the names
 * of errors. May import cpu's public face, kernel/abi. Source: Linux i386's table of system calls; strace(1) for the form.
 */
import type { Machine } from "../../cpu/index";
import { Errno, MAX_ERRNO } from "../../kernel/abi/errno";
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
const SIGNATURES: Readonly<Record<number, string>> = {
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

/** Names of errors in the order of their numbers, from 1; where there is a gap, by number. */
const ERRORS: Readonly<Record<number, string>> = {
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

const SIGNALS: Readonly<Record<number, string>> = {
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
interface FlagNames {
  zero: string;
  /** The low bits that are one of several. */
  choice?: { mask: number; names: readonly string[] };
  bits: readonly (readonly [number, string])[];
}
const FLAGS: Readonly<Record<string, FlagNames>> = {
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

/** Bytes of a string that are shown. */
const SHOWN_BYTES = 32;
const SHOWN_STRINGS = 8;
const MMAP_ARGUMENTS = ["ptr", "uint", "prot", "map", "fd", "hex"];

/** Registers that hold a call's arguments, in order, as numbers of general registers: EBX ECX EDX ESI EDI EBP. */
export const ARGUMENT_REGISTERS = [3, 1, 2, 6, 7, 5] as const;

/** Whether a result is an error: -4095 to -1. */
export function isError(result: number): boolean {
  return result < 0 && result >= -Number(MAX_ERRNO);
}

interface Signature {
  name: string;
  /** Form of each argument, and the number of the argument that says how many bytes. */
  forms: readonly { form: string; length: number }[];
  result: string;
}

/** SIGNATURES, taken apart once. */
const parsed = new Map<number, Signature>();

function signatureOf(number: number): Signature {
  let signature = parsed.get(number);
  if (signature === undefined) {
    const [name, ...words] = (SIGNATURES[number] ?? `syscall_${number} hex hex hex`).split(" ");
    const forms = words
      .filter((word) => !word.startsWith("="))
      .map((word) => {
        const [form, length] = word.split(":");
        return { form, length: Number(length ?? -1) };
      });
    const result = words.find((word) => word.startsWith("="))?.slice(1) ?? "int";
    signature = { name, forms, result };
    parsed.set(number, signature);
  }
  return signature;
}

/** A system call's name: "syscall_99" for one that this table does not know. */
export function syscallName(number: number): string {
  return signatureOf(number).name;
}

/** The arguments of a call as it is made, in words. `args` are its six registers; memory is the running process's. */
export function argumentTexts(machine: Machine, number: number, args: readonly number[]): string[] {
  const { forms } = signatureOf(number);
  if (forms[0]?.form === "old") {
    const bytes = machine.readVirtual(args[0], 24);
    if (bytes.length < 24) return [numberText("ptr", args[0])];
    const view = new DataView(bytes.buffer, bytes.byteOffset, 24);
    return MMAP_ARGUMENTS.map((form, i) => numberText(form, view.getUint32(4 * i, true)));
  }
  return forms.map(({ form, length }, i) => argumentText(machine, form, args[i] >>> 0, args[length] >>> 0));
}

/** The call as it is made, with the arguments in words. */
export function callText(number: number, texts: readonly string[]): string {
  return `${syscallName(number)}(${texts.join(", ")})`;
}

/** The call with what it has filled in, and its result (EAX, signed). `texts` are its arguments in words as it was made. */
export function resultText(
  machine: Machine,
  number: number,
  args: readonly number[],
  texts: readonly string[],
  result: number,
): string {
  const { forms, result: form } = signatureOf(number);
  const done = isError(result)
    ? texts
    : texts.map((text, i) => filledIn(machine, forms[i]?.form ?? "", args[i] >>> 0, result) ?? text);
  const call = callText(number, done);
  if (isError(result)) return `${call} = -1 ${errorName(-result)}`;
  return `${call} = ${form === "int" ? result : numberText(form, result >>> 0)}`;
}

function errorName(number: number): string {
  return ERRORS[number] ?? `errno ${number}`;
}

/** A wait status in words: "exited 3", "killed by SIGSEGV". */
export function statusText(status: number): string {
  const signal = status & 0x7f;
  return signal === 0 ? `exited ${(status >>> 8) & 0xff}` : `killed by ${SIGNALS[signal] ?? `signal ${signal}`}`;
}

/** `length` is the argument that says how many bytes there are. */
function argumentText(machine: Machine, form: string, value: number, length: number): string {
  if (form === "path") return stringAt(machine, value);
  if (form === "buf") return bytesAt(machine, value, length);
  if (form === "argv") return vectorAt(machine, value);
  return numberText(OUTPUTS.has(form) ? "ptr" : form, value);
}

/** Arguments that the call fills in. */
const OUTPUTS: ReadonlySet<string> = new Set(["out", "status", "pair"]);

/** What the call that came to `result` has filled in at an argument, in words; undefined where it fills in nothing. */
function filledIn(machine: Machine, form: string, value: number, result: number): string | undefined {
  if (!OUTPUTS.has(form) || value === 0) return undefined;
  if (form === "out") return bytesAt(machine, value, result);
  const words = wordsAt(machine, value, form === "pair" ? 2 : 1);
  if (words.length === 0 || (form === "status" && result === 0)) return undefined;
  return form === "pair" ? `[${words.join(", ")}]` : `[${statusText(words[0])}]`;
}

function numberText(form: string, value: number): string {
  switch (form) {
    case "uint":
      return String(value);
    case "hex":
      return value === 0 ? "0" : `0x${value.toString(16)}`;
    case "ptr":
      return value === 0 ? "NULL" : `0x${value.toString(16)}`;
    case "octal":
      return value === 0 ? "0" : `0${value.toString(8)}`;
    case "sig":
      return SIGNALS[value] ?? String(value | 0);
    case "int":
    case "fd":
      return String(value | 0);
    default:
      return form === "clone" ? cloneText(value) : flagsText(FLAGS[form], value);
  }
}

function flagsText({ zero, choice, bits }: FlagNames, value: number): string {
  if (value === 0) return zero;
  const names: string[] = [];
  let left = value;
  if (choice !== undefined) {
    const name = choice.names[value & choice.mask];
    if (name !== undefined) {
      names.push(name);
      left = (left & ~choice.mask) >>> 0;
    }
  }
  for (const [bit, name] of bits) {
    if ((left & bit) === 0) continue;
    names.push(name);
    left = (left & ~bit) >>> 0;
  }
  if (left !== 0) names.push(`0x${left.toString(16)}`);
  return names.join("|");
}

/** clone's low byte is the signal of the child's end. */
function cloneText(value: number): string {
  const signal = value & 0xff;
  const flags = (value & ~0xff) >>> 0;
  const parts = [
    flags === 0 ? "" : flagsText(FLAGS.clone, flags),
    signal === 0 ? "" : (SIGNALS[signal] ?? `${signal}`),
  ];
  return parts.filter((part) => part !== "").join("|") || "0";
}

function wordsAt(machine: Machine, address: number, count: number): number[] {
  const bytes = machine.readVirtual(address, 4 * count);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length >> 2 }, (_, i) => view.getUint32(4 * i, true));
}

const ESCAPES: Readonly<Record<number, string>> = { 9: "\\t", 10: "\\n", 13: "\\r", 34: '\\"', 92: "\\\\" };

/** Bytes in double quotes, as C writes them; others than ASCII's in octal. */
function quoted(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) {
    text += ESCAPES[byte] ?? (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : `\\${byte.toString(8)}`);
  }
  return `"${text}"`;
}

function bytesAt(machine: Machine, address: number, length: number): string {
  const shown = machine.readVirtual(address, Math.min(length, SHOWN_BYTES));
  if (shown.length === 0 && length > 0) return numberText("ptr", address);
  return quoted(shown) + (length > SHOWN_BYTES ? "..." : "");
}

/** The whole of a NUL-terminated string, of at most `most` bytes; undefined where there is no memory. */
export function readString(machine: Machine, address: number, most: number): string | undefined {
  const bytes = machine.readVirtual(address, most);
  if (bytes.length === 0) return undefined;
  const end = bytes.indexOf(0);
  return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)).toString("latin1");
}

/** Longest path. */
export const PATH_BYTES = 4096;

function stringAt(machine: Machine, address: number): string {
  if (address === 0) return "NULL";
  const text = readString(machine, address, PATH_BYTES);
  if (text === undefined) return numberText("ptr", address);
  return quoted(Buffer.from(text, "latin1"));
}

function vectorAt(machine: Machine, address: number): string {
  if (address === 0) return "NULL";
  const pointers = wordsAt(machine, address, SHOWN_STRINGS + 1);
  const end = pointers.indexOf(0);
  const shown = (end < 0 ? pointers : pointers.slice(0, end)).slice(0, SHOWN_STRINGS);
  const more = end < 0 ? ", ..." : "";
  return `[${shown.map((pointer) => stringAt(machine, pointer)).join(", ")}${more}]`;
}
