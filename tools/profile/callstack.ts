/**
 * The stack of calls of every thread of a run, kept instruction by instruction: user functions at the bottom, and above a trap
 * those of the kernel. May import code, cpu, kernel/abi, tools/trace/kernelview.
 *
 * A frame remembers where its return address lies; whatever returns above that ends it. The kernel's stacks are blocks of 8 KB, so that
 * the one in use says which thread runs. A jump into another function takes its caller's place.
 */
import { EventKind, type Machine, type MachineEvent } from "../../cpu/index";
import { Register, Word } from "../../cpu/registers";
import { Mark } from "../../kernel/abi/marks";
import type { KernelView } from "../trace/kernelview";
import { type Code, Flow, type FunctionName, type Image, type Images } from "./code";

/** log2 of the bytes of a kernel stack: kernel/task/task.ts. */
const STACK_SHIFT = 13;
const USER_RING = 3;
const ARGUMENT_MASK = 0xffffff;

/** A function as called along one path; what it cost by itself. */
export interface CallNode {
  readonly parent: CallNode | undefined;
  /** undefined: a root, which stands for a program. */
  readonly owner: FunctionName | undefined;
  readonly name: string;
  readonly children: Map<FunctionName, CallNode>;
  instructions: number;
  cycles: number;
}

/** One entry of the stack of calls. */
export interface Frame {
  node: CallNode;
  /** Where the return address lies; of a trap, the stack pointer when the handler began. */
  readonly esp: number;
  readonly isTrap: boolean;
  /** The instruction that called, or that the trap came at. */
  readonly site: Code | undefined;
}

interface Thread {
  root: CallNode;
  frames: Frame[];
  /** Its program; the kernel's image while it has none. */
  image: Image;
  /** The process has ended: whoever uses the stack next is another. */
  isDead: boolean;
}

export class CallStacks {
  readonly roots = new Map<string, CallNode>();
  private readonly threads = new Map<number, Thread>();
  private thread: Thread;
  private region = -1;
  private code: Code | undefined;
  private trapped = false;
  private pid = -1;
  /** What a child of fork begins with, by its pid. */
  private readonly heirs = new Map<number, Thread>();
  private readonly unlisten: () => void;

  /** Listens to the machine from now on; step() is to be called before each instruction. */
  constructor(
    private readonly machine: Machine,
    private readonly images: Images,
    private readonly kernel: KernelView | undefined,
  ) {
    this.thread = this.newThread();
    this.unlisten = machine.onEvent((event) => this.hear(event));
  }

  /** Ends listening. */
  stop(): void {
    this.unlisten();
  }

  /** The frames of what runs now, outermost first. */
  get frames(): readonly Frame[] {
    return this.thread.frames;
  }

  /** The node that what runs now is charged to. */
  get node(): CallNode {
    return this.thread.frames.at(-1)?.node ?? this.thread.root;
  }

  /** Forgets what runs: for a machine that has been moved. Its stacks are known again from the next entry into the kernel on. */
  reset(): void {
    this.threads.clear();
    this.heirs.clear();
    this.region = -1;
    this.code = undefined;
    this.trapped = false;
    this.thread = this.newThread();
  }

  /** To be called with the machine stopped before an instruction: that one, its frame on the top of the stack. */
  step(): Code {
    const { r } = this.machine.cpu;
    const esp = r[Register.ESP] >>> 0;
    const inKernel = r[Word.Cpl] !== USER_RING;
    const region = esp >>> STACK_SHIFT;
    if (inKernel && region !== this.region) {
      if (this.region < 0) this.adopt(region);
      else this.switchTo(region);
    }
    const { thread } = this;
    const image = inKernel ? this.images.kernel : thread.image;
    const code = image.at(r[Word.Eip] >>> 0);
    const { frames } = thread;
    const previous = this.code;
    if (this.trapped || previous?.flow === Flow.Call) {
      frames.push({ node: childOf(this.node, code.owner), esp, isTrap: this.trapped, site: previous });
      this.trapped = false;
    } else {
      if (previous?.flow === Flow.Return) popBelow(frames, esp);
      const top = frames.at(-1);
      if (top === undefined)
        frames.push({ node: childOf(thread.root, code.owner), esp: 0xffffffff, isTrap: false, site: undefined });
      else if (top.node.owner !== code.owner) top.node = childOf(top.node.parent ?? thread.root, code.owner);
    }
    this.code = code;
    return code;
  }

