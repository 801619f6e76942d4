/**
 * The kernel's memory management without the machine: kernel/mm compiled by asc to WebAssembly and run in V8, in a memory of 4 GB
 * whose upper end is "physical" memory at 0xC0000000, as the kernel sees it. This file plays the CPU: CR3, a TLB that forgets only
 * what it is told to forget, and user accesses that fault into handleMmFault. mmaudit.ts recomputes the invariants from memory.
 */
import { runAsc } from "../../tools/compiler/asc";
import { findRoot } from "../../tools/compiler/root";

export const PAGE = 4096;
export const SLOT = 4 << 20;
export const KERNEL_BASE = 0xc0000000;
export const PROT = { none: 0, read: 1, write: 2, rw: 3 };
export const MAP = { shared: 1, private: 2, fixed: 0x10, anonymous: 0x20 };
export const FAULT = { resolved: 0, badAccess: 1, outOfMemory: 2 };
export const PTE = { present: 1, write: 2, user: 4, none: 0x80, mapped: 0x81 };
const MARK_PORT = 0x7e0;
const MEMORY_BASE = 0xc0200000;
const INFO_AT = 0x1000;
/** An empty directory in low memory. */
const BOOT_DIRECTORY = 0x2000;
export const MREMAP = { mayMove: 1, fixed: 2 };
export const MADV_DONTNEED = 4;
export const ENOMEM = -12;
export const EFAULT = -14;
export const EINVAL = -22;

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
const host = (globalThis as unknown as { WebAssembly: Host }).WebAssembly;

/** Exports of the compiled files, by name. Addresses come back signed. */
type Call = (...args: number[]) => number;
interface Exports {
  [name: string]: Call;
}
export interface TlbEntry {
  frame: number;
  writable: boolean;
}

let compiled: Promise<{ module: Module; staticEnd: number }> | undefined;

function compile(): Promise<{ module: Module; staticEnd: number }> {
  compiled ??= (async () => {
    const root = findRoot();
    const files = [
      "page",
      "pagealloc",
      "bootmem",
      "vma",
      "vmalist",
      "mmap",
      "mremap",
      "memlock",
      "memory",
      "fault",
      "vmstat",
      "kmalloc",
    ];
    const { wasm, staticEnd } = await runAsc({
      root,
      entries: files.map((name) => `${root}/kernel/mm/${name}.ts`),
      memoryBase: MEMORY_BASE,
      abort: "kernel/lib/panic/abortPanic",
    });
    return { module: await host.compile(wasm), staticEnd };
  })();
  return compiled;
}

/** One booted memory management. */
export class World {
  readonly kernel: Exports;
  readonly memory: DataView;
  /** Physical address of the current directory. */
  cr3 = BOOT_DIRECTORY;
  readonly tlb = new Map<number, TlbEntry>();
  /** Address of the current Mm. */
  current = 0;
  /** Every Mm that is alive. */
  readonly spaces = new Set<number>();
  marks: { kind: number; argument: number }[] = [];
  /** Frees are checked by the audit: frames free after boot. */
  readonly bootFree: number;

  private constructor(
    private readonly instance: Instance,
    imports: Imports,
    megabytes: number,
  ) {
    this.kernel = instance.exports as Exports;
    imports.world = this;
    const memory = instance.exports.memory as { buffer: ArrayBuffer; grow(pages: number): number };
    const wanted = (KERNEL_BASE + (megabytes << 20)) / 65536;
    memory.grow(wanted - memory.buffer.byteLength / 65536);
    this.memory = new DataView(memory.buffer);
    this.write(KERNEL_BASE + INFO_AT, 1);
    this.write(KERNEL_BASE + INFO_AT + 8, (megabytes - 1) << 10);
    this.kernel.memoryInit(INFO_AT);
    this.bootFree = this.freeFrames();
  }

  static async boot(options: { megabytes: number; share: boolean; auto?: boolean; poison?: boolean }): Promise<World> {
    const { module, staticEnd } = await compile();
    const imports = new Imports(staticEnd);
    const instance = await host.instantiate(module, imports.object(module));
    const world = new World(instance, imports, options.megabytes);
    world.kernel.setForkMode(options.auto ? 2 : options.share ? 1 : 0);
    world.kernel.setPoison(options.poison ? 1 : 0);
    return world;
  }

  global(name: string): number {
    return (this.instance.exports[name] as { value: number }).value >>> 0;
  }

  read(address: number): number {
    return this.memory.getUint32(address, true);
  }

  write(address: number, value: number): void {
    this.memory.setUint32(address, value, true);
  }

  freeFrames(): number {
    return this.kernel.freeFrames();
  }

  /** A counter of vmstat.ts by its place there. */
  counter(name: keyof typeof COUNTER): number {
    return this.kernel.vmstatValue(COUNTER[name]) >>> 0;
  }

  /** A new address space, current from now on. */
  create(): number {
    const mm = this.kernel.mmCreate() >>> 0;
    if (mm === 0) throw new Error("no memory for an address space");
    this.spaces.add(mm);
    this.activate(mm);
    return mm;
  }

  activate(mm: number): void {
    this.current = mm;
    this.kernel.mmActivate(mm);
  }

  /** fork of the current address space, whose user stack is at `stackPointer`: the child, or 0. */
  fork(stackPointer = 0): number {
    const child = this.kernel.mmDup(this.current, stackPointer) >>> 0;
    if (child !== 0) this.spaces.add(child);
    return child;
  }

