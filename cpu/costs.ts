/**
 * The cost table: how many cycles everything takes. Part of the machine's contract: a published figure names the version of
 * the table that it was taken under, and any change here raises COST_VERSION. May import nothing.
 *
 * The figures follow an i486/Pentium-class part with warm caches and no pairing: what matters is that they are fixed,
 * plausible in their ratios, and independent of the engine that runs the code.
 * Source: Intel486 DX data book, chapter 10 (instruction clocks); Pentium developer's manual volume 1, section 3.7 (TLBs).
 */

/** Raised with every change of a figure or of the TLB's geometry. */
export const COST_VERSION = 1;

/** The charged TLB. It alone decides what is a hit and what is a page walk. Numbers of sets are powers of two. */
export interface TlbGeometry {
  /** 4 KB entries: set = linear page number modulo sets. */
  readonly sets: number;
  readonly ways: number;
  /** 4 MB entries: set = linear address / 4 MB modulo sets. */
  readonly largeSets: number;
  readonly largeWays: number;
  /** -1: each set replaces its ways in turn. Otherwise the seed of a generator that picks the way. */
  readonly randomSeed: number;
}

export interface CostTable {
  readonly version: number;
  /** Cycles by mnemonic for the register form; what is not listed takes one. */
  readonly instructions: Readonly<Record<string, number>>;
  /** Added when an operand is read from memory, written to it, or both. */
  readonly memoryRead: number;
  readonly memoryWrite: number;
  readonly memoryModify: number;
  /** Added to a conditional branch or loop that is taken. */
  readonly takenBranch: number;
  /** Cycles by mnemonic for each repetition of a string instruction under REP; the listed cost is added once at its end. */
  readonly repetitions: Readonly<Record<string, number>>;
  /** Each read of a directory or table entry by a page walk, and each write that sets accessed or dirty bits. */
  readonly walkRead: number;
  readonly walkUpdate: number;
  /** Delivery of an interrupt or exception within the ring, and what a change to an inner ring adds. */
  readonly trapEntry: number;
  readonly trapRingChange: number;
  /** Added to IRET, far RET and far CALL that change the ring. */
  readonly farRingChange: number;
  /** Added for a hardware task switch, whatever led to it. */
  readonly taskSwitch: number;
  readonly tlb: TlbGeometry;
}

/** A Pentium's data TLB: 64 entries in 4 ways for 4 KB pages, 8 entries for 4 MB pages (fully associative here). */
export const STANDARD_TLB: TlbGeometry = { sets: 16, ways: 4, largeSets: 1, largeWays: 8, randomSeed: -1 };

/** Entries are never evicted for want of room: staleness shows in full. */
export const UNBOUNDED_TLB: TlbGeometry = { sets: 1 << 20, ways: 1, largeSets: 1 << 10, largeWays: 1, randomSeed: -1 };

/** One entry: nearly every access walks. */
export const MINIMAL_TLB: TlbGeometry = { sets: 1, ways: 1, largeSets: 1, largeWays: 1, randomSeed: -1 };

/**
 * The 486's floating-point unit, the middle of each range, by mnemonic (data book, table of floating-point clocks). fwait has its one cycle, as before there was an x87.
 */
const X87_CYCLES: Readonly<Record<string, number>> = {
  ...each(3, "fst fstp fstpnce fnstcw fnstsw fabs fincstp fdecstp ffree ffreep fnop fneni fndisi fnsetpm"),
  ...each(4, "fld fld1 fldz fxch fcom fcomp fucom fucomp fcomi fcomip fucomi fucomip ftst fldcw"),
  ...each(5, "fcompp fucompp"),
  ...each(4, "fcmovb fcmove fcmovbe fcmovu fcmovnb fcmovne fcmovnbe fcmovnu"),
  ...each(8, "fldl2t fldl2e fldpi fldlg2 fldln2 fxam"),
  ...each(10, "fadd faddp fsub fsubp fsubr fsubrp"),
  ...each(16, "fmul fmulp"),
  ...each(73, "fdiv fdivp fdivr fdivrp"),
  ...each(14, "fild"),
  ...each(17, "ficom ficomp fninit"),
  ...each(22, "fiadd fisub fisubr"),
  ...each(25, "fimul"),
  ...each(85, "fidiv fidivr fsqrt"),
  ...each(33, "fist fistp"),
  fchs: 6,
  fnclex: 7,
  fxtract: 18,
  frndint: 25,
  fscale: 31,
  fldenv: 34,
  fnstenv: 56,
  fbld: 75,
  fprem: 84,
  fprem1: 94,
  frstor: 120,
  fnsave: 143,
  fbstp: 174,
  f2xm1: 200,
  fyl2x: 240,
  fyl2xp1: 240,
  fptan: 240,
  ...each(250, "fsin fcos fpatan"),
  fsincos: 290,
};