  private hear({ kind, a, b }: Readonly<MachineEvent>): void {
    if (kind === EventKind.TrapEntry) this.enterTrap(b);
    else if (kind === EventKind.Iret) this.leaveTrap();
    else if (kind === EventKind.Mark) this.mark(a >>> 24, a & ARGUMENT_MASK);
  }

  /** A trap with an error code, or -1. An interrupt may have come between a call and what it called, which has no frame yet. */
  private enterTrap(errorCode: number): void {
    this.trapped = true;
    const { code } = this;
    if (code?.flow !== Flow.Call) return;
    const pushed = this.machine.readVirtual(this.machine.registers.esp + (errorCode < 0 ? 0 : 4), 16);
    if (pushed.length < 16) return;
    const [eip, selector, , outerEsp] = new Uint32Array(pushed.slice().buffer);
    if (eip === code.eip) return;
    const esp = (selector & 3) === USER_RING ? outerEsp : this.machine.registers.esp + 12;
    this.thread.frames.push({ node: childOf(this.node, code.image.at(eip).owner), esp, isTrap: false, site: code });
  }

  private leaveTrap(): void {
    const { frames } = this.thread;
    let last = frames.length - 1;
    while (last >= 0 && !frames[last].isTrap) last--;
    frames.length = Math.max(0, last);
    this.code = undefined;
    this.trapped = false;
  }

  private mark(kind: number, argument: number): void {
    const { thread } = this;
    switch (kind) {
      case Mark.Switch:
        this.pid = argument;
        break;
      case Mark.Fork:
        this.heirs.set(argument, { ...thread, frames: this.userFrames().map((frame) => ({ ...frame })) });
        break;
      case Mark.Exec:
        // The first program is loaded while the kernel boots, on another stack than its own.
        if (!thread.frames.some(({ isTrap }) => isTrap)) break;
        thread.image = this.images.program(this.kernel?.currentName() ?? "?");
        thread.root = this.rootOf(thread.image.name);
        thread.frames.splice(0, this.userFrames().length);
        rebuild(thread);
        break;
      case Mark.TaskExit:
        thread.isDead = true;
        break;
    }
  }

  /** What of the stack belongs to the program: all below the first trap. */
  private userFrames(): Frame[] {
    const { frames } = this.thread;
    const trap = frames.findIndex(({ isTrap }) => isTrap);
    return trap < 0 ? [] : frames.slice(0, trap);
  }

  /** The first stack of the kernel's that is seen belongs to what has run so far. */
  private adopt(region: number): void {
    this.region = region;
    this.threads.set(region, this.thread);
  }

  private switchTo(region: number): void {
    if (this.thread.isDead) this.threads.delete(this.region);
    const known = this.threads.get(region);
    this.region = region;
    this.thread = known ?? this.newThread();
    this.threads.set(region, this.thread);
    // What switched comes to its return on another stack. A child of fork begins as if in a trap of its parent's.
    this.code = undefined;
    if (known === undefined && this.thread.frames.length > 0) this.trapped = true;
  }

  private newThread(): Thread {
    const heir = this.heirs.get(this.pid);
    this.heirs.delete(this.pid);
    const name = this.kernel?.currentName() ?? "";
    const image = name === "" ? this.images.kernel : this.images.program(name);
    return heir ?? { root: this.rootOf(image.name), frames: [], image, isDead: false };
  }

  private rootOf(name: string): CallNode {
    let root = this.roots.get(name);
    if (root === undefined) {
      root = { parent: undefined, owner: undefined, name, children: new Map(), instructions: 0, cycles: 0 };
      this.roots.set(name, root);
    }
    return root;
  }
}

function childOf(parent: CallNode, owner: FunctionName): CallNode {
  let child = parent.children.get(owner);
  if (child === undefined) {
    child = { parent, owner, name: owner.name, children: new Map(), instructions: 0, cycles: 0 };
    parent.children.set(owner, child);
  }
  return child;
}

/** Gives the frames of a thread the same functions below its new root. */
function rebuild({ root, frames }: Thread): void {
  let node = root;
  for (const frame of frames) {
    if (frame.node.owner !== undefined) node = childOf(node, frame.node.owner);
    frame.node = node;
  }
}

/** Ends the frames whose return address lies below `esp`, down to the last trap. */
function popBelow(frames: Frame[], esp: number): void {
  for (let top = frames.at(-1); top !== undefined && !top.isTrap && top.esp < esp; top = frames.at(-1)) frames.pop();
}