  destroy(mm: number): void {
    this.kernel.mmDestroy(mm);
    this.spaces.delete(mm);
    if (this.current === mm) this.current = 0;
  }

  mmap(address: number, bytes: number, prot: number, flags: number): number {
    const result = this.kernel.doMmap(this.current, address, bytes, prot, flags | MAP.anonymous);
    return result < 0 && result >= -4095 ? result : result >>> 0;
  }

  /** mremap of the current address space: the address, or -errno. */
  mremap(address: number, oldBytes: number, newBytes: number, flags: number, target = 0): number {
    const result = this.kernel.doMremap(this.current, address, oldBytes, newBytes, flags, target);
    return result < 0 && result >= -4095 ? result : result >>> 0;
  }

  directory(mm: number): number {
    return this.read(mm);
  }

  pde(mm: number, address: number): number {
    return this.read(this.directory(mm) + ((address >>> 22) << 2));
  }

  pte(mm: number, address: number): number {
    const pde = this.pde(mm, address);
    return pde & 1 ? this.read(this.pteAddress(pde, address)) : 0;
  }

  pteAddress(pde: number, address: number): number {
    return (pde >>> 12) * PAGE + KERNEL_BASE + ((address >>> 10) & 0xffc);
  }

  /** Address of the struct Page of the frame that an entry names. */
  page(entry: number): number {
    return this.global("memMap") + (entry >>> 12) * 32;
  }

  /** `users` of the table under an address. */
  users(mm: number, address: number): number {
    return this.read(this.page(this.pde(mm, address)) + 8);
  }

  /** What the tables say: the frame, or -1 if this access faults; `present` says which error code. */
  private walk(address: number, write: boolean): { frame: number; writable: boolean } | { error: number } {
    const directory = this.cr3 + KERNEL_BASE;
    const pde = this.read(directory + ((address >>> 22) << 2));
    if (!(pde & 1)) return { error: write ? 2 : 0 };
    const at = this.pteAddress(pde, address);
    const pte = this.read(at);
    if (!(pde & pte & 1)) return { error: write ? 2 : 0 };
    const writable = (pde & pte & 2) !== 0;
    if (!(pde & pte & 4) || (write && !writable)) return { error: write ? 3 : 1 };
    this.write(at, pte | 0x20 | (write ? 0x40 : 0));
    return { frame: pte >>> 12, writable };
  }

  /** An access by ring 3 to the current address space: the "physical" address in `memory`, or a FAULT. */
  access(address: number, write: boolean): { at: number } | { fault: number } {
    for (let tries = 0; tries < 4; tries++) {
      const page = address >>> 12;
      const cached = this.tlb.get(page);
      if (cached && (!write || cached.writable)) return { at: KERNEL_BASE + cached.frame * PAGE + (address & 4095) };
      // Like a CPU that believes its TLB: an entry without W is a fault, whatever the tables say by now.
      const found = cached ? { error: 3 } : this.walk(address, write);
      if ("frame" in found) {
        this.tlb.set(page, found);
        continue;
      }
      const result = this.kernel.handleMmFault(this.current, address, found.error | 4);
      if (result !== FAULT.resolved) return { fault: result };
    }
    throw new Error(`access to ${address.toString(16)} faults again and again`);
  }

  load(address: number): number {
    const found = this.access(address, false);
    if ("fault" in found) throw new Error(`read of ${address.toString(16)}: fault ${found.fault}`);
    return this.read(found.at);
  }

  store(address: number, value: number): void {
    const found = this.access(address, true);
    if ("fault" in found) throw new Error(`write of ${address.toString(16)}: fault ${found.fault}`);
    this.write(found.at, value);
  }
}

/** Place of each counter in vmstat.ts. */
export const COUNTER = {
  forks: 0,
  tablesShared: 1,
  tablesUnshared: 2,
  tablesReleased: 3,
  tablesReclaimed: 4,
  tablesCopied: 5,
  rmapAdded: 6,
  rmapRemoved: 7,
  faults: 8,
  faultsSpurious: 9,
  cowCopies: 10,
  cowReuses: 11,
  pagesFilled: 12,
};

/** What the compiled files import: the instructions and the assembly routines, as far as memory management calls them. */
class Imports {
  world: World | undefined;

  constructor(private readonly staticEnd: number) {}

  object(module: Module): Record<string, Record<string, Call>> {
    const imports: Record<string, Record<string, Call>> = {};
    const known = this.functions();
    for (const { module: space, name } of host.Module.imports(module)) {
      imports[space] ??= {};
      imports[space][name] =
        known[name] ??
        (() => {
          throw new Error(`memory management called ${space}.${name}`);
        });
    }
    return imports;
  }

  private functions(): Record<string, Call> {
    const flush = () => this.world?.tlb.clear();
    return {
      cstr: () => 0,
      imageEnd: () => this.staticEnd,
      readCr3: () => this.world?.cr3 ?? BOOT_DIRECTORY,
      writeCr3: (value) => {
        if (this.world) this.world.cr3 = value >>> 0;
        flush();
        return 0;
      },
      invlpg: (address) => {
        this.world?.tlb.delete(address >>> 12);
        return 0;
      },
      outl: (port, value) => {
        if (port === MARK_PORT) this.world?.marks.push({ kind: value >>> 24, argument: value & 0xffffff });
        return 0;
      },
      cli: () => 0,
      outb: () => {
        throw new Error("memory management panicked (an assertion, or poison)");
      },
    };
  }
}
