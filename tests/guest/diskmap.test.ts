/**
 * userland/tests/diskmap.ts on disks of several kinds, in each fork mode, with injected faults and delays, on little memory, and on QEMU, where
 * what it prints and what the disk holds in the end must be the same. May import tests/guest, tools/audit.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { BufferDisk, type DiskBackend, Machine, SECTOR_BYTES } from "../../cpu/index";
import { AuditWatch } from "../../tools/audit/watch";
import { swapHeader } from "../../tools/disk/swaparea";
import { layoutOf } from "../audit/planted";
import { needCommand } from "../skip";
import {
  builtImages,
  casesOf,
  type GuestOptions,
  type GuestRun,
  MODES,
  type Mode,
  machineFor,
  quoted,
  runGuest,
  testCommandLine,
} from "./guest";
import { diskImage, partitionedImage } from "./mapdisk";

const test = suite("guest/diskmap");
const built = await builtImages();
const QEMU = "qemu-system-i386";
const IMAGE = diskImage();
const CASES = 13;
const BAD_SECTOR = 300;
const LARGE_PAGES = 1280;
/** The swap area beside other partitions. */
const SWAP_AT = 4800;
const SWAP_SECTORS = 32_768;

function run(mode: Mode, disk: DiskBackend, kind = "", options: Partial<GuestOptions> = {}): GuestRun {
  return runGuest(built, { commandLine: testCommandLine(mode, "diskmap", kind), disk, ...options });
}

function allPass(result: GuestRun, cases: number): void {
  const found = casesOf(result);
  for (const { ok, name } of found) assert.ok(ok, `${name}\n${quoted(result.output)}`);
  assert.is(found.length, cases, result.output);
}

/** What the good disk holds when the program has run: computed once, by the first run. */
let expected: Uint8Array | undefined;
function sameContents(contents: Uint8Array): void {
  expected ??= contents;
  assert.is(Buffer.compare(contents, expected), 0, "the same contents as after the first run");
  assert.not.equal(Buffer.compare(contents, IMAGE), 0);
}

for (const mode of MODES) {
  test(`a good disk, fork=${mode}`, () => {
    const disk = new BufferDisk(IMAGE);
    allPass(run(mode, disk), CASES);
    sameContents(disk.contents());
  });
  test(`passing failures and delays, fork=${mode}`, () => {
    const disk = new BufferDisk(IMAGE);
    const failing = [20, 21, 130, 333, 470, 600].map((transfer) => ({ transfer, fails: true }));
    const late = [60, 200, 480, 700].map((transfer) => ({ transfer, delayCycles: 3_000_000 }));
    const result = run(mode, disk, "", { diskFaults: [...failing, ...late] });
    allPass(result, CASES);
    sameContents(disk.contents());
    assert.ok((result.output.match(/^hda: (read|write) /gm) ?? []).length >= 4, result.output);
  });
  test(`a bad sector, a disk that cannot be written, fork=${mode}`, () => {
    const read = (sector: number, target: Uint8Array) => {
      target.set(IMAGE.subarray(sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES));
      return sector !== BAD_SECTOR;
    };
    allPass(run(mode, new BufferDisk({ sectors: IMAGE.length / SECTOR_BYTES, read }), "bad"), 1);
    allPass(run(mode, new BufferDisk(IMAGE, { readOnly: true }), "readonly"), 1);
  });
  test(`a disk with more pages than memory, fork=${mode}`, () => {
    const disk = new BufferDisk(new Uint8Array(LARGE_PAGES * 4096));
    allPass(run(mode, disk, "large", { memoryMB: 6 }), 1);
    const words = new DataView(disk.contents().buffer);
    for (let page = 0; page < LARGE_PAGES; page++) {
      const value = (Math.imul(page, 0x9e3779b1) + 1) ^ (page % 3 === 0 ? -1 : 0);
      assert.is(words.getInt32(page * 4096, true), value | 0, `page ${page} on the disk`);
    }
  });
  test(`audited, fork=${mode}`, () => {
    const { machine, output } = machineFor(built, {
      commandLine: testCommandLine(mode, "diskmap"),
      disk: new BufferDisk(IMAGE),
    });
    const watch = new AuditWatch(machine, layoutOf(built.kernel), 3);
    machine.run({ maxInstructions: 1e9 });
    assert.equal(watch.report(), [], output());
    assert.ok(watch.audits > 200, `${watch.audits}`);
  });
}

/** A drive that has a cache: what was written is on the medium after a flush only. */
class CachingDisk implements DiskBackend {
  readonly readOnly = false;
  private readonly cache: BufferDisk;

