/**
 * The loop: finds the next block, charges for it, runs its operations, and takes back what did not run. Everything that can
 * happen between two instructions happens here, in a fixed order.
 * May import blocks.ts, compile/, interrupts.ts, paging.ts, segmentation.ts, faults.ts, tlb.ts, registers.ts, seam.ts, and the type of
 * the processor.
 *
 * Time does not depend on the cutting into blocks: a block is entered only if every boundary inside it lies before the
 * deadline and the budget; nearer to them blocks of one instruction run. In effect the running page's translation is looked
 * up for every instruction: a hit changes nothing, and every slow path that drops the translation leaves the block.
 *
 * At a boundary, in this order: shutdown; stop request; budget; deadline; NMI and interrupts, unless shadowed; HLT; the hook;
 * breakpoints on the instruction; then the instruction, and right after it the trap for a single step and for data and ports.
 * Source: Intel SDM volume 3, section 6.9 (priority among simultaneous exceptions and interrupts).
 */
import type { Block } from "./blocks";
import { EXIT_KIND, Exit, SITE_SHIFT } from "./compile/generate";
import { compileRegion, type Region } from "./compile/region";
import type { Cpu } from "./cpu";
import { breakpointsHere, DebugStatus } from "./debug";
import { faulted, generalProtection } from "./faults";
import { debugException, deliverFault, interrupt, nonMaskable } from "./interrupts";
import { NO_PAGE, pageOf } from "./paging";
import { Attention, Flag, Layout, Mode, Time, Word } from "./registers";
import { RunExit } from "./seam";
import { withinLimit } from "./segmentation";
import { HostTlb } from "./tlb";

const CS = 1;
const OFFSET = 0xfff;

/** What attend() found, beside a RunExit: run the next instruction, or look at the boundary afresh. */
const GO_ON = -1;
const AGAIN = -2;

const SHADOWS = Attention.Shadow | Attention.StackShadow;
const ONE_BY_ONE = Attention.Hook | Attention.Trap | Attention.Breakpoints | SHADOWS;

/** Runs until instret reaches `maxInstret` or something else in RunExit happens. */
export function run(cpu: Cpu, maxInstret: number): RunExit {
  const { r, time } = cpu;
  time[Time.Limit] = maxInstret;
  for (;;) {
    if (r[Word.Attention] !== 0 || time[Time.Cycles] >= time[Time.Deadline] || time[Time.Instret] >= maxInstret) {
      const found = attend(cpu);
      if (found >= 0) return found;
      if (found === AGAIN) continue;
      if ((r[Word.Attention] & ONE_BY_ONE) !== 0) {
        runOne(cpu);
        continue;
      }
    }
    let block = nextBlock(cpu, 0);
    if (
      block !== null &&
      block.before !== 0 &&
      (time[Time.Cycles] + block.worst >= time[Time.Deadline] || time[Time.Instret] + block.before >= maxInstret)
    ) {
      block = nextBlock(cpu, Mode.Single);
    }
    if (block === null) continue;
    if (block.region === null && block.heat++ === cpu.compileAfter) compileRegion(cpu, block);
    if (block.region !== null && mayRunRegion(cpu, block)) runRegions(cpu, block, block.region);
    else execute(cpu, block);
  }
}

/** Whether compiled code may begin with a block: it would come straight back so close to the deadline or the budget. */
function mayRunRegion({ r, time }: Cpu, block: Block): boolean {
  const room = Math.min(time[Time.Deadline] - time[Time.Cycles], time[Time.Limit] - time[Time.Instret]);
  // With alignment checked, no access is as fast as compiled code takes it to be.
  return room > block.worst + 1 && r[Word.ReadBit] !== 0;
}

/** Runs regions, beginning with one of a block's, and finishes the instruction that the last could not. */
function runRegions(cpu: Cpu, block: Block, region: Region): void {
  const { r, regions } = cpu;
  regions.enter(block, region);
  const exit = cpu.runtime.dispatch(region.number, block.entry);
  if (exit === 0 || exit === Exit.Budget) return;
  const site = exit >> SITE_SHIFT;
  const last = regions.at(cpu.words[Layout.RunningRegion >> 2]);
  const index = last.siteIndex[site];
  if ((exit & EXIT_KIND) === Exit.RunLast && !faulted(cpu)) {
    const op = last.siteBlock[site].operations[index];
    op.run(cpu, op);
    if (r[Word.Event] === 0) return;
  }
  leave(cpu, last.siteBlock[site], index);
}

/** Sees to all that may be due at an instruction boundary: a RunExit, GO_ON or AGAIN. */
function attend(cpu: Cpu): number {
  const { r, time } = cpu;
  const attention = r[Word.Attention];
  if ((attention & Attention.TripleFault) !== 0) return RunExit.TripleFault;
  if ((attention & Attention.Stop) !== 0) {
    r[Word.Attention] &= ~Attention.Stop;
    return RunExit.Stopped;
  }
  if (time[Time.Instret] >= time[Time.Limit]) return RunExit.Budget;
  if (time[Time.Cycles] >= time[Time.Deadline]) return RunExit.Deadline;
  if ((attention & Attention.Nmi) !== 0 && (attention & Attention.StackShadow) === 0) {
    nonMaskable(cpu);
    return AGAIN;
  }
  if ((attention & Attention.Interrupt) !== 0 && (attention & SHADOWS) === 0 && (r[Word.Eflags] & Flag.IF) !== 0) {
    interrupt(cpu, cpu.bus.acknowledge());
    return AGAIN;
  }
  if ((attention & Attention.Halted) !== 0) return RunExit.Halted;
  if ((attention & Attention.Hook) !== 0) {
    if (cpu.hookStops()) return RunExit.Hook;
    // The hook may have asked for the other way to stop.
    if ((r[Word.Attention] & Attention.Stop) !== 0) return AGAIN;
  }
  return GO_ON;
}

