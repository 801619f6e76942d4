/**
 * The processor: its state, the seam to the board, and what the machine and the tools may ask of it. The work is done by
 * functions over this class: interpreter.ts runs it, exec/ holds the instructions, memory.ts, paging.ts and segmentation.ts
 * the way to an operand, interrupts.ts the way into a handler. May import everything in cpu/ but the board and the machine.
 *
 * Invariants: between calls of run() the state is that at an instruction boundary; all of it that a guest can see is in
 * `memory` (registers.ts draws it) and in `tlb`; everything else is a cache that can be rebuilt. `cycles` and `instret` do
 * not depend on how the code was cut into blocks, nor on how often run() returned.
 * Source: Intel SDM volume 1, chapter 3; volume 3, chapters 2 to 6.
 */
import { Arena } from "./arena";
import { BlockCache } from "./blocks";
import { REGION_TABLE_BYTES, RegionTable } from "./compile/dispatch";
import { COMPILE_AFTER } from "./compile/region";
import { makeRuntime, type Runtime } from "./compile/runtime";
import { type CostTable, STANDARD_COSTS, type TlbGeometry } from "./costs";
import { readEflags, writeEflags } from "./eflags";
import { MachineError } from "./errors";
import { run } from "./interpreter";
import { type Model, modelNamed } from "./model";
import { DEFAULT_MODEL, type ModelName } from "./modelnames";
import { forgetFetch, setA20, setControlWords, walkTables } from "./paging";
import { Attention, byteRegister, Layout, type Register, Time, Word } from "./registers";
import { flatState, realState } from "./reset";
import type { Bus, CpuListener, RunExit } from "./seam";
import { refreshMode } from "./segmentation";
import { type CpuState, restoreCpu, saveCpu } from "./state";
import { ChargedTlb, tlbBytes } from "./tlb";

export { COST_VERSION, type CostTable, STANDARD_COSTS, STANDARD_TLB, type TlbGeometry } from "./costs";
export type { Model } from "./model";
export { DEFAULT_MODEL, MODEL_NAMES, type ModelName } from "./modelnames";
export { type Bus, CpuEvent, type CpuListener, RunExit } from "./seam";

/** A segment register with its hidden part. */
export interface SegmentState {
  selector: number;
  base: number;
  /** In bytes, granularity applied: the last valid offset (the last invalid one for expand-down segments). */
  limit: number;
  /** Bits 8–15 and 20–23 of the descriptor's second word, in place; 0 for a null segment. */
  attributes: number;
}

export interface CpuOptions {
  /** Bytes of RAM: a multiple of 4096, at most 1.75 GB. */
  memoryBytes: number;
  bus: Bus;
  costs?: CostTable;
  /** Instead of the cost table's own geometry. */
  tlb?: TlbGeometry;
  /** Runs of a block before it is compiled: 0 for at once, Infinity for never. It shows in speed only. */
  compileAfter?: number;
  /** The CPU model; DEFAULT_MODEL by default. */
  model?: ModelName;
}

const PAGE = 4096;
const WASM_PAGE = 65536;
const MAX_MEMORY = 0x70000000;
const ROM_BYTES = 0x20000;

export class Cpu {
  /** State, host TLB and RAM; registers.ts says where. */
  readonly memory: WebAssembly.Memory;
  /** Guest physical memory. After a write from outside to where code may be, call codeChanged(). */
  readonly ram: Uint8Array;
  /** The whole memory, as bytes, by DataView (little-endian everywhere), and as aligned words. */
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly words: Int32Array;
  /** State words (Word), also seen as bytes and 16-bit halves for the general registers. */
  readonly r: Int32Array;
  readonly r8: Uint8Array;
  readonly r16: Uint16Array;
  /** Time words (Time). */
  readonly time: Float64Array;
  readonly hostTlb: Int32Array;
  readonly memoryBytes: number;
  readonly bus: Bus;
  readonly costs: CostTable;
  readonly model: Model;
  readonly tlb: ChargedTlb;
  readonly blocks: BlockCache;
  /** Runs of a block before it is compiled. */
  readonly compileAfter: number;
  readonly regions: RegionTable;
  /** What compiled code calls. */
  readonly runtime: Runtime;
  private hears: CpuListener | null = null;
  private hook: (() => boolean) | null = null;

