/**
 * Exact profile of a run: every instruction is counted, by the code and by the path of calls that it belongs to. May import
 * callstack, code, cpu, tools/image, tools/trace.
 *
 * Invariant: instructions and cycles of all code together are those of the machine while it was profiled, and so are those of all
 * call nodes. What a trap or an interrupt costs is charged to the instruction that it came at; time asleep to HLT.
 * It costs the guest nothing.
 */
import type { Machine, RunOptions, StopReason } from "../../cpu/index";
import { Time } from "../../cpu/registers";
import { kernelLayout } from "../image/layout";
import { KernelView } from "../trace/kernelview";
import type { ProgramFile } from "../trace/programs";
import { type CallNode, CallStacks } from "./callstack";
import { type Code, type Image, Images } from "./code";

/** What was counted. */
export interface Profile {
  instructions: number;
  cycles: number;
  images: readonly Image[];
  /** One for each program, and one for the kernel where it runs for none. */
  roots: readonly CallNode[];
}

/** Profiles one machine, from its first instruction on. */
export class Profiler {
  private readonly images: Images;
  private readonly stacks: CallStacks;
  private code: Code | undefined;
  private node: CallNode | undefined;
  private instret: number;
  private cycles: number;
  private readonly first: { instret: number; cycles: number };

  /** Throws Error for a kernel or a program that is no ELF32. */
  constructor(
    private readonly machine: Machine,
    kernel: Uint8Array,
    programs: readonly ProgramFile[],
  ) {
    this.images = new Images(machine, kernel, programs);
    this.stacks = new CallStacks(machine, this.images, KernelView.of(machine, kernelLayout(kernel)));
    ({ instret: this.instret, cycles: this.cycles } = machine);
    this.first = { instret: machine.instret, cycles: machine.cycles };
  }

  /** As Machine.run(), counting. */
  run(options: RunOptions): StopReason {
    this.machine.onInstruction(() => this.step());
    try {
      return this.machine.run(options);
    } finally {
      this.machine.onInstruction(null);
      this.charge();
    }
  }

  private step(): void {
    this.charge();
    this.code = this.stacks.step();
    this.node = this.stacks.node;
  }

  /** What has passed since the last instruction began is that one's. */
  private charge(): void {
    const { time } = this.machine.cpu;
    const instret = time[Time.Instret];
    const cycles = time[Time.Cycles];
    const { code, node } = this;
    if (code !== undefined && node !== undefined) {
      code.instructions += instret - this.instret;
      code.cycles += cycles - this.cycles;
      node.instructions += instret - this.instret;
      node.cycles += cycles - this.cycles;
    }
    this.instret = instret;
    this.cycles = cycles;
  }

  /** What has been counted so far. */
  get profile(): Profile {
    const { machine, first, images, stacks } = this;
    return {
      instructions: machine.instret - first.instret,
      cycles: machine.cycles - first.cycles,
      images: images.all,
      roots: [...stacks.roots.values()],
    };
  }
}
