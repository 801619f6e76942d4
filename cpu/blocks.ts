/**
 * Blocks: straight runs of decoded instructions, found by physical address and Mode, and dropped when their bytes change.
 * May import decoder.ts, isa.ts, model.ts, exec/, registers.ts, paging.ts, memory.ts, segmentation.ts, faults.ts, and the
 * type of the processor.
 *
 * Invariants: a block lies within one page, except that of one instruction which crosses into a second; that instruction is
 * alone in its block, and the second page's translation is checked at each entry. A frame with `isCode` set has no host-TLB
 * entry that allows writes, so that every write to it comes through memory.ts or paging.ts and calls invalidate() first.
 * Blocks hold nothing that depends on a linear address: the same code mapped twice is decoded once.
 */

import type { Arena } from "./arena";
import { forgetRegions, type Region } from "./compile/region";
import type { Cpu } from "./cpu";
import { DecodeResult, decode, MAX_INSTRUCTION_BYTES } from "./decoder";
import { bind } from "./exec/bind";
import { invalidCode, overlongCode } from "./exec/system";
import { faulted, generalProtection } from "./faults";
import { Segment } from "./instruction";
import { INVALID_ROW, ROWS, RowFlag } from "./isa";
import { hasInstruction } from "./model";
import { Operation } from "./operation";
import { denyWrites, NO_PAGE, pageOf } from "./paging";
import { Event, Layout, Mode, Word } from "./registers";
import { withinLimit } from "./segmentation";
import { HostTlb } from "./tlb";

const PAGE = 4096;
/** Instructions in a block at most: bounds the worst-case cost that decides how close to a deadline blocks may run. */
const MAX_OPERATIONS = 48;
const TABLE_BITS = 16;
/** Instructions in the cache at most, some 250 bytes each; then it starts afresh. */
const MAX_CACHED = 200_000;
/** A frame's bytes with code are kept as a mask of 64 granules of this many bytes (as a shift). */
const GRANULE_SHIFT = 6;

export class Block {
  /** Physical address of the first byte; mode as in Word.Mode, with Mode.Single where it applies. */
  readonly physical: number;
  readonly mode: number;
  readonly operations: Operation[];
  /** Instructions and cycles to add at entry: all but what a self-charging last operation adds for itself. */
  readonly count: number;
  readonly cycles: number;
  /** Most cycles that can pass before the last instruction starts. */
  readonly worst: number;
  /** Instructions before the last. */
  readonly before: number;
  /** Bytes of all instructions. */
  readonly bytes: number;
  /** Physical page that the instruction crosses into, or NO_PAGE. */
  readonly second: number;
  /** Least cycles that an instruction of it takes. */
  readonly least: number;
  /** Next block in the same slot of the table. */
  next: Block | null = null;
  /** How often the interpreter has run it since it was decoded or its region forgotten. */
  heat = 0;
  /** What it is compiled in, its number there, and all regions that it is in. */
  region: Region | null = null;
  entry = 0;
  regions: Region[] = [];

  constructor(cpu: Cpu, physical: number, mode: number, operations: Operation[], second: number) {
    const { walkRead, walkUpdate, takenBranch } = cpu.costs;
    const last = operations[operations.length - 1];
    let cycles = 0;
    let worst = 0;
    let bytes = 0;
    let least = Infinity;
    for (const op of operations) {
      op.start = bytes;
      bytes += op.length;
      op.end = bytes;
      op.cyclesBefore = cycles;
      if (op !== last) worst += op.cycles + takenBranch + op.walks * 2 * (walkRead + walkUpdate);
      if (op.selfCharging === 0) cycles += op.cycles;
      least = Math.min(least, op.cycles);
    }
    for (const op of operations) op.toEnd = bytes - op.start;
    this.physical = physical;
    this.mode = mode;
    this.operations = operations;
    this.count = operations.length - last.selfCharging;
    this.cycles = cycles;
    this.worst = worst;
    this.before = operations.length - 1;
    this.bytes = bytes;
    this.second = second;
    this.least = least;
  }
}

function slotOf(physical: number, mode: number): number {
  return ((physical ^ (physical >>> TABLE_BITS)) + (mode << 13)) & ((1 << TABLE_BITS) - 1);
}

export class BlockCache {
  private readonly table: (Block | null)[] = new Array<Block | null>(1 << TABLE_BITS).fill(null);
  /** By frame of RAM: 1 where it holds decoded code. */
  readonly codeFrames: Uint8Array;
  /** The blocks with bytes in a frame, and their granules: two words a frame. */
  private readonly byFrame = new Map<number, Block[]>();
  private readonly granules: Int32Array;
  /** Regions compiled so far. */
  compiled = 0;
  /** Instructions in all blocks. */
  private cached = 0;
  /** An instruction that crosses a page is put together here. */
  private readonly crossing = new Uint8Array(2 * MAX_INSTRUCTION_BYTES);