  /** Throws MachineError for an impossible size of memory and an unknown model. The state is reset()'s. */
  constructor(options: CpuOptions) {
    const {
      memoryBytes,
      bus,
      costs = STANDARD_COSTS,
      tlb = costs.tlb,
      compileAfter = COMPILE_AFTER,
      model = DEFAULT_MODEL,
    } = options;
    if (memoryBytes <= 0 || memoryBytes % PAGE !== 0 || memoryBytes > MAX_MEMORY) {
      throw new MachineError(`memory of ${memoryBytes} bytes: it must be a multiple of 4096 up to ${MAX_MEMORY}`);
    }
    // Behind RAM and a page that nothing touches, what compiled code shares with us beside the state.
    const caches = Layout.Ram + memoryBytes + PAGE;
    const cacheBytes = tlbBytes(tlb) + REGION_TABLE_BYTES + memoryBytes / PAGE;
    try {
      this.memory = new WebAssembly.Memory({ initial: Math.ceil((caches + cacheBytes) / WASM_PAGE) });
    } catch {
      throw new MachineError(`no room for ${memoryBytes} bytes of guest memory`);
    }
    const { buffer } = this.memory;
    this.memoryBytes = memoryBytes;
    this.ram = new Uint8Array(buffer, Layout.Ram, memoryBytes);
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
    this.words = new Int32Array(buffer);
    this.r = new Int32Array(buffer, Layout.Words, Layout.WordCount);
    this.r8 = new Uint8Array(buffer, Layout.Words, 32);
    this.r16 = new Uint16Array(buffer, Layout.Words, 16);
    this.time = new Float64Array(buffer, Layout.Time, Layout.TimeCount);
    this.hostTlb = new Int32Array(buffer, Layout.HostTlb, Layout.HostTlbEntries);
    this.bytes.fill(0xff, Layout.OnesPage, Layout.OnesPage + PAGE);
    this.bus = bus;
    this.costs = costs;
    this.model = modelNamed(model);
    const arena = new Arena(buffer, caches);
    this.tlb = new ChargedTlb(arena, tlb);
    this.blocks = new BlockCache(this, arena);
    this.regions = new RegionTable(arena);
    this.runtime = makeRuntime(this);
    this.compileAfter = compileAfter;
    // The caches are empty as they are made.
    this.begin();
  }

  /** Instructions retired; each repetition of a string instruction counts one. */
  get instret(): number {
    return this.time[Time.Instret];
  }
  set instret(value: number) {
    this.time[Time.Instret] = value;
  }

  /** Guest time. Settable between calls of run(): a halted machine's time moves on by the board's hand. */
  get cycles(): number {
    return this.time[Time.Cycles];
  }
  set cycles(value: number) {
    this.time[Time.Cycles] = value;
  }

  /** Cycles at which run() returns. May be changed at any time, also from within a Bus call. */
  get deadline(): number {
    return this.time[Time.Deadline];
  }
  set deadline(value: number) {
    this.time[Time.Deadline] = value;
  }

  /** Hears of events; null when nobody listens. */
  get listener(): CpuListener | null {
    return this.hears;
  }
  set listener(listener: CpuListener | null) {
    this.hears = listener;
    this.words[Layout.Listening >> 2] = listener === null ? 0 : 1;
  }

  /** Called before each instruction; true makes run() return with RunExit.Hook. Costs speed, never guest time. */
  get onInstruction(): (() => boolean) | null {
    return this.hook;
  }
  set onInstruction(hook: (() => boolean) | null) {
    this.hook = hook;
    this.attend(Attention.Hook, hook !== null);
  }

  /** The PIC's INTR output. */
  setInterruptLine(level: 0 | 1): void {
    this.attend(Attention.Interrupt, level !== 0);
  }

  /** IGNNE#: x87 instructions run although an exception is pending, until none is. */
  ignoreCoprocessorError(): void {
    if ((this.r[Word.FpuStatus] & 0x80) !== 0) this.r[Word.FpuIgnore] = 1;
  }

  /**
   * An edge on the NMI input: vector 2 at the next instruction boundary that is not in the shadow of a load of SS. One more is
   * remembered until the IRET of its handler.
   */
  raiseNmi(): void {
    this.r[Word.NmiPending] = 1;
    this.attend(Attention.Nmi, this.r[Word.NmiBlocked] === 0);
  }

  /** run() returns RunExit.Stopped before the next instruction. */
  requestStop(): void {
    this.attend(Attention.Stop, true);
  }

  /** Whether HLT has stopped the processor. */
  get halted(): boolean {
    return (this.r[Word.Attention] & Attention.Halted) !== 0;
  }

  /** Runs until instret reaches `maxInstret`, or for another reason in RunExit. */
  run(maxInstret: number): RunExit {
    return run(this, maxInstret);
  }

  /**
   * Registers as a multiboot loader leaves them: 32-bit flat protected mode, no paging, interrupts off, EIP = 0. RAM stays.
   * instret and cycles start at 0, there is no deadline, all caches are empty.
   */
  reset(): void {
    this.begin();
    this.forgetCaches();
  }

  private begin(): void {
    this.time.fill(0);
    this.deadline = Infinity;
    this.time[Time.Limit] = Infinity;
    flatState(this);
    refreshMode(this);
    forgetFetch(this);
  }

