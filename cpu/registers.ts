/**
 * Where everything lives: the layout of the one WebAssembly.Memory that holds a processor's state, its host TLB and the
 * guest's RAM, so that code compiled later to WebAssembly shares all of it with the interpreter. May import nothing.
 *
 *     0x000000  Word      int32 state words (registers, flags, control registers, descriptor caches)
 *     0x000800  Time      float64 words (instret, cycles, deadline, limit)
 *     0x000900  READ_BOUNCE, WRITE_BOUNCE: operands that cross a page are put together here
 *     0x000b00  Listening, RunningRegion
 *     0x001000  ONES_PAGE   what reads beyond the end of RAM see
 *     0x002000  TRASH_PAGE  where writes beyond the end of RAM go
 *     0x010000  HOST_TLB    2^20 int32, one for each linear page (tlb.ts draws an entry)
 *     0x410000  RAM
 *
 * Invariant: a host offset of an operand below RAM_OFFSET is not plain RAM, so that its writer must call finishWrite.
 * Source: Intel SDM volume 1, chapter 3 (registers); volume 3, section 3.4.3 (the hidden part of segment registers).
 */

/** Regions of the memory: byte offsets. */
export const enum Layout {
  Words = 0,
  WordCount = 0x200,
  Time = 0x800,
  TimeCount = 8,
  ReadBounce = 0x900,
  WriteBounce = 0xa00,
  BounceBytes = 0x100,
  /** A word: 1 while somebody listens to the processor's events. Not part of its state. */
  Listening = 0xb00,
  /** A word: the number of the compiled region that ran last. Not part of the state either. */
  RunningRegion = 0xb04,
  OnesPage = 0x1000,
  TrashPage = 0x2000,
  HostTlb = 0x10000,
  HostTlbEntries = 0x100000,
  Ram = 0x410000,
}

/** General registers by their encoding, and the ninth word that is always zero (instruction.ts, NO_REGISTER). */
export const enum Register {
  EAX = 0,
  ECX = 1,
  EDX = 2,
  EBX = 3,
  ESP = 4,
  EBP = 5,
  ESI = 6,
  EDI = 7,
  Zero = 8,
}

/** Indices of the int32 state words; 0 to 8 are Register. */
export const enum Word {
  /** Flags that are not lazy, the system flags and the constant bit 1; see eflags.ts. */
  Eflags = 9,
  /** Which of the six arithmetic flags are lazy, and Lazy.Subtract. */
  Lazy = 10,
  /** Operands and result of the last operation that left flags lazy, sign-extended from its size. */
  LazyA = 11,
  LazyB = 12,
  LazyResult = 13,
  /** While a block runs: the address behind its last instruction. Between blocks: the next instruction's. */
  Eip = 14,
  /** Bits of Event: set in slow paths, looked at after each instruction. */
  Event = 15,
  /** The bits of a host-TLB entry that an access at the present privilege level needs; HostTlb in tlb.ts. */
  ReadBit = 16,
  WriteBit = 17,
  /** Bits of Attention: looked at before each block. */
  Attention = 18,
  /** Bits of Mode: what blocks are keyed by beside their physical address. */
  Mode = 19,
  Cpl = 20,
  Cr0 = 21,
  Cr2 = 22,
  Cr3 = 23,
  Cr4 = 24,
  /** Linear page number whose fetch is known to be allowed (-1: none), and the physical page address behind it. */
  FetchPage = 25,
  FetchPhysical = 26,
  /** The pending exception: valid while Event.Fault is set. ErrorCode is -1 for a vector that pushes none. */
  FaultVector = 27,
  FaultError = 28,
  GdtBase = 29,
  GdtLimit = 30,
  IdtBase = 31,
  IdtLimit = 32,
  /** Result of segmentation.ts's linearAddress. */
  Linear = 33,
  /**
   * Pieces of a write that crosses a page: host offsets of the two pieces, bytes in the first, bytes in all. Of a frame that
   * wraps at 64 KB: base of its segment, its offset, -1 (-2: by the user), bytes in all.
   */
  SplitFirst = 34,
  SplitSecond = 35,
  SplitBytes = 36,
  SplitSize = 37,
  /** Not 0 while an instruction runs that a single-step trap follows. */
  TrapArmed = 38,
  /** DR0 to DR7. */
  Dr0 = 40,
  Dr6 = 46,
  Dr7 = 47,
  /** Eight segment registers each: ES CS SS DS FS GS LDTR TR. */
  Selector = 48,
  Base = 56,
  Limit = 64,
  /** Descriptor's second word, bits 8–15 and 20–23 in place; 0 for a null or unusable segment. */
  Attributes = 72,
  /** The x87's registers R0 to R7, three words each: significand's low and high word, sign and exponent in 16 bits. */
  FpuRegisters = 96,
  FpuControl = 120,
  /** TOP in bits 11 to 13. */
  FpuStatus = 121,
  /** Bit i: register Ri is not empty. */
  FpuValid = 122,
  /** Last instruction but control instructions: offset, CS, the opcode's 11 bits; its memory operand's offset and selector. */
  FpuIp = 123,
  FpuCs = 124,
  FpuOpcode = 125,
  FpuDp = 126,
  FpuDs = 127,
  /** Not 0 after port F0 was written for a pending exception (IGNNE#): instructions run although it pends. */
  FpuIgnore = 128,
  /** All ones but for the flags that the CPU model lacks, and RF (debug.ts): what EFLAGS can hold. */
  FlagsMask = 160,
  /** The time-stamp counter less the cycles, as a 64-bit number. */
  TscLow = 161,
  TscHigh = 162,
  /** What the running instruction has hit, as bits of DR6: debug.ts. */
  DebugPending = 163,
  /** 1: an edge on NMI has not been taken. 1: one has, and no IRET since. */
  NmiPending = 164,
  NmiBlocked = 165,
  /** TR3 to TR7 (168 to 172). */
  Tr3 = 168,
  /** Bytes of one of the parts that the running instruction's operand consists of, where they are aligned as parts; else 0. */
  Part = 166,
  /** Physical address bits that the board holds low: 0, or bit 20 while A20 is off. */
  HeldLow = 176,
  /** Physical address of the ROM's first byte, below 4 GB; it shows below 1 MB too. 0: there is none. */
  Rom = 177,
}

