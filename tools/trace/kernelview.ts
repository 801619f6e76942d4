/**
 * What events need of a running kernel of ours: words of its structures, read from memory by the layout that its build
 * exports. May import cpu's public face, tools/audit/model.
 * Invariant: reads only; what lies outside of memory reads as 0 or -1, never as an error: a guest can write anything anywhere.
 */
import type { Machine } from "../../cpu/index";
import { LayoutError, type Model, modelOf } from "../audit/model";
import type { KernelLayout } from "../image/layout";

/** A task that is in the table of tasks. */
export interface TaskView {
  pid: number;
  name: string;
  /** Frame of its page directory; -1: it has no address space. */
  directory: number;
  /** It was made by fork and has never run. */
  isNew: boolean;
}

/** Bytes of a task's block: the task and its kernel stack. */
const TASK_BLOCK_BYTES = 8192;
/** Bytes on the stack of a task that has never run, below its TrapFrame: what switchContext pops. */
const NEW_CONTEXT_BYTES = 20;
const MOST_TASKS = 1 << 16;

export class KernelView {
  private readonly words: Uint32Array;
  /** Where the address of the running task is, and of its pid in it: asked of for every event and instruction. */
  private readonly currentAt: number;
  private readonly pidAt: number;

  private constructor(
    machine: Machine,
    private readonly layout: KernelLayout,
    private readonly model: Model,
  ) {
    const { ram } = machine.cpu;
    this.words = new Uint32Array(ram.buffer, ram.byteOffset, ram.byteLength >>> 2);
    this.currentAt = layout.variables.current ?? 0;
    this.pidAt = 4 * model.fields.Task.pid;
  }

  /** The view of a machine's kernel; undefined where its layout lacks something: it is not one of ours. */
  static of(machine: Machine, layout: KernelLayout | undefined): KernelView | undefined {
    if (layout === undefined) return undefined;
    try {
      return new KernelView(machine, layout, modelOf(layout));
    } catch (error) {
      if (error instanceof LayoutError) return undefined;
      throw error;
    }
  }

  /** The word at a kernel address; 0 outside of memory. */
  word(address: number): number {
    return this.words[(address - this.model.constants.kernelBase) >>> 2] ?? 0;
  }

  /** A word of a struct at an address, by the struct's and the field's name. */
  private field(struct: string, name: string, address: number): number {
    return this.word(address + (this.layout.structs[struct]?.fields[name]?.offset ?? 0));
  }

  /** The word at physical address `address`. */
  physical(address: number): number {
    return this.words[address >>> 2] ?? 0;
  }

  /** Address of the struct Page of a frame; 0 before the kernel has set up its memory. */
  private page(frame: number): number {
    const { variables, constants } = this.model;
    const memMap = this.word(variables.memMap);
    return memMap === 0 ? 0 : memMap + frame * 2 ** constants.pageStructShift;
  }

  /** Directories that use the table in a frame; -1 where the frame is no table. */
  usersOf(frame: number): number {
    const page = this.page(frame);
    if (page === 0 || (this.word(page) & this.model.constants.kindMask) !== this.model.constants.table) return -1;
    return this.word(page + 4 * this.model.fields.TablePage.users);
  }

  /** The swap slot of a frame that is in the swap cache; else -1. */
  swapSlotOf(frame: number): number {
    const page = this.page(frame);
    if (page === 0 || this.word(page + 4 * this.model.fields.Page.object) !== this.model.constants.cacheMark) return -1;
    return this.word(page + 4 * this.model.fields.Page.index);
  }

  /** Whether a file or a shared object has the page of a frame. */
  isObjectPage(frame: number): boolean {
    const page = this.page(frame);
    return page !== 0 && this.word(page + 4 * this.model.fields.Page.object) !== 0;
  }

  /** The kind of a frame; 0 before the kernel has set up its memory. */
  kindOf(frame: number): number {
    const page = this.page(frame);
    return page === 0 ? 0 : this.word(page) & this.model.constants.kindMask;
  }

  /** The kernel's name for a kind of frames. */
  kindName(kind: number): string {
    return this.model.kindNames[kind] ?? String(kind);
  }