/**
 * Runs one instruction unless a breakpoint is on it, ends a shadow, and traps after it when TF was set before it or a
 * breakpoint was hit in it. The instruction behind a load of SS takes no breakpoint, and comes before the trap of the load.
 */
function runOne(cpu: Cpu): void {
  const { r } = cpu;
  const attention = r[Word.Attention];
  r[Word.TrapArmed] = attention & Attention.Trap;
  r[Word.Attention] &= ~SHADOWS;
  if ((attention & Attention.Breakpoints) !== 0 && (attention & Attention.StackShadow) === 0) {
    const found = breakpointsHere(cpu);
    if (found !== 0) {
      debugException(cpu, found);
      return;
    }
  }
  const block = nextBlock(cpu, Mode.Single);
  if (block === null || !execute(cpu, block)) return;
  // A handler entered by INT n is not stepped into: TrapArmed is 0 again.
  const status = r[Word.DebugPending] | (r[Word.TrapArmed] !== 0 ? DebugStatus.BS : 0);
  if (status === 0 || (r[Word.Attention] & Attention.StackShadow) !== 0) return;
  r[Word.DebugPending] = 0;
  debugException(cpu, status);
}

/**
 * The block at CS:EIP, decoded if need be. Null: fetching it faulted, and the exception has been delivered. `single` is 0 or
 * Mode.Single.
 */
function nextBlock(cpu: Cpu, single: number): Block | null {
  const { r, blocks } = cpu;
  const mode = r[Word.Mode] | single;
  let linear = r[Word.Eip];
  if ((mode & Mode.Flat) === 0) {
    if (!withinLimit(r[Word.Limit + CS], r[Word.Attributes + CS], linear, 1)) return outsideLimit(cpu);
    linear = (linear + r[Word.Base + CS]) | 0;
  }
  if (linear >>> 12 !== r[Word.FetchPage] && !fetchPage(cpu, linear)) return null;
  const physical = r[Word.FetchPhysical] | (linear & OFFSET);
  let block = blocks.find(physical, mode);
  if (block !== null && block.second !== NO_PAGE && !blocks.checkSecond(block, linear)) block = null;
  if (block === null && !faulted(cpu)) block = blocks.build(physical, linear, mode);
  if (block === null) {
    deliverFault(cpu);
    return null;
  }
  if ((mode & Mode.Flat) !== 0) return block;
  if (withinLimit(r[Word.Limit + CS], r[Word.Attributes + CS], r[Word.Eip], block.bytes)) return block;
  return block.before === 0 ? outsideLimit(cpu) : nextBlock(cpu, Mode.Single);
}

function outsideLimit(cpu: Cpu): null {
  generalProtection(cpu, 0);
  deliverFault(cpu);
  return null;
}

/** Makes the page of a linear address the known fetch page. False: a page fault has been delivered. */
function fetchPage(cpu: Cpu, linear: number): boolean {
  const { r } = cpu;
  const entry = cpu.hostTlb[linear >>> 12];
  let page: number;
  if ((entry & r[Word.ReadBit]) !== 0) page = (entry & HostTlb.Frame) - Layout.Ram;
  else {
    page = pageOf(cpu, linear, 0, r[Word.Cpl] === 3 ? 1 : 0);
    if (page === NO_PAGE) {
      deliverFault(cpu);
      return false;
    }
  }
  r[Word.FetchPage] = linear >>> 12;
  r[Word.FetchPhysical] = page;
  return true;
}

/** Runs a block; false when an instruction of it faulted (the exception has been delivered). */
function execute(cpu: Cpu, block: Block): boolean {
  const { r, time } = cpu;
  const { operations } = block;
  time[Time.Cycles] += block.cycles;
  time[Time.Instret] += block.count;
  r[Word.Eip] += block.bytes;
  r[Word.Event] = 0;
  for (let i = 0; i < operations.length; i++) {
    const op = operations[i];
    op.run(cpu, op);
    if (r[Word.Event] !== 0) return leave(cpu, block, i);
  }
  return true;
}

/** Ends a block at operation `index`, which faulted or after which it must not go on; false when it faulted. */
function leave(cpu: Cpu, block: Block, index: number): boolean {
  const { r, time } = cpu;
  const op = block.operations[index];
  if (faulted(cpu)) {
    time[Time.Cycles] -= block.cycles - op.cyclesBefore;
    time[Time.Instret] -= block.count - index;
    r[Word.Eip] += op.start - block.bytes;
    deliverFault(cpu);
    return false;
  }
  if (index < block.before) {
    time[Time.Cycles] -= block.cycles - op.cyclesBefore - op.cycles;
    time[Time.Instret] -= block.count - index - 1;
    r[Word.Eip] += op.end - block.bytes;
  }
  return true;
}