/** Indices of the float64 words. */
export const enum Time {
  Instret = 0,
  Cycles = 1,
  /** run() returns at the first instruction boundary with cycles at or above this. */
  Deadline = 2,
  /** run() returns at the first instruction boundary with instret at or above this. */
  Limit = 3,
  /** instret at which RF was loaded: it shields the instruction that is next then. -1: none. */
  ResumeAt = 7,
}

/** Segment-register numbers beyond instruction.ts's six. */
export const LDTR = 6;
export const TR = 7;

/** Why the interpreter must look up after the running instruction. */
export const enum Event {
  /** The instruction faulted and changed nothing; FaultVector and FaultError say how. */
  Fault = 1,
  /** Decoded code changed, or the running page's translation went: leave the block behind this instruction. */
  Leave = 2,
}

/** Why the interpreter must look up before the next block. */
export const enum Attention {
  /** INTR is high (taken only while EFLAGS.IF is set). */
  Interrupt = 1,
  /** requestStop() was called. */
  Stop = 2,
  Halted = 4,
  /** STI: no interrupt before the next instruction is over. */
  Shadow = 8,
  /** EFLAGS.TF is set. */
  Trap = 16,
  /** A per-instruction hook is installed. */
  Hook = 32,
  /** A shutdown: a fault while a double fault was delivered. */
  TripleFault = 64,
  /** A load of SS: no interrupt and no single-step trap before the next instruction is over. */
  StackShadow = 128,
  /** A breakpoint is enabled in DR7. */
  Breakpoints = 256,
  /** An edge on NMI has come and is not blocked. */
  Nmi = 512,
}

/** What decoded blocks depend on beside the bytes. */
export const enum Mode {
  /** CS.D: 32-bit defaults. */
  Code32 = 1,
  /** CS, SS, DS and ES are flat (base 0, limit 4 GB, 32-bit, readable and all but CS writable): no segment checks. */
  Flat = 2,
  /** One instruction a block: near a deadline, under a hook, in an interrupt shadow. */
  Single = 4,
  /** CPL 3, with Flat: compiled code knows which bits of a host-TLB entry it needs. */
  User = 8,
}

/** EFLAGS, Intel SDM volume 1, section 3.4.3. */
export const enum Flag {
  CF = 1,
  Always = 2,
  PF = 4,
  AF = 0x10,
  ZF = 0x40,
  SF = 0x80,
  TF = 0x100,
  IF = 0x200,
  DF = 0x400,
  OF = 0x800,
  IOPL = 0x3000,
  NT = 0x4000,
  RF = 0x10000,
  VM = 0x20000,
  AC = 0x40000,
  ID = 0x200000,
  Arithmetic = 0x8d5,
}

export const enum Cr0 {
  PE = 1,
  MP = 2,
  EM = 4,
  TS = 8,
  ET = 16,
  NE = 32,
  WP = 0x10000,
  AM = 0x40000,
  NW = 0x20000000,
  CD = 0x40000000,
  PG = 0x80000000 | 0,
}

export const enum Cr4 {
  TSD = 4,
  DE = 8,
  PSE = 0x10,
  PGE = 0x80,
}

/** Index into the byte view of the register file for a byte-register number: AL CL DL BL AH CH DH BH. */
export function byteRegister(register: number): number {
  return ((register & 3) << 2) | (register >> 2);
}