function each(cycles: number, mnemonics: string): Record<string, number> {
  return Object.fromEntries(mnemonics.split(" ").map((mnemonic) => [mnemonic, cycles]));
}

export const STANDARD_COSTS: CostTable = {
  version: COST_VERSION,
  instructions: {
    // One pass through the pipeline with a little microcode.
    xchg: 3,
    cmpxchg: 6,
    xadd: 3,
    lahf: 3,
    sahf: 2,
    cmc: 2,
    xlatb: 4,
    bswap: 1,
    // Shifts by a count take the shifter twice; through carry, bit by bit in microcode.
    rol: 2,
    ror: 2,
    shl: 2,
    shr: 2,
    sar: 2,
    rcl: 8,
    rcr: 8,
    shld: 3,
    shrd: 3,
    // Bit tests, and the scans (an average of the 486's data-dependent times).
    bt: 3,
    bts: 6,
    btr: 6,
    btc: 6,
    bsf: 10,
    bsr: 10,
    // Multiplication and division in a serial unit.
    mul: 10,
    imul: 10,
    div: 25,
    idiv: 30,
    aad: 14,
    aam: 15,
    aaa: 3,
    aas: 3,
    daa: 2,
    das: 2,
    bound: 7,
    // The stack: the access is in the figure.
    push: 1,
    pop: 1,
    pushad: 9,
    popad: 9,
    pushfd: 3,
    popfd: 6,
    enter: 12,
    leave: 3,
    call: 3,
    ret: 3,
    jmp: 2,
    loop: 4,
    loope: 5,
    loopne: 5,
    jecxz: 4,
    // Strings, one iteration without REP.
    movsb: 5,
    movsd: 5,
    cmpsb: 6,
    cmpsd: 6,
    scasb: 4,
    scasd: 4,
    lodsb: 3,
    lodsd: 3,
    stosb: 4,
    stosd: 4,
    insb: 12,
    insd: 12,
    outsb: 12,
    outsd: 12,
    // Ports sit behind a slow bus.
    in: 12,
    out: 12,
    // System instructions: serialising microcode.
    cli: 5,
    sti: 5,
    hlt: 4,
    clts: 7,
    lmsw: 10,
    lgdt: 10,
    lidt: 10,
    lldt: 11,
    ltr: 15,
    lar: 8,
    lsl: 10,
    verr: 8,
    verw: 8,
    arpl: 8,
    sgdt: 6,
    sidt: 6,
    cpuid: 14,
    rdtsc: 6,
    cmpxchg8b: 10,
    rdmsr: 20,
    wrmsr: 30,
    invlpg: 12,
    invd: 15,
    wbinvd: 200,
    iretd: 10,
    retf: 8,
    lds: 6,
    les: 6,
    lfs: 6,
    lgs: 6,
    lss: 6,
    // Moves that the operand makes expensive: exec/bind.ts, costName.
    "mov sreg": 3,
    "push sreg": 1,
    "pop sreg": 3,
    "mov to cr": 16,
    "mov from cr": 4,
    "mov dr": 10,
    "mov tr": 4,
    "call far": 18,
    "jmp far": 17,
    ...X87_CYCLES,
  },
  memoryRead: 1,
  memoryWrite: 1,
  memoryModify: 2,
  takenBranch: 1,
  repetitions: {
    // One access in and one out each cycle with the bus busy; compares also wait for the flags.
    movsb: 2,
    movsd: 2,
    stosb: 1,
    stosd: 1,
    lodsb: 2,
    lodsd: 2,
    cmpsb: 4,
    cmpsd: 4,
    scasb: 3,
    scasd: 3,
    insb: 10,
    insd: 10,
    outsb: 10,
    outsd: 10,
  },
  // A table entry comes from the second-level cache; setting A or D is a locked write.
  walkRead: 5,
  walkUpdate: 8,
  // Gate, descriptor and stack reads, pushes: the Pentium needs 26 and 44 cycles for INT in protected mode.
  trapEntry: 26,
  trapRingChange: 18,
  farRingChange: 17,
  // The 486's time for saving one TSS and loading another.
  taskSwitch: 162,
  tlb: STANDARD_TLB,
};
