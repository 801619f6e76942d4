/**
 * The guest's tasks as a debugger's threads: who there is, who runs, where those who do not run will go on. May import cpu's public
 * face, tools/image/layout's types.
 *
 * A thread's number is the task's pid; the idle task, which has pid 0, and the code before there are tasks are thread BOOT_THREAD.
 * Who runs is known by the stack: a task's block holds its kernel stack, and in ring 3 the one that `current` names runs.
 * The registers of a task that does not run are those that switchContext (kernel/arch/i386/stubs.s) has pushed:
 *
 *     kernelEsp -> edi  esi  ebx  ebp  return address
 *
 * Invariant: reads memory only; a task that lies outside of it ends the list.
 */
import type { Machine } from "../../cpu/index";
import type { KernelLayout } from "../image/layout";

export const BOOT_THREAD = 0xffff;
const MOST_TASKS = 40_000;
const ZOMBIE = 2;
const STATES = ["runnable", "sleeping", "zombie"];

export interface Task {
  thread: number;
  name: string;
  state: string;
  running: boolean;
  /** Address of the kernel's Task; 0 for the code before there are tasks. */
  address: number;
  /** Value for CR3: its directory, or for a task without one the directory that is in use. */
  directory: number;
}

/** What is known of the registers of a task that does not run. */
export interface SavedRegisters {
  ebx: number;
  esp: number;
  ebp: number;
  esi: number;
  edi: number;
  eip: number;
  /** Its page directory. */
  cr3: number;
}

export class Tasks {
  private readonly words: Uint32Array;
  private readonly field: (name: string) => number;
  private readonly base: number;
  private readonly hash: number;
  private readonly hashSize: number;
  private readonly blockBytes: number;
  private readonly nameBytes: number;
  private readonly mmDirectory: number;
  private readonly currentAddress: number;
  private readonly idle: number;
  private readonly reclaimQueue: number;

  /** Without a layout (a kernel that is not ours) there is one thread. */
  constructor(
    private readonly machine: Machine,
    private readonly layout: KernelLayout | undefined,
  ) {
    const { ram } = machine.cpu;
    this.words = new Uint32Array(ram.buffer, ram.byteOffset, ram.byteLength >>> 2);
    const constant = (name: string): number => layout?.constants[name] ?? 0;
    this.field = (name) => (layout?.structs.Task?.fields[name]?.offset ?? 0) >>> 2;
    this.base = constant("mm/layout/KERNEL_BASE");
    this.hash = constant("task/task/hashTable");
    this.hashSize = constant("task/task/HASH_SIZE");
    this.blockBytes = constant("task/task/TASK_BYTES");
    this.nameBytes = constant("task/task/TASK_NAME_BYTES");
    this.idle = constant("task/task/idleStorage");
    this.reclaimQueue = constant("task/reclaim/idleWait");
    this.mmDirectory = layout?.structs.Mm?.fields.directory?.offset ?? 0;
    this.currentAddress = layout?.variables.current ?? 0;
  }

  /** The word at a kernel address; 0 outside of memory. */
  private word(address: number): number {
    return this.words[(address - this.base) >>> 2] ?? 0;
  }

  /** Address of the task that runs; 0 before there are tasks. */
  private runningAddress(): number {
    const { cpu } = this.machine;
    if (this.layout === undefined || cpu.control(0) < 0x80000000) return 0;
    const current = this.word(this.currentAddress);
    if (current === 0 || cpu.cpl !== 0) return current;
    const esp = cpu.register(4);
    const inBlock = (task: number): boolean => esp > task && esp <= task + this.blockBytes;
    if (current !== this.idle && inBlock(current)) return current;
    // In the middle of a switch `current` is ahead of the stack; all but tasks run on the boot stack, which is the idle task's.
    return this.addresses().find((task) => task !== this.idle && inBlock(task)) ?? this.idle;
  }

  /** Pid of the kernel's own task, one more than a process can have. */
  private get reclaimThread(): number {
    return (this.layout?.constants["task/task/MAX_PID"] ?? 0) + 1;
  }

  private threadOf(task: number): number {
    const pid = task === 0 || task === this.idle ? 0 : this.word(task + 4 * this.field("pid"));
    return pid === 0 ? BOOT_THREAD : pid;
  }

  /** The thread that runs now. */
  get running(): number {
    return this.threadOf(this.runningAddress());
  }

  /** Addresses of all tasks in the kernel's table, and of the one that is current. */
  private addresses(): number[] {
    const found: number[] = [];
    if (this.layout === undefined) return found;
    const current = this.word(this.currentAddress);
    if (current === 0) return found;
    found.push(this.idle);
    for (let bucket = 0; bucket < this.hashSize; bucket++) {
      let task = this.word(this.hash + 4 * bucket);
      while (task !== 0 && found.length < MOST_TASKS) {
        found.push(task);
        task = this.word(task + 4 * this.field("hashNext"));
      }
    }
    // The kernel's own task is in no table; while it has nothing to do, it is in a queue of its own.
    for (const other of [this.word(this.reclaimQueue), current])
      if (other !== 0 && !found.includes(other)) found.push(other);
    return found;
  }

  /** All tasks, by pid; the code before there are tasks, or of a kernel not ours, is one. */
  list(): Task[] {
    const running = this.runningAddress();
    const addresses = this.addresses();
    if (!addresses.includes(running)) addresses.push(running);
    const cr3 = this.machine.cpu.control(3);
    const tasks = addresses.map((address): Task => {
      const isIdle = address === 0 || address === this.idle;
      const mm = isIdle ? 0 : this.word(address + 4 * this.field("mm"));
      const isRunning = address === running;
      const state = isRunning ? "running" : (STATES[this.word(address + 4 * this.field("state"))] ?? "?");
      return {
        thread: this.threadOf(address),
        name: address === 0 ? "boot" : isIdle ? "idle" : this.nameOf(address),
        state: isIdle && !isRunning ? "idle" : state,
        running: isRunning,
        address,
        directory: isRunning || mm === 0 ? cr3 : (this.word(mm + this.mmDirectory) - this.base) >>> 0,
      };
    });
    return tasks.sort((a, b) => a.thread - b.thread);
  }

  /** The task of a thread, or undefined. */
  find(thread: number): Task | undefined {
    return this.list().find((task) => task.thread === thread);
  }

  private nameOf(task: number): string {
    let name = "";
    for (let i = 0; i < this.nameBytes; i++) {
      const byte = (this.word(task + 4 * this.field("name0") + (i & ~3)) >>> (8 * (i & 3))) & 0xff;
      if (byte === 0) break;
      name += byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "?";
    }
    return name === "" && this.threadOf(task) === this.reclaimThread ? "reclaim" : name;
  }

  /** Name of the task that `current` names: of a program, in ring 3. */
  get currentName(): string {
    const task = this.layout === undefined ? 0 : this.word(this.currentAddress);
    return task === 0 || task === this.idle ? "" : this.nameOf(task);
  }

  /** The registers of a task that does not run and will run again; undefined for others. */
  saved(task: Task): SavedRegisters | undefined {
    if (task.running || task.address === 0 || task.state === STATES[ZOMBIE]) return undefined;
    const esp = this.word(task.address + 4 * this.field("kernelEsp"));
    const [edi, esi, ebx, ebp, eip] = [0, 4, 8, 12, 16].map((offset) => this.word(esp + offset));
    return { ebx, esp: esp + 20, ebp, esi, edi, eip, cr3: task.directory };
  }
}