  constructor(
    private readonly cpu: Cpu,
    arena: Arena,
  ) {
    const frames = cpu.memoryBytes / PAGE;
    this.codeFrames = arena.bytes(frames);
    this.granules = new Int32Array(2 * frames);
  }

  /** Whether a frame of RAM holds decoded code. */
  isCode(frame: number): boolean {
    return this.codeFrames[frame] !== 0;
  }

  /** The block at a physical address, or null. */
  find(physical: number, mode: number): Block | null {
    let block = this.table[slotOf(physical, mode)];
    while (block !== null && (block.physical !== physical || block.mode !== mode)) block = block.next;
    return block;
  }

  /**
   * Decodes the block at a physical address, which is that of linear address `linear` now. Null: fetching the second page of
   * a crossing instruction faulted; the fault is raised.
   */
  build(physical: number, linear: number, mode: number): Block | null {
    const { cpu } = this;
    const size = (mode & Mode.Code32) !== 0 ? 4 : 2;
    const most = (mode & Mode.Single) !== 0 ? 1 : MAX_OPERATIONS;
    const operations: Operation[] = [];
    const host = physical >>> 0 < cpu.memoryBytes ? Layout.Ram + physical : Layout.OnesPage + (physical & (PAGE - 1));
    let left = PAGE - (physical & (PAGE - 1));
    let at = host;
    while (operations.length < most) {
      const op = new Operation(invalidCode);
      const result = decode(cpu.bytes, at, left, size, op);
      if (result === DecodeResult.NeedMore) break;
      this.ready(op, result, mode);
      operations.push(op);
      at += op.length;
      left -= op.length;
      if (this.ends(op)) break;
    }
    if (operations.length > 0) return this.add(new Block(cpu, physical, mode, operations, NO_PAGE));

    const second = this.secondPage((linear + left) | 0);
    if (second === NO_PAGE) return null;
    const rest = second >>> 0 < cpu.memoryBytes ? Layout.Ram + second : Layout.OnesPage;
    this.crossing.set(cpu.bytes.subarray(host, host + left));
    this.crossing.set(cpu.bytes.subarray(rest, rest + MAX_INSTRUCTION_BYTES), left);
    const op = new Operation(invalidCode);
    this.ready(op, decode(this.crossing, 0, this.crossing.length, size, op), mode);
    return this.add(new Block(cpu, physical, mode, [op], second));
  }

  /**
   * Whether a crossing block's second page is still what it was, when it starts at a linear address. False: it is dropped,
   * or a fault is raised.
   */
  checkSecond(block: Block, linear: number): boolean {
    const { cpu } = this;
    const page = (linear | (PAGE - 1)) + 1;
    // The host entry says it all when there is one.
    const entry = cpu.hostTlb[page >>> 12];
    const second =
      (entry & cpu.r[Word.ReadBit]) !== 0 ? (entry & HostTlb.Frame) - Layout.Ram : this.secondPage(page | 0);
    if (second === block.second) return true;
    if (!faulted(cpu)) this.remove(block);
    return false;
  }

  /** Physical address of the page that a crossing instruction ends in, or NO_PAGE: #GP for the limit of CS comes before #PF. */
  private secondPage(linear: number): number {
    const { cpu } = this;
    const { r } = cpu;
    const offset = linear - r[Word.Base + Segment.CS];
    if (
      (r[Word.Mode] & Mode.Flat) !== 0 ||
      withinLimit(r[Word.Limit + Segment.CS], r[Word.Attributes + Segment.CS], offset, 1)
    )
      return pageOf(cpu, linear, 0, r[Word.Cpl] === 3 ? 1 : 0);
    generalProtection(cpu, 0);
    return NO_PAGE;
  }

  private ready(op: Operation, result: DecodeResult, mode: number): void {
    if (result === DecodeResult.Ok && hasInstruction(this.cpu.model, op)) bind(op, mode, this.cpu.costs);
    else if (result === DecodeResult.Ok) op.row = INVALID_ROW;
    else if (result === DecodeResult.TooLong) op.run = overlongCode;
  }

  private ends(op: Operation): boolean {
    return op.selfCharging !== 0 || (ROWS[op.row].flags & RowFlag.Terminates) !== 0;
  }

  private add(block: Block): Block {
    if (this.cached >= MAX_CACHED) this.clear();
    this.cached += block.operations.length;
    const slot = slotOf(block.physical, block.mode);
    block.next = this.table[slot];
    this.table[slot] = block;
    const inFirst = Math.min(block.bytes, PAGE - (block.physical & (PAGE - 1)));
    this.enter(block, block.physical >>> 12, block.physical & (PAGE - 1), inFirst);
    if (block.second !== NO_PAGE) this.enter(block, block.second >>> 12, 0, block.bytes - inFirst);
    return block;
  }

