/**
 * The kernel's files, console and program loader without the machine: kernel/{fs,lib,drivers,task} compiled by asc to
 * WebAssembly and run in V8, in a memory of 4 GB whose upper end is "physical" memory at 0xC0000000. This file plays the
 * UART's other end and user memory: addresses from USER on are good, up to USER_END; all other user addresses are bad.
 * Nobody can sleep here: a kernel function that would, throws.
 */
import { runAsc } from "../../tools/compiler/asc";
import { findRoot } from "../../tools/compiler/root";

const KERNEL_BASE = 0xc0000000;
const MEMORY_BASE = 0xc0200000;
const INFO_AT = 0x1000;
/** Bytes of string literals are put here, in low memory, which the kernel does not use. */
const STRINGS_AT = KERNEL_BASE + 0x20000;
/** Room for whatever a test passes to the kernel, there as well. */
export const SCRATCH = KERNEL_BASE + 0x80000;
/** An empty table of symbols: its count is 0. */
const NO_SYMBOLS = KERNEL_BASE + 0x1f000;
export const USER = 0x10000000;
export const USER_END = 0x10100000;

/** Offset of File.inode. */
const FILE_INODE = 12;
const UART_DATA = 0x3f8;
const UART_LINE_CONTROL = 0x3fb;
const UART_STATUS = 0x3fd;
const UART_IRQ = 4;

const ENTRIES = [
  ...["lib/format", "lib/cmdline", "lib/printk", "mm/bootmem", "mm/pagealloc", "drivers/irq", "drivers/uart"],
  ...["drivers/tty", "fs/ramfs", "fs/ramfile", "fs/ustar", "fs/namei", "fs/open", "fs/file", "fs/inode", "fs/procfs"],
  ...["fs/devices", "fs/pipe", "task/task", "task/elf"],
];

/** What is used of the host's WebAssembly, which is not part of the ECMAScript library that the tests are checked with. */
interface Host {
  compile(bytes: Uint8Array): Promise<Module>;
  instantiate(module: Module, imports: Record<string, Record<string, Call>>): Promise<Instance>;
  Module: { imports(module: Module): { module: string; name: string }[] };
}
type Module = { readonly brand: unique symbol };
interface Instance {
  exports: Record<string, unknown>;
}
type Call = (...args: number[]) => number;
const host = (globalThis as unknown as { WebAssembly: Host }).WebAssembly;

let compiled: Promise<{ module: Module; staticEnd: number }> | undefined;

function compile(): Promise<{ module: Module; staticEnd: number }> {
  compiled ??= (async () => {
    const root = findRoot();
    const entries = ENTRIES.map((name) => `${root}/kernel/${name}.ts`);
    const abort = "kernel/lib/panic/abortPanic";
    const { wasm, staticEnd } = await runAsc({ root, entries, memoryBase: MEMORY_BASE, abort });
    return { module: await host.compile(wasm), staticEnd };
  })();
  return compiled;
}

/** The kernel wanted to switch to another task: what was called would have slept. */
export class WouldSleep extends Error {}
/** The kernel panicked; the message is what it printed. */
export class KernelPanic extends Error {}

export class TaskWorld {
  /** Bytes that the kernel sent to the console, as text. */
  output = "";
  readonly bytes: Uint8Array;
  kernel: Record<string, Call> = {};
  private readonly view: DataView;
  private typed: number[] = [];
  /** The data port is the baud rate's divisor for now. */
  private divisorLatch = false;
  private readonly literals = new Map<number, number>();
  private literalsEnd = STRINGS_AT;

  private constructor(memory: { buffer: ArrayBuffer; grow(pages: number): number }, megabytes: number) {
    memory.grow((KERNEL_BASE + (megabytes << 20)) / 65536 - memory.buffer.byteLength / 65536);
    this.bytes = new Uint8Array(memory.buffer);
    this.view = new DataView(memory.buffer);
  }

  /** Boots everything but the first process; `archive` is the initrd. */
  static async boot(archive?: Uint8Array, megabytes = 32): Promise<TaskWorld> {
    const { module, staticEnd } = await compile();
    let world: TaskWorld | undefined;
    const current = () => world as TaskWorld;
    const instance = await host.instantiate(module, importsOf(module, staticEnd, current));
    world = new TaskWorld(instance.exports.memory as never, megabytes);
    world.kernel = instance.exports as Record<string, Call>;
    world.put(KERNEL_BASE + INFO_AT, Uint8Array.of(1, 0, 0, 0));
    world.view.setUint32(KERNEL_BASE + INFO_AT + 8, (megabytes - 1) << 10, true);
    const { kernel } = world;
    kernel.uartInit();
    kernel.memoryInit(INFO_AT);
    for (const step of ["tasksInit", "ramfsInit", "ramfileInit"]) kernel[step]();
    kernel.setCurrentTask(kernel.createTask());
    if (archive) kernel.unpackArchive(world.place(archive), archive.length);
    for (const step of ["procInit", "devicesInit", "pipeInit", "ttyInit"]) kernel[step]();
    return world;
  }

