/**
 * The baseline is honest: fork=copy's inner loop, as our compiler makes it, against gcc -O2's of the same loop in C
 * (baseline/copyptes.c), both counted on our machine: instructions retired within C's `copyPtes`, and within the kernel's
 * `copyTable` and its `copyPtes`, whether the one is inlined into the other or not.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { EventKind, Machine } from "../../cpu/index";
import { Mark, Region } from "../../kernel/abi/marks";
import { buildAll } from "../../tools/image/build";
import { Symbols } from "../../tools/image/symbols";
import { needCommand } from "../skip";

const test = suite("system/baseline");

/** At most so many times gcc's instructions for a pte. */
const MOST = 1.5;
/** Ptes that baseline/copyptes.c copies. */
const C_PTES = 8 * 1024;
const MEGABYTES = 16;
const GCC =
  "-m32 -O2 -ffreestanding -fno-pic -no-pie -fno-asynchronous-unwind-tables -fno-stack-protector -nostdlib -static";
const LINK = "-Wl,--build-id=none,-n,-Ttext=0x100000";

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

/** Instructions a pte of gcc's loop. */
function gccPerPte(): number {
  const folder = mkdtempSync(join(tmpdir(), "tine-baseline-"));
  try {
    const out = join(folder, "copyptes.elf");
    const args = [...GCC.split(" "), LINK, "-o", out, "tests/system/baseline/copyptes.c"];
    const { status, stderr } = spawnSync("gcc", args, { encoding: "utf8" });
    assert.is(status, 0, `gcc -m32: ${stderr}`);
    const elf = new Uint8Array(readFileSync(out));
    const machine = new Machine({ memoryMB: 16 });
    machine.loadMultiboot(elf, {});
    const counter = new Counter(machine, rangesOf(elf, ["copyPtes"]));
    counter.counting = true;
    assert.equal(machine.run({ maxInstructions: 10_000_000 }), { reason: "exit", value: 0 });
    return counter.count / C_PTES;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Instructions a pte of the kernel's loop, within one fork of forkdemo, rmap entries included. */
async function ourPerPte(): Promise<{ perPte: number; ptes: number }> {
  const { kernel, initrd } = await buildAll("dist");
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
  assert.equal(machine.run({ maxInstructions: 2e9 }), { reason: "exit", value: 0 });
  const ptes = (MEGABYTES * 1024) / 4;
  return { perPte: counter.count / ptes, ptes };
}

test(`fork=copy's inner loop is at most ${MOST} times gcc -O2's`, async () => {
  needCommand("gcc");
  const gcc = gccPerPte();
  const { perPte } = await ourPerPte();
  console.log(
    `instructions a pte: ours ${perPte.toFixed(1)}, gcc -O2 ${gcc.toFixed(1)}, ratio ${(perPte / gcc).toFixed(2)}`,
  );
  assert.ok(gcc > 20, `gcc's loop was counted: ${gcc}`);
  assert.ok(perPte > 20, `our loop was counted, and not inlined elsewhere: ${perPte}`);
  assert.ok(perPte <= MOST * gcc, `${perPte.toFixed(1)} instructions a pte, gcc has ${gcc.toFixed(1)}`);
});

test.run();
