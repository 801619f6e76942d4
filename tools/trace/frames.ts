/**
 * Frames allocated and freed, from the calls of the kernel's allocator: recognised by the addresses of its functions, by whoever sees every
 * instruction. May import cpu, eventtypes.
 *
 * Calls follow the convention of compiled code: arguments in EAX and EDX, the result in EAX (kernel/arch/i386/stubs.s).
 */
import type { Machine } from "../../cpu/index";
import { Register, Word } from "../../cpu/registers";
import type { FrameEvent } from "./eventtypes";
import type { KernelView } from "./kernelview";
import type { CodeNames } from "./programs";

/** A call of the allocator that has not returned. */
interface Call {
  pid: number;
  /** Where it returns to, and ESP then. */
  caller: number;
  esp: number;
  order: number;
  kind: number;
}

/** Functions that only call the allocator for others: of these the caller is told. */
const WRAPPERS = ["allocZeroedFrame", "allocTable"];

export class FrameCalls {
  private readonly allocPages: number;
  private readonly freePages: number;
  /** Wrappers by their address, and who has called each last. */
  private readonly wrappers: ReadonlyMap<number, string>;
  private readonly callers = new Map<string, number>();
  private readonly calls: Call[] = [];

  constructor(
    private readonly machine: Machine,
    private readonly kernel: KernelView,
    private readonly names: CodeNames,
  ) {
    this.wrappers = new Map(WRAPPERS.map((name) => [names.address(name) ?? -1, name]));
    this.allocPages = names.address("allocPages") ?? -1;
    this.freePages = names.address("freePages") ?? -1;
  }

  /** What the instruction at `eip`, which is next, tells: the beginning of a free, the return of an allocation. */
  at(eip: number, pid: number): FrameEvent | undefined {
    const { r } = this.machine.cpu;
    if (eip === this.allocPages) {
      const { caller, esp } = this.frame();
      const order = r[Register.EAX];
      this.calls.push({ pid, caller, esp, order, kind: r[Register.EDX] });
      return undefined;
    }
    const wrapper = this.wrappers.get(eip);
    if (wrapper !== undefined) this.callers.set(wrapper, this.frame().caller);
    if (eip === this.freePages) {
      const frame = r[Register.EAX];
      const kind = this.kernel.kindOf(frame);
      return {
        kind: "frameFree",
        ...this.base(pid, eip),
        frame,
        order: r[Register.EDX],
        use: this.kernel.kindName(kind),
        caller: this.frame().caller,
      };
    }
    if (this.calls.length === 0) return undefined;
    const index = this.calls.findIndex(
      (call) => call.pid === pid && call.caller === eip && call.esp === r[Register.ESP],
    );
    if (index < 0) return undefined;
    const [{ order, kind, caller }] = this.calls.splice(index, 1);
    const use = this.kernel.kindName(kind);
    return {
      kind: "frameAlloc",
      ...this.base(pid, eip),
      frame: r[Register.EAX],
      order,
      use,
      caller: this.callerOf(caller),
    };
  }

  /** Who asked for the frame, where it was for others that the allocator was called. Nothing else runs between the calls. */
  private callerOf(caller: number): number {
    const name = this.names.lookup(caller)?.name;
    const outer = name === undefined ? undefined : this.callers.get(name);
    return outer === undefined ? caller : this.callerOf(outer);
  }

  private base(pid: number, eip: number): Omit<FrameEvent, "kind" | "frame" | "order" | "use" | "caller"> {
    const { cpu, instret, cycles } = this.machine;
    return { instret, cycles, pid, ring: cpu.r[Word.Cpl], eip };
  }

  /** At the first instruction of a function: where it returns to, and ESP then. */
  private frame(): { caller: number; esp: number } {
    const esp = this.machine.cpu.r[Register.ESP];
    return { caller: this.kernel.word(esp >>> 0), esp: (esp + 4) | 0 };
  }
}