  private get current(): number {
    return this.currentAt === 0 ? 0 : this.word(this.currentAt);
  }

  /** Pid of the task that runs; -1 before there are tasks. */
  currentPid(): number {
    const task = this.current;
    return task === 0 ? -1 : this.word(task + this.pidAt);
  }

  /** Name of the task that runs. */
  currentName(): string {
    const task = this.current;
    return task === 0 ? "" : this.nameOf(task);
  }

  /** Puts the name of the task that runs, as its words are. */
  putCurrentName(log: { name(first: number, second: number, third: number, fourth: number): void }): void {
    const task = this.current;
    if (task === 0) {
      log.name(0, 0, 0, 0);
      return;
    }
    const at = task + 4 * this.model.fields.Task.name0;
    log.name(this.word(at), this.word(at + 4), this.word(at + 8), this.word(at + 12));
  }

  /** Status word of the task that runs and has ended; -1 where there is none. */
  currentExitStatus(): number {
    const task = this.current;
    return task === 0 ? -1 : this.field("Task", "exitStatus", task);
  }

  /** A word of the frame that the running task's last entry from user mode pushed, by its name in TrapFrame. */
  userFrameWord(name: string): number {
    return this.current === 0 ? 0 : this.field("TrapFrame", name, this.userFrame);
  }

  /** Whether a stack that has grown down to `esp` has all of that frame: the first instructions of an entry only begin it. */
  hasUserFrame(esp: number): boolean {
    return esp <= this.userFrame;
  }

  private get userFrame(): number {
    return this.current + TASK_BLOCK_BYTES - (this.layout.structs.TrapFrame?.bytes ?? 0);
  }

  private nameOf(task: number): string {
    const { Task } = this.model.fields;
    let name = "";
    for (let i = 0; i < this.model.constants.taskNameBytes; i++) {
      const byte = (this.word(task + 4 * Task.name0 + (i & ~3)) >>> (8 * (i & 3))) & 0xff;
      if (byte === 0) break;
      name += String.fromCharCode(byte);
    }
    return name;
  }

  /** All tasks, in the order of the kernel's table. */
  tasks(): TaskView[] {
    const { taskHash, taskHashSize, kernelBase } = this.model.constants;
    const { Task, Mm } = this.model.fields;
    const found: TaskView[] = [];
    if (this.current === 0) return found;
    for (let bucket = 0; bucket < taskHashSize; bucket++) {
      let task = this.word(taskHash + bucket * 4);
      while (task !== 0 && found.length < MOST_TASKS) {
        const mm = this.word(task + 4 * Task.mm);
        const directory = mm === 0 ? -1 : (this.word(mm + 4 * Mm.directory) - kernelBase) >>> 12;
        const frameBytes = this.layout.structs.TrapFrame?.bytes ?? 0;
        const fresh = task + TASK_BLOCK_BYTES - frameBytes - NEW_CONTEXT_BYTES;
        const isNew = this.field("Task", "kernelEsp", task) === fresh;
        found.push({ pid: this.word(task + 4 * Task.pid), name: this.nameOf(task), directory, isNew });
        task = this.word(task + 4 * Task.hashNext);
      }
    }
    return found;
  }

  /** Frame of a task's page directory; -1: there is no such task, or it has no address space. */
  directoryOf(pid: number): number {
    const { taskHash, taskHashSize, kernelBase } = this.model.constants;
    const { Task, Mm } = this.model.fields;
    for (let bucket = 0, left = MOST_TASKS; bucket < taskHashSize; bucket++) {
      let task = this.word(taskHash + bucket * 4);
      for (; task !== 0 && left > 0; left--) {
        if (this.word(task + 4 * Task.pid) === pid) {
          const mm = this.word(task + 4 * Task.mm);
          return mm === 0 ? -1 : (this.word(mm + 4 * Mm.directory) - kernelBase) >>> 12;
        }
        task = this.word(task + 4 * Task.hashNext);
      }
    }
    return -1;
  }

  /** Slots of user space in a directory. */
  get userSlots(): number {
    return this.model.constants.userSlots;
  }
}
