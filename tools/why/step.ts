/**
 * Steps through a stay in the kernel and finds each write to given words: the instruction, its source line, and the calls that led
 * there. May import tools/profile, tools/replay, tools/trace, cpu.
 */
import { EventKind, type Machine } from "../../cpu/index";
import type { CallStacks, Frame } from "../profile/callstack";
import type { Code } from "../profile/code";
import type { History } from "../replay/history";
import type { Events, TraceEvent, TraceEventKind } from "../trace/events";
import type { KernelView } from "../trace/kernelview";

/** A place in the code: in a function, the line of an instruction, or the lines between which it was inlined from elsewhere. */
export interface Place {
  name: string;
  /** Relative to the root of the sources; "" where nothing is known. */
  file: string;
  first: number;
  last: number;
  /** Bytes from the function's beginning to the instruction. */
  offset: number;
  /** File and line of what was inlined; "" for the function's own code. */
  inlined: string;
}

/** A word that is watched. */
export interface WatchedWord {
  name: string;
  /** Index in RAM as words. */
  index: number;
}

export interface Write {
  word: WatchedWord;
  instret: number;
  pid: number;
  before: number;
  after: number;
  /** Frame of the page directory that was in CR3. */
  directory: number;
  /** Where it was written, and from where that was called, innermost first; up to the entry into the kernel. */
  chain: Place[];
  /** Lines that the functions of the chain ran afterwards, in order: where something may have been left out. */
  afterwards: Place[];
}

/** The processor forgot translations: all (`address` undefined) or one. */
export interface Flush {
  instret: number;
  address: number | undefined;
  place: Place;
}

/** What one stay in the kernel did. */
export interface Stay {
  writes: Write[];
  flushes: Flush[];
  /** What happened, as the events tell it. */
  events: TraceEvent[];
  /** The user instruction that entered the kernel; undefined where it was not seen. */
  origin: Place | undefined;
  /** instret at the return to user mode. */
  end: number;
}

const USER_RING = 3;
const FLUSHES: readonly EventKind[] = [EventKind.Cr3Load, EventKind.TlbFlush, EventKind.Invlpg];
const TOLD: readonly TraceEventKind[] = [
  "syscall",
  "pageFault",
  "fork",
  "exec",
  "exit",
  "share",
  "unshare",
  "release",
  "copyOnWrite",
  "swapOut",
  "swapIn",
  "panic",
];
/** Instructions after which a stay is given up. */
const LONGEST = 2_000_000;
const MOST_AFTERWARDS = 40;

function placeOf(code: Code, name = code.owner.name): Place {
  const { image, eip, owner } = code;
  const place = image.place(eip) ?? { file: "", first: 0, last: 0 };
  const line = place.first === place.last ? undefined : image.line(eip);
  return {
    name,
    ...place,
    offset: image.linked(eip) - owner.address,
    inlined: line ? `${line.file}:${line.line}` : "",
  };
}

/** The stack of calls with the line at which each stands; `at` is the innermost instruction. */
function chainOf(frames: readonly Frame[], at: Code): { chain: Place[]; origin: Place | undefined } {
  const chain: Place[] = [];
  let code: Code | undefined = at;
  for (let i = frames.length - 1; i >= 0 && code !== undefined; i--) {
    chain.push(placeOf(code, frames[i].node.name));
    if (frames[i].isTrap) {
      const { site } = frames[i];
      if (site === undefined || site.image.name !== "kernel") return { chain, origin: site && placeOf(site) };
    }
    code = frames[i].site;
  }
  return { chain, origin: undefined };
}

/** What stepping needs of a run. */
export interface Debugged {
  history: History;
  stacks: CallStacks;
  events: Events;
  kernel: KernelView | undefined;
}

/** Steps from `from` until the kernel goes back to user mode after `to`. The machine is there then. */
export function stepThrough(
  { history, stacks, events, kernel }: Debugged,
  words: readonly WatchedWord[],
  { from, to }: { from: number; to: number },
): Stay {
  history.seek(Math.max(history.beginning, from - 1));
  events.moved();
  stacks.reset();
  return new Stepper(history.machine, stacks, kernel, words).run(events, to);
}

class Stepper {
  private readonly ram: Uint32Array;
  private readonly values: number[];
  private readonly stay: Stay = { writes: [], flushes: [], events: [], origin: undefined, end: 0 };
  /** Writes whose functions have not all returned, with the frames that were theirs. */
  private watched: { write: Write; frames: Set<Frame> }[] = [];
  private code: Code | undefined;

  constructor(
    private readonly machine: Machine,
    private readonly stacks: CallStacks,
    private readonly kernel: KernelView | undefined,
    private readonly words: readonly WatchedWord[],
  ) {
    const { ram } = machine.cpu;
    this.ram = new Uint32Array(ram.buffer, ram.byteOffset, ram.byteLength >>> 2);
    this.values = words.map(({ index }) => this.ram[index]);
  }

  run(events: Events, to: number): Stay {
    const { machine, stay } = this;
    const unlisten = [
      events.on((event) => stay.events.push(event), TOLD),
      machine.onEvent(
        ({ kind, instret, a, b }) => {
          if (FLUSHES.includes(kind)) this.flushed(kind, instret, a);
          else if (kind === EventKind.Iret && b === USER_RING && instret >= to) machine.cpu.requestStop();
        },
        [...FLUSHES, EventKind.Iret],
      ),
    ];
    machine.onInstruction(() => this.step());
    machine.run({ maxInstructions: Math.max(0, to - machine.instret) + LONGEST });
    machine.onInstruction(null);
    this.compare();
    for (const end of unlisten) end();
    stay.end = machine.instret;
    return stay;
  }

  private step(): void {
    // What has been written was written by the last instruction, in its frame.
    this.compare();
    this.code = this.stacks.step();
    if (this.watched.length > 0) this.follow(this.code);
  }

  private compare(): void {
    const { ram, words, values, code, stay } = this;
    for (let i = 0; i < words.length; i++) {
      const after = ram[words[i].index];
      if (after === values[i]) continue;
      const { frames } = this.stacks;
      const { chain, origin } = code === undefined ? { chain: [], origin: undefined } : chainOf(frames, code);
      stay.origin ??= origin;
      const write: Write = {
        word: words[i],
        instret: this.machine.instret,
        pid: this.kernel?.currentPid() ?? -1,
        before: values[i],
        after,
        directory: this.machine.cpu.control(3) >>> 12,
        chain,
        afterwards: [],
      };
      values[i] = after;
      stay.writes.push(write);
      this.watched.push({ write, frames: new Set(frames.slice(-chain.length)) });
    }
  }

  /** Notes the line of an instruction for the writes whose chain its function belongs to. */
  private follow(code: Code): void {
    const top = this.stacks.frames.at(-1);
    if (top === undefined) return;
    let place: Place | undefined;
    for (const { write, frames } of this.watched) {
      if (!frames.has(top) || write.afterwards.length >= MOST_AFTERWARDS) continue;
      place ??= placeOf(code, top.node.name);
      // What was inlined lies between lines that are noted themselves.
      if (place.first !== place.last) continue;
      const last = write.afterwards.at(-1) ?? write.chain[0];
      if (last?.file !== place.file || last.first !== place.first) write.afterwards.push(place);
    }
  }

  private flushed(kind: EventKind, instret: number, a: number): void {
    const { code } = this;
    if (code === undefined) return;
    const address = kind === EventKind.Invlpg ? a : undefined;
    this.stay.flushes.push({ instret, address, place: placeOf(code, this.stacks.node.name) });
  }
}