  constructor(readonly medium: BufferDisk) {
    this.cache = new BufferDisk(medium);
  }
  get sectors(): number {
    return this.medium.sectors;
  }
  read(sector: number, target: Uint8Array): boolean {
    return this.cache.read(sector, target);
  }
  write(sector: number, source: Uint8Array): boolean {
    return this.cache.write(sector, source);
  }
  flush(): boolean {
    const { changed, bytes } = this.cache.save();
    for (const [i, sector] of changed.entries())
      this.medium.write(sector, bytes.subarray(i * SECTOR_BYTES, (i + 1) * SECTOR_BYTES));
    return true;
  }
  save(): null {
    return null;
  }
  restore(): void {}
}

test("what msync and fsync acknowledge is on the medium at that moment, with failures and delays", () => {
  const medium = new BufferDisk(IMAGE);
  const diskFaults = Array.from({ length: 40 }, (_, i) => ({
    transfer: 30 + 13 * i,
    ...(i % 3 === 0 ? { delayCycles: 500_000 } : { fails: true }),
  }));
  const sector = new Uint8Array(SECTOR_BYTES);
  let output = "";
  let seen = 0;
  const machine = new Machine({
    memoryMB: 64,
    disk: new CachingDisk(medium),
    diskFaults,
    onSerial: (bytes) => {
      output += Buffer.from(bytes).toString("latin1");
      const [, page, value] = /# page (\d+) is (\d+)\r?\n$/.exec(output) ?? [];
      if (page === undefined) return;
      seen++;
      medium.read(Number(page) * 8, sector);
      assert.is(new DataView(sector.buffer).getUint32(0, true), Number(value), output);
    },
  });
  const commandLine = testCommandLine("share", "diskmap", "acknowledged");
  machine.loadMultiboot(built.kernel, { commandLine, modules: [built.initrd] });
  assert.equal(machine.run({ maxInstructions: 1e9 }), { reason: "exit", value: 0 }, output);
  assert.is(seen, 32, output);
  medium.read(210 * 8, sector);
  assert.is(new DataView(sector.buffer).getUint32(0, true), 0x5eed0100, "the end of the run writes what is left");
  assert.ok((output.match(/hda: write of/g) ?? []).length >= 10, output);
});

test("a swap partition beside others: only it is written to", () => {
  const image = partitionedImage(40_000, [
    [0x83, 64, 4000],
    [0x82, SWAP_AT, SWAP_SECTORS],
  ]);
  image.set(swapHeader(SWAP_SECTORS / 8), SWAP_AT * SECTOR_BYTES);
  const disk = new BufferDisk(image);
  const commandLine = testCommandLine("share", "pressure", "3 2", true, "swap=on");
  const result = runGuest(built, { commandLine, disk, memoryMB: 8 });
  allPass(result, 2);
  const contents = disk.contents();
  const [start, end] = [SWAP_AT * SECTOR_BYTES, (SWAP_AT + SWAP_SECTORS) * SECTOR_BYTES];
  assert.is(Buffer.compare(contents.subarray(0, start), image.subarray(0, start)), 0);
  assert.is.not(Buffer.compare(contents.subarray(start, end), image.subarray(start, end)), 0);
  assert.is(Buffer.compare(contents.subarray(end), image.subarray(end)), 0);
});

test("pages of a disk and of swap, evicted at random", () => {
  const image = partitionedImage(24_000, [
    [0x83, 64, 4000],
    [0x82, SWAP_AT, 16_000],
  ]);
  image.set(swapHeader(2000), SWAP_AT * SECTOR_BYTES);
  const disk = new BufferDisk(image);
  const commandLine = testCommandLine("auto", "diskmap", "evicted", true, "swap=on evict=9");
  const { machine, output } = machineFor(built, { commandLine, disk, memoryMB: 6 });
  const watch = new AuditWatch(machine, layoutOf(built.kernel), 29);
  const stop = machine.run({ maxInstructions: 1e9 });
  allPass({ output: output(), stop, instret: machine.instret, cycles: machine.cycles }, 1);
  assert.equal(watch.report(), []);
});

test("on QEMU the same lines and the same contents", () => {
  needCommand(QEMU);
  const folder = mkdtempSync(join(tmpdir(), "tine-diskmap-"));
  try {
    const file = join(folder, "disk.img");
    writeFileSync(file, IMAGE);
    const boot = ["-m", "64", "-kernel", "dist/kernel.elf", "-initrd", "dist/initrd.tar"];
    const devices = "-device isa-debug-exit,iobase=0xf4,iosize=4 -serial stdio -display none -no-reboot".split(" ");
    const drive = ["-drive", `file=${file},format=raw,if=ide`];
    const append = ["-append", testCommandLine("share", "diskmap")];
    const { stdout, status } = spawnSync(QEMU, [...boot, ...append, ...devices, ...drive], {
      encoding: "latin1",
      timeout: 60_000,
      input: "",
    });
    const lines = (output: string) => output.replaceAll("\r\n", "\n").replace(/^tine: .*\n/gm, "");
    assert.is(lines(stdout), lines(run("share", new BufferDisk(IMAGE)).output));
    assert.is(status, 1);
    sameContents(new Uint8Array(readFileSync(file)));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();