  /** Notes that bytes of a frame are decoded in a block. From then on writes to the frame are seen. */
  private enter(block: Block, frame: number, offset: number, bytes: number): void {
    if (frame >= this.codeFrames.length) return;
    const list = this.byFrame.get(frame);
    if (list === undefined) this.byFrame.set(frame, [block]);
    else list.push(block);
    this.mark(frame, offset, bytes);
    if (this.codeFrames[frame] !== 0) return;
    this.codeFrames[frame] = 1;
    denyWrites(this.cpu, frame);
  }

  private mark(frame: number, offset: number, bytes: number): void {
    for (let granule = offset >> GRANULE_SHIFT; granule <= (offset + bytes - 1) >> GRANULE_SHIFT; granule++) {
      this.granules[2 * frame + (granule >> 5)] |= 1 << (granule & 31);
    }
  }

  /** Drops all blocks with bytes in [physical, physical + bytes), which the caller is about to change or has changed. */
  invalidate(physical: number, bytes: number): void {
    const first = (physical & (PAGE - 1)) >> GRANULE_SHIFT;
    const last = ((physical + bytes - 1) & (PAGE - 1)) >> GRANULE_SHIFT;
    // Most writes to a frame with code are to data beside it.
    if (first === last && bytes <= 1 << GRANULE_SHIFT) {
      const granules = this.granules[2 * (physical >>> 12) + (first >> 5)];
      if ((granules & (1 << (first & 31))) === 0) return;
    }
    const end = physical + bytes;
    for (let frame = physical >>> 12; frame * PAGE < end && frame < this.codeFrames.length; frame++) {
      if (this.codeFrames[frame] === 0) continue;
      const from = Math.max(physical - frame * PAGE, 0);
      const to = Math.min(end - frame * PAGE, PAGE);
      if (this.hasCode(frame, from, to)) this.drop(frame, from, to);
    }
  }

  /** Whether any granule of [from, to) of a frame has code. */
  private hasCode(frame: number, from: number, to: number): boolean {
    for (let granule = from >> GRANULE_SHIFT; granule <= (to - 1) >> GRANULE_SHIFT; granule++) {
      if ((this.granules[2 * frame + (granule >> 5)] & (1 << (granule & 31))) !== 0) return true;
    }
    return false;
  }

  private drop(frame: number, from: number, to: number): void {
    const list = this.byFrame.get(frame) as Block[];
    const hit = list.filter((block) => {
      const start = this.startIn(block, frame);
      return start < to && start + block.bytes > from;
    });
    for (const block of hit) this.remove(block);
  }

  /** Offset of a block's first byte in a frame; negative when it starts in the frame before. */
  private startIn(block: Block, frame: number): number {
    const offset = block.physical & (PAGE - 1);
    return block.physical >>> 12 === frame ? offset : offset - PAGE;
  }

  /** Takes a block out of the table and the frames' lists. A running block is left behind the present instruction. */
  private remove(block: Block): void {
    this.cached -= block.operations.length;
    const slot = slotOf(block.physical, block.mode);
    let at = this.table[slot];
    if (at === block) this.table[slot] = block.next;
    else {
      while (at !== null && at.next !== block) at = at.next;
      if (at !== null) at.next = block.next;
    }
    this.leave(block, block.physical >>> 12);
    if (block.second !== NO_PAGE) this.leave(block, block.second >>> 12);
    forgetRegions(this.cpu, block);
    this.cpu.r[Word.Event] |= Event.Leave;
  }

  private leave(block: Block, frame: number): void {
    const list = this.byFrame.get(frame);
    if (list === undefined) return;
    this.granules[2 * frame] = 0;
    this.granules[2 * frame + 1] = 0;
    const rest = list.filter((other) => other !== block);
    if (rest.length === 0) {
      this.byFrame.delete(frame);
      this.codeFrames[frame] = 0;
      return;
    }
    this.byFrame.set(frame, rest);
    for (const other of rest) {
      const start = this.startIn(other, frame);
      const from = Math.max(start, 0);
      this.mark(frame, from, Math.min(start + other.bytes, PAGE) - from);
    }
  }

  /** Forgets everything. */
  clear(): void {
    this.table.fill(null);
    this.codeFrames.fill(0);
    this.granules.fill(0);
    this.byFrame.clear();
    this.cpu.regions.clear();
    this.cached = 0;
    this.cpu.r[Word.Event] |= Event.Leave;
  }
}