  /**
   * Registers as the RESET# pin leaves them: real mode at F000:FFF0, with CS based at FFFF0000 until its first far jump. The last
   * `romBytes` below 1 MB are ROM, which shows below 4 GB too and ignores writes. A20 is up. RAM stays, and so do instret,
   * cycles, the deadline and the level of the interrupt line: it may be called in the middle of a run.
   */
  resetToRealMode(romBytes = ROM_BYTES): void {
    realState(this, romBytes);
    this.forgetCaches();
  }

  /** The level of the A20 gate: with 0, bit 20 of every physical address reads as 0. Up after a reset. */
  setA20(level: 0 | 1): void {
    setA20(this, level);
  }
  get a20(): 0 | 1 {
    return this.r[Word.HeldLow] === 0 ? 1 : 0;
  }

  /** A general register as uint32. */
  register(register: Register): number {
    return this.r[register] >>> 0;
  }
  setRegister(register: Register, value: number): void {
    this.r[register] = value;
  }

  /** AL CL DL BL AH CH DH BH by their encoding. */
  register8(register: number): number {
    return this.r8[byteRegister(register)];
  }

  /** Offset of the next instruction in CS, uint32. */
  get eip(): number {
    return this.r[Word.Eip] >>> 0;
  }
  set eip(value: number) {
    this.r[Word.Eip] = value;
  }

  /** All flags, lazy ones worked out. */
  get eflags(): number {
    return readEflags(this.r);
  }
  set eflags(value: number) {
    writeEflags(this.r, value);
    refreshMode(this);
  }

  /** Present privilege level, 0 to 3. */
  get cpl(): number {
    return this.r[Word.Cpl];
  }

  /** CR0, CR2, CR3 or CR4 as uint32. */
  control(register: 0 | 2 | 3 | 4): number {
    return this.r[register === 0 ? Word.Cr0 : Word.Cr2 + register - 2] >>> 0;
  }
  /** Sets a control register as MOV CRn does, TLB flushes included, with no cost and no check. */
  setControl(register: 0 | 2 | 3 | 4, value: number): void {
    setControlWords(this, register, value | 0);
    refreshMode(this);
  }

  /** DR0 to DR7 as uint32. */
  debugRegister(register: number): number {
    return this.r[Word.Dr0 + register] >>> 0;
  }

  /** ES CS SS DS FS GS LDTR TR by number, with the hidden part. */
  segment(segment: number): SegmentState {
    const { r } = this;
    return {
      selector: r[Word.Selector + segment],
      base: r[Word.Base + segment] >>> 0,
      limit: r[Word.Limit + segment] >>> 0,
      attributes: r[Word.Attributes + segment],
    };
  }
  /** Sets a segment register's visible and hidden part without a check. CPL follows the DPL of SS. */
  setSegment(segment: number, state: SegmentState): void {
    const { r } = this;
    r[Word.Selector + segment] = state.selector;
    r[Word.Base + segment] = state.base;
    r[Word.Limit + segment] = state.limit;
    r[Word.Attributes + segment] = state.attributes;
    refreshMode(this);
  }

  /** Base and limit (bytes - 1) of the GDT or IDT. */
  descriptorTable(table: "gdt" | "idt"): { base: number; limit: number } {
    const at = table === "gdt" ? Word.GdtBase : Word.IdtBase;
    return { base: this.r[at] >>> 0, limit: this.r[at + 1] };
  }
  setDescriptorTable(table: "gdt" | "idt", base: number, limit: number): void {
    const at = table === "gdt" ? Word.GdtBase : Word.IdtBase;
    this.r[at] = base;
    this.r[at + 1] = limit & 0xffff;
  }

  /**
   * Physical address of a linear one by the page tables in memory (not the TLB), or -1 when it is not mapped. Leaves no
   * trace: no accessed bit, no cycles. `directory` is a value for CR3, the present one by default.
   */
  translate(linear: number, directory: number = this.r[Word.Cr3]): number {
    return walkTables(this, linear, directory);
  }

  /** RAM from physical `address` on was written from outside: decoded code there is dropped. */
  codeChanged(address: number, bytes: number): void {
    this.blocks.invalidate(address, bytes);
  }

  /** The whole processor with its RAM. */
  save(): CpuState {
    return saveCpu(this);
  }

  /**
   * Takes over a saved state; decoded code whose bytes are the same in it stays. Throws MachineError when it is of another
   * version, CPU model, size of memory or TLB geometry.
   */
  restore(state: CpuState): void {
    restoreCpu(this, state);
  }

  /** Asks the hook. Only the interpreter calls it. */
  hookStops(): boolean {
    return this.hook?.() === true;
  }

  private forgetCaches(): void {
    this.blocks.clear();
    this.hostTlb.fill(0);
    refreshMode(this);
    forgetFetch(this);
  }

  private attend(bit: Attention, on: boolean): void {
    if (on) this.r[Word.Attention] |= bit;
    else this.r[Word.Attention] &= ~bit;
  }
}
