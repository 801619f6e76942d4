/**
 * Structures that cross the system-call boundary, as Linux i386 lays them out (all 64-bit members are two words, low
 * first, aligned to four bytes). Times are seconds and micro- or nanoseconds since boot. May import nothing.
 */

/** stat64, lstat64, fstat64: include/asm-i386/stat.h, struct stat64. 96 bytes. */
@unmanaged
export class Stat64 {
  device: u32 = 0;
  deviceHigh: u32 = 0;
  pad0: u32 = 0;
  /** Low word of the inode number (the field that was there first). */
  inodeLow: u32 = 0;
  /** File type (S_IF…) and permission bits. */
  mode: u32 = 0;
  links: u32 = 0;
  uid: u32 = 0;
  gid: u32 = 0;
  rdev: u32 = 0;
  rdevHigh: u32 = 0;
  pad1: u32 = 0;
  /** Bytes. */
  size: u32 = 0;
  sizeHigh: u32 = 0;
  blockSize: u32 = 0;
  /** In units of 512 bytes. */
  blocks: u32 = 0;
  blocksHigh: u32 = 0;
  accessTime: u32 = 0;
  accessNanoseconds: u32 = 0;
  modifyTime: u32 = 0;
  modifyNanoseconds: u32 = 0;
  changeTime: u32 = 0;
  changeNanoseconds: u32 = 0;
  inode: u32 = 0;
  inodeHigh: u32 = 0;
}

/** One element of readv and writev. */
@unmanaged
export class Iovec {
  base: usize = 0;
  bytes: u32 = 0;
}

/** nanosleep, clock_gettime. */
@unmanaged
export class Timespec {
  seconds: i32 = 0;
  nanoseconds: i32 = 0;
}

/** gettimeofday. */
@unmanaged
export class Timeval {
  seconds: i32 = 0;
  microseconds: i32 = 0;
}

/** getdents64: header of one entry; the NUL-terminated name follows at byte 19, and `recordBytes` is a multiple of 8. */
@unmanaged
export class Dirent64 {
  inode: u32 = 0;
  inodeHigh: u32 = 0;
  /** Position to seek to for the entry after this one. */
  offset: u32 = 0;
  offsetHigh: u32 = 0;
  recordBytes: u16 = 0;
  /** DT_REG and so on. */
  type: u8 = 0;
}
/** Where the name begins in a Dirent64. */
export const DIRENT64_NAME: u32 = 19;

/** uname: six NUL-terminated fields of this many bytes: sysname, nodename, release, version, machine, domainname. */
export const UTSNAME_FIELD: u32 = 65;
export const UTSNAME_FIELDS: u32 = 6;

/** TCGETS, TCSETS: 36 bytes, the NCCS control characters from byte 17 on. */
@unmanaged
export class Termios {
  inputFlags: u32 = 0;
  outputFlags: u32 = 0;
  controlFlags: u32 = 0;
  localFlags: u32 = 0;
  line: u8 = 0;
}
/** Where c_cc begins in a Termios, and the size of the whole. */
export const TERMIOS_CC: u32 = 17;
export const TERMIOS_BYTES: u32 = 36;

/** TIOCGWINSZ. */
@unmanaged
export class Winsize {
  rows: u16 = 0;
  columns: u16 = 0;
  xPixels: u16 = 0;
  yPixels: u16 = 0;
}

/** mmap (90): the six arguments in memory. */
@unmanaged
export class MmapArguments {
  address: usize = 0;
  bytes: u32 = 0;
  protection: u32 = 0;
  flags: u32 = 0;
  descriptor: i32 = 0;
  offset: u32 = 0;
}

/** sigaction (67). */
@unmanaged
export class OldSigaction {
  handler: u32 = 0;
  mask: u32 = 0;
  flags: u32 = 0;
  restorer: u32 = 0;
}

/** rt_sigaction (174). */
@unmanaged
export class Sigaction {
  handler: u32 = 0;
  flags: u32 = 0;
  restorer: u32 = 0;
  mask: u32 = 0;
  maskHigh: u32 = 0;
}

/** setitimer, getitimer: after `value`, then every `interval`; 0 is never. */
@unmanaged
export class Itimerval {
  intervalSeconds: u32 = 0;
  intervalMicroseconds: u32 = 0;
  seconds: u32 = 0;
  microseconds: u32 = 0;
}

/** The auxiliary vector that exec leaves above envp: pairs of type and value. include/linux/elf.h. */
export const enum Auxiliary {
  AT_NULL = 0,
  AT_PHDR = 3,
  AT_PHENT = 4,
  AT_PHNUM = 5,
  AT_PAGESZ = 6,
  AT_BASE = 7,
  AT_FLAGS = 8,
  AT_ENTRY = 9,
  AT_UID = 11,
  AT_EUID = 12,
  AT_GID = 13,
  AT_EGID = 14,
  AT_PLATFORM = 15,
  AT_HWCAP = 16,
  AT_CLKTCK = 17,
  AT_SECURE = 23,
  AT_RANDOM = 25,
  AT_EXECFN = 31,
}

/** Clock ticks a second (the PIT's rate, and AT_CLKTCK). */
export const TICKS_PER_SECOND: u32 = 100;