  put(address: number, bytes: Uint8Array): void {
    this.bytes.set(bytes, address);
  }

  word(address: number): number {
    return this.view.getUint32(address, true);
  }

  /** Copies bytes to kernel memory of their own, which is never freed: their address. */
  place(bytes: Uint8Array): number {
    const order = Math.max(0, Math.ceil(Math.log2(Math.max(1, bytes.length) / 4096)));
    const frame = this.kernel.allocPages(order, 2);
    if (frame === 0) throw new Error("no memory");
    const address = KERNEL_BASE + frame * 4096;
    this.put(address, bytes);
    return address;
  }

  /** A kernel string in SCRATCH, until the next one: its address. */
  text(text: string): number {
    this.put(SCRATCH, Buffer.from(`${text}\0`, "latin1"));
    return SCRATCH;
  }

  string(address: number): string {
    let end = address >>> 0;
    while (this.bytes[end] !== 0) end++;
    return Buffer.from(this.bytes.subarray(address >>> 0, end)).toString("latin1");
  }

  /** Address of a literal's bytes: what cstr is. `literal` is a string of asc's, UTF-16 with its length in front. */
  literal(literal: number): number {
    const known = this.literals.get(literal);
    if (known !== undefined) return known;
    const bytes = this.word((literal >>> 0) - 4);
    const address = this.literalsEnd;
    for (let i = 0; i < bytes; i += 2) this.bytes[address + i / 2] = this.bytes[(literal >>> 0) + i];
    this.literalsEnd += bytes / 2 + 1;
    this.literals.set(literal, address);
    return address;
  }

  /** Opens a path: the File's address, or -errno. */
  open(path: string, flags = 0): number {
    return this.kernel.openPath(this.text(path), flags, 0o644) | 0;
  }

  /** Address of the inode of an open file. */
  inodeOf(file: number): number {
    return this.word((file >>> 0) + FILE_INODE);
  }

  close(file: number): void {
    this.kernel.filePut(file);
  }

  /** Reads up to `count` bytes: what came, or -errno. */
  read(file: number, count: number): Uint8Array | number {
    const got = this.kernel.fileRead(file, USER, count);
    // The driver may have let interrupts through again.
    if (this.typed.length > 0) this.kernel.irqDispatch(UART_IRQ);
    return got < 0 ? got : this.bytes.slice(USER, USER + got);
  }

  write(file: number, data: Uint8Array): number {
    this.put(USER, data);
    return this.kernel.fileWrite(file, USER, data.length);
  }

  /** Somebody types: each byte comes with an interrupt, as long as the driver lets interrupts through. */
  type(bytes: Uint8Array): void {
    this.typed.push(...bytes);
    this.kernel.irqDispatch(UART_IRQ);
  }

  /** Typed bytes that the driver has not taken. */
  get waiting(): number {
    return this.typed.length;
  }

  inb(port: number): number {
    if (port === UART_STATUS) return 0x60 | (this.typed.length > 0 ? 1 : 0);
    if (port === UART_DATA) return this.typed.shift() ?? 0;
    return 0;
  }

  outb(port: number, value: number): void {
    if (port === UART_LINE_CONTROL) this.divisorLatch = (value & 0x80) !== 0;
    if (port === UART_DATA && !this.divisorLatch) this.output += String.fromCharCode(value & 0xff);
    if (port === 0xf4) throw new KernelPanic(this.output);
  }

  /** The copy loop of stubs.s: bytes not copied. */
  userCopy(destination: number, source: number, count: number): number {
    const user = destination < KERNEL_BASE ? destination : source;
    const good = user >= USER && user < USER_END ? Math.min(count, USER_END - user) : 0;
    this.bytes.copyWithin(destination, source, source + good);
    return count - good;
  }
}

/** What the compiled files import: the instructions and the assembly routines. */
function importsOf(module: Module, staticEnd: number, world: () => TaskWorld): Record<string, Record<string, Call>> {
  const nothing = () => 0;
  const known: Record<string, Call> = {
    cstr: (literal) => world().literal(literal),
    imageEnd: () => staticEnd,
    readCr3: nothing,
    readEbp: nothing,
    ksymsAddress: () => NO_SYMBOLS,
    cli: nothing,
    outl: nothing,
    inb: (port) => world().inb(port),
    outb: (port, value) => {
      world().outb(port, value);
      return 0;
    },
    userCopy: (to, from, count) => world().userCopy(to >>> 0, from >>> 0, count >>> 0),
    switchContext: () => {
      throw new WouldSleep();
    },
    writeCr3: nothing,
  };
  const imports: Record<string, Record<string, Call>> = {};
  for (const { module: space, name } of host.Module.imports(module)) {
    imports[space] ??= {};
    imports[space][name] =
      known[name] ??
      (() => {
        throw new Error(`the kernel called ${space}.${name}`);
      });
  }
  return imports;
}
