/**
 * What the memory-management fuzzer's host (tests/fuzz) and its guest program (mm.ts) tell each other. May import nothing.
 *
 * A script is words: a header, then lists of operations, one for each process:
 *
 *     0              pipes: how many to make                 an operation:
 *     1              files: how many to make                    bits 31-8  words of it, this one included
 *     2              bytes of the script                        bits 7-0   Op
 *     3 ... 18       word index of each process's list          arguments, one word each
 *
 * A place is one word: a Base in the upper four bits, and an offset in bytes, signed, in the others.
 *
 * What a process has seen it tells by pairs of marks (kernel/abi/marks.ts draws a mark), at no cost to the memory under test:
 *
 *     31         24 23                 16 15                    0
 *    +-------------+---------------------------------------------+
 *    | Say.Low | p |                value, bits 23-0             |
 *    +-------------+---------------------+-----------------------+
 *    | Say.High| p |  value, bits 31-24  | word index of the op  |
 *    +-------------+---------------------+-----------------------+      p: the process's number, SUPERVISOR for pid 1
 */

export const enum Script {
  Pipes = 0,
  Files = 1,
  Bytes = 2,
  Lists = 3,
  MostProcesses = 15,
  Operations = 19,
  /** Room for a script, in bytes. */
  Room = 8192,
}

/** Descriptors: the files from First on, then the reading and the writing end of each pipe. */
export const enum Descriptor {
  First = 3,
}

export const enum Say {
  Low = 0x80,
  High = 0xa0,
  /** Process number of pid 1, which says `script address` when it is ready for a script and 1 when all others are gone. */
  Supervisor = 15,
}

/** What an address is counted from. */
export const enum Base {
  /** Zones of the address space, three slots each, in which programs map what they like. */
  Private = 0,
  Shared = 1,
  FileA = 2,
  FileB = 3,
  /** Where the heap begins, and the page of the stack pointer; a whole page each. */
  Heap = 4,
  Stack = 5,
  /** What the last mmap or mremap of Keep.Result gave; Zone.Private if it failed, or there was none. */
  Result = 6,
  /** Address 0; a negative offset is an address of the kernel. */
  Null = 7,
}

export const enum Zone {
  Private = 0x50000000,
  Shared = 0x60000000,
  FileA = 0x70000000,
  FileB = 0x78000000,
}

/** Operations with their arguments. Places of 0 in WAIT: the status goes nowhere under test. */
export const enum Op {
  /** status */
  Exit = 1,
  /** process */
  Fork = 2,
  /** process, place of the status */
  Wait = 3,
  /** pipe, place, bytes: writes so many bytes in any case, those that the place has not from elsewhere */
  Send = 4,
  /** pipe, place, bytes: reads so many bytes in any case */
  Receive = 5,
  /** place, words, stride, value */
  Write = 6,
  /** place, words, stride */
  Read = 7,
  /** to, from, bytes */
  Copy = 8,
  /** place, bytes, value */
  Fill = 9,
  /** place, bytes, protection, flags, file + 1 or 0, page, Keep */
  Mmap = 10,
  /** place, bytes */
  Munmap = 11,
  /** place, bytes, protection */
  Mprotect = 12,
  /** place, old bytes, new bytes, flags, target, Keep */
  Mremap = 13,
  /** place, bytes, advice */
  Madvise = 14,
  /** place, bytes */
  Mlock = 15,
  /** place, bytes */
  Munlock = 16,
  /** (none) */
  Mlockall = 17,
  /** (none) */
  Munlockall = 18,
  /** place, bytes, flags */
  Msync = 19,
  /** place */
  Brk = 20,
  /** file, offset, place, bytes */
  FileRead = 21,
  /** file, offset, place, bytes */
  FileWrite = 22,
  /** file, bytes */
  Truncate = 23,
  /** place: SIGUSR1 is taken with this as the stack pointer */
  Signal = 24,
  /** OnFault */
  Handle = 25,
  /** place of a string: the program starts anew with it as an argument, and goes on with the next operation */
  Exec = 26,
  /** pipe, pipe: writes one byte to the first, and sleeps for ever over the second */
  Hang = 27,
  /** process, signal */
  Kill = 28,
  /** place, bytes: getcwd */
  Name = 29,
  /** pages: so many are evicted, if they can be */
  Reclaim = 30,
  /** process: it begins in this one's memory and on its stack, which waits until the other has ended or called exec */
  Vfork = 31,
}

/** What a SIGSEGV or SIGBUS does. */
export const enum OnFault {
  /** Kills: the default action. */
  Die = 0,
  /** The handler makes the page accessible, and the access is made again. */
  Mend = 1,
  /** The handler ends the process. */
  Leave = 2,
}

export const enum Keep {
  Nothing = 0,
  /** The result becomes Base.Result. */
  Result = 1,
}

/** Exit statuses of a process that cannot go on: Leave; too many faults; no such address; no memory to mend it. */
export const enum Gone {
  Left = 70,
  Faults = 71,
  Address = 72,
  Memory = 73,
}
