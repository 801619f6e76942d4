/**
 * Is copy an honest baseline? The loop that copies a page table, ours against gcc -O2's of the same loop in C (copyptes.c), both counted on our machine:
 * instructions retired within C's `copyPtes`, and within the kernel's `copyTable` and its `copyPtes`, whether the one is inlined
 * into the other or not. May import cpu, kernel/abi, tools/image, Node.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { EventKind, Machine } from "../../cpu/index";
import { Mark, Region } from "../../kernel/abi/marks";
import type { BuiltAll } from "../image/build";
import { Symbols } from "../image/symbols";

const SOURCE = "tools/lab/copyptes.c";
/** Ptes that copyptes.c copies. */
const C_PTES = 8 * 1024;
const MEGABYTES = 16;
const GCC =
  "-m32 -O2 -ffreestanding -fno-pic -no-pie -fno-asynchronous-unwind-tables -fno-stack-protector -nostdlib -static";
const LINK = "-Wl,--build-id=none,-n,-Ttext=0x100000";

/** What `tine lab loop --json` gave on 2026-11-26, for hosts without gcc. */
const KEPT = { perPte: 33.05, compiler: "gcc 12.2.0 -m32 -O2" } as const;

/** Instructions a pte. */
export interface Baseline {
  ours: number;
  gcc: number;
  /** Which gcc. */
  compiler: string;
  /** Whether gcc's was measured now; else it is the kept one. */
  measured: boolean;
}

interface Range {
  start: number;
  end: number;
}

/** Ranges of addresses of functions: each from its symbol to the next one. Those that there are not are left out. */
function rangesOf(elf: Uint8Array, names: readonly string[]): Range[] {
  const symbols = new Symbols(elf);
  return names.flatMap((name) => {
    const start = symbols.address(name);
    if (start === undefined) return [];
    let end = start;
    while (symbols.lookup(end)?.name === name) end++;
    return [{ start, end }];
  });
}

/** Counts instructions in ranges while `counting`; the machine is then in its slow path. */
class Counter {
  count = 0;
  constructor(
    private readonly machine: Machine,
    private readonly ranges: readonly Range[],
  ) {}
  set counting(on: boolean) {
    const { machine, ranges } = this;
    machine.onInstruction(
      on
        ? () => {
            const { eip } = machine.registers;
            if (ranges.some(({ start, end }) => eip >= start && eip < end)) this.count++;
          }
        : null,
    );
  }
}

/** Throws Error unless the machine ends with 0. */
function runWell(machine: Machine, maxInstructions: number): void {
  const stop = machine.run({ maxInstructions });
  if (stop.reason !== "exit" || stop.value !== 0)
    throw new Error(`the loop's machine ended with ${JSON.stringify(stop)}`);
}

/** Instructions a pte of gcc's loop; undefined where there is no gcc, or not the source. Throws Error if it cannot make 32-bit code. */
export function gccPerPte(root: string): number | undefined {
  const source = path.join(root, SOURCE);
  if (!existsSync(source)) return undefined;
  const folder = mkdtempSync(path.join(tmpdir(), "tine-baseline-"));
  try {
    const out = path.join(folder, "copyptes.elf");
    const { status, stderr, error } = spawnSync("gcc", [...GCC.split(" "), LINK, "-o", out, source], {
      encoding: "utf8",
    });
    if (error !== undefined) return undefined;
    if (status !== 0) throw new Error(`gcc -m32: ${stderr}`);
    const elf = new Uint8Array(readFileSync(out));
    const machine = new Machine({ memoryMB: 16 });
    machine.loadMultiboot(elf, {});
    const counter = new Counter(machine, rangesOf(elf, ["copyPtes"]));
    counter.counting = true;
    runWell(machine, 10_000_000);
    return counter.count / C_PTES;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Instructions a pte of the kernel's loop, within one fork of forkdemo, rmap entries included. */
export function ourPerPte({ kernel, initrd }: BuiltAll): number {
  const machine = new Machine({ memoryMB: 64 });
  machine.loadMultiboot(kernel, {
    commandLine: `quiet fork=copy init=/bin/forkdemo -- ${MEGABYTES}`,
    modules: [initrd],
  });
  const counter = new Counter(machine, rangesOf(kernel, ["copyTable", "copyPtes"]));
  machine.onEvent(({ kind, a }) => {
    if (kind !== EventKind.Mark || (a >>> 16) % 256 !== Region.Fork) return;
    if (a >>> 24 === Mark.RegionBegin) counter.counting = true;
    if (a >>> 24 === Mark.RegionEnd) counter.counting = false;
  });
  runWell(machine, 2e9);
  return counter.count / ((MEGABYTES * 1024) / 4);
}

function gccVersion(): string {
  const { stdout } = spawnSync("gcc", ["-dumpfullversion"], { encoding: "utf8" });
  return `gcc ${stdout.trim()} -m32 -O2`;
}

/** Both. */
export function baseline(root: string, built: BuiltAll): Baseline {
  const ours = ourPerPte(built);
  const gcc = gccPerPte(root);
  return gcc === undefined
    ? { ours, gcc: KEPT.perPte, compiler: KEPT.compiler, measured: false }
    : { ours, gcc, compiler: gccVersion(), measured: true };
}
