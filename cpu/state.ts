/**
 * A processor as data and back: what a save of it holds. May import paging.ts, segmentation.ts, registers.ts, errors.ts, and the type
 * of the processor.
 *
 * Invariant: words, times, TLB and RAM are all of it; caches are rebuilt from them, and none of them shows.
 */
import type { Cpu } from "./cpu";
import { MachineError } from "./errors";
import type { ModelName } from "./modelnames";
import { flushHostTlb, forgetFetch } from "./paging";
import { Attention, Layout, Word } from "./registers";
import { refreshMode } from "./segmentation";

const PAGE = 4096;
const ZERO_PAGE = new Uint8Array(PAGE);

/** Raised when the meaning of a saved state changes. */
export const CPU_STATE_VERSION = 2;

/** A whole processor with its RAM, fit for structured cloning. */
export interface CpuState {
  version: number;
  costVersion: number;
  model: ModelName;
  words: Int32Array;
  time: Float64Array;
  tlb: Int32Array;
  memoryBytes: number;
  /** Numbers of the frames that are not all zero, and their contents one after the other. */
  frames: Uint32Array;
  contents: Uint8Array;
}

/** The whole processor with its RAM. */
export function saveCpu(cpu: Cpu): CpuState {
  const frames: number[] = [];
  for (let frame = 0; frame < cpu.memoryBytes / PAGE; frame++) {
    if (cpu.runtime.isZeroPage(Layout.Ram + frame * PAGE) === 0) frames.push(frame);
  }
  const contents = new Uint8Array(frames.length * PAGE);
  for (const [index, frame] of frames.entries()) {
    contents.set(cpu.ram.subarray(frame * PAGE, (frame + 1) * PAGE), index * PAGE);
  }
  return {
    version: CPU_STATE_VERSION,
    costVersion: cpu.costs.version,
    model: cpu.model.name,
    words: cpu.r.slice(),
    time: cpu.time.slice(),
    tlb: cpu.tlb.save(),
    memoryBytes: cpu.memoryBytes,
    frames: Uint32Array.from(frames),
    contents,
  };
}

/**
 * Takes over a saved state; decoded code whose bytes are the same in it stays. Throws MachineError when it is of another
 * version, CPU model, size of memory or TLB geometry.
 */
export function restoreCpu(cpu: Cpu, state: CpuState): void {
  if (state.version !== CPU_STATE_VERSION) throw new MachineError(`saved state of version ${state.version}`);
  if (state.costVersion !== cpu.costs.version) {
    throw new MachineError(`saved state under cost table ${state.costVersion}, this is ${cpu.costs.version}`);
  }
  if (state.model !== cpu.model.name) {
    throw new MachineError(`saved state of CPU model ${state.model}, this is ${cpu.model.name}`);
  }
  if (state.memoryBytes !== cpu.memoryBytes) throw new MachineError("saved state of another size of memory");
  // The host TLB is found by way of the TLB that is given up.
  flushHostTlb(cpu);
  cpu.tlb.restore(state.tlb);
  const hook = cpu.r[Word.Attention] & Attention.Hook;
  cpu.r.set(state.words);
  cpu.r[Word.Attention] = (cpu.r[Word.Attention] & ~Attention.Hook) | hook;
  cpu.time.set(state.time);
  restoreRam(cpu, state);
  refreshMode(cpu);
  forgetFetch(cpu);
}

/** RAM as a state has it; drops decoded code from frames that change. */
function restoreRam(cpu: Cpu, { frames, contents }: CpuState): void {
  const { ram, blocks } = cpu;
  let next = 0;
  for (let frame = 0; frame < cpu.memoryBytes / PAGE; frame++) {
    const saved = frames[next] === frame ? contents.subarray(next++ * PAGE, next * PAGE) : ZERO_PAGE;
    if (blocks.isCode(frame) && !holds(cpu, frame, saved)) blocks.invalidate(frame * PAGE, PAGE);
    // A page that no one has touched stays the host's to give.
    if (saved !== ZERO_PAGE || cpu.runtime.isZeroPage(Layout.Ram + frame * PAGE) === 0) ram.set(saved, frame * PAGE);
  }
  if (next < frames.length) throw new MachineError("the saved state is damaged");
}

/** Whether a frame's bytes are these. */
function holds(cpu: Cpu, frame: number, bytes: Uint8Array): boolean {
  const first = frame * PAGE;
  for (let i = 0; i < PAGE; i++) if (cpu.ram[first + i] !== bytes[i]) return false;
  return true;
}
