/**
 * userland/tests/diskmap.ts and disktrouble.ts on disks of several kinds, in each fork mode, with injected faults and delays, on little memory, and on QEMU, where
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
const LARGE_PAGES = 800;
/** A partition, and one for swap. */
const [FILE_AT, FILE_SECTORS] = [64, 4000];
const [SWAP_AT, SWAP_SECTORS] = [4800, 16_000];

function run(mode: Mode, disk: DiskBackend, options: Partial<GuestOptions> = {}): GuestRun {
  return runGuest(built, { commandLine: testCommandLine(mode, "diskmap"), disk, ...options });
}

/** The one case of userland/tests/disktrouble.ts for this kind of disk. */
function trouble(mode: Mode, disk: DiskBackend, kind: string, options: Partial<GuestOptions> = {}): void {
  allPass(runGuest(built, { commandLine: testCommandLine(mode, "disktrouble", kind), disk, ...options }), 1);
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
    const result = run(mode, disk, { diskFaults: [...failing, ...late] });
    allPass(result, CASES);
    sameContents(disk.contents());
    assert.ok((result.output.match(/^hda: (read|write) /gm) ?? []).length >= 4, result.output);
  });
  test(`a bad sector, a disk that cannot be written, fork=${mode}`, () => {
    const read = (sector: number, target: Uint8Array) => {
      target.set(IMAGE.subarray(sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES));
      return sector !== BAD_SECTOR;
    };
    trouble(mode, new BufferDisk({ sectors: IMAGE.length / SECTOR_BYTES, read }), "bad");
    trouble(mode, new BufferDisk(IMAGE, { readOnly: true }), "readonly");
  });
  test(`a disk with more pages than memory, fork=${mode}`, () => {
    const disk = new BufferDisk(new Uint8Array(LARGE_PAGES * 4096));
    const commandLine = testCommandLine(mode, "disktrouble", "large", false);
    trouble(mode, disk, "large", { commandLine, memoryMB: 5 });
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
      memoryMB: 16,
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
  const commandLine = testCommandLine("share", "disktrouble", "acknowledged");
  machine.loadMultiboot(built.kernel, { commandLine, modules: [built.initrd] });
  assert.equal(machine.run({ maxInstructions: 1e9 }), { reason: "exit", value: 0 }, output);
  assert.is(seen, 32, output);
  medium.read(210 * 8, sector);
  assert.is(new DataView(sector.buffer).getUint32(0, true), 0x5eed0100, "the end of the run writes what is left");
  assert.ok((output.match(/hda: write of/g) ?? []).length >= 10, output);
});

test("a boot sector that is no partition table makes no partitions", () => {
  const image = diskImage();
  const list = (disk: BufferDisk) => runGuest(built, { commandLine: "quiet -- /bin/ls /dev", disk }).output;
  assert.match(list(new BufferDisk(image)), /^hda\nhda1\nhda2\nhda3\n/m);
  image[446 + 32] = 0x41;
  assert.not.match(list(new BufferDisk(image)), /hda./);
});

test("without a reverse map a disk is not mapped", () => {
  const commandLine = testCommandLine("share", "disktrouble", "unmapped", true, "rmap=off");
  trouble("share", new BufferDisk(IMAGE), "unmapped", { commandLine });
});

test("pages of a partition and of another for swap, evicted at random: nothing else is written to", () => {
  const image = partitionedImage(24_000, [
    [0x83, FILE_AT, FILE_SECTORS],
    [0x82, SWAP_AT, SWAP_SECTORS],
  ]);
  image.set(swapHeader(SWAP_SECTORS / 8), SWAP_AT * SECTOR_BYTES);
  const disk = new BufferDisk(image);
  const commandLine = testCommandLine("auto", "disktrouble", "evicted", true, "swap=on evict=9");
  const { machine, output } = machineFor(built, { commandLine, disk, memoryMB: 6 });
  const watch = new AuditWatch(machine, layoutOf(built.kernel), 97);
  const stop = machine.run({ maxInstructions: 1e9 });
  allPass({ output: output(), stop, instret: machine.instret, cycles: machine.cycles }, 1);
  assert.equal(watch.report(), []);
  const contents = disk.contents();
  const isAsBefore = (first: number, end: number) =>
    Buffer.compare(...([contents, image].map((each) => each.subarray(first * 512, end * 512)) as [Buffer, Buffer])) ===
    0;
  assert.ok(isAsBefore(0, FILE_AT) && !isAsBefore(FILE_AT, FILE_AT + FILE_SECTORS), "hda1");
  assert.ok(isAsBefore(FILE_AT + FILE_SECTORS, SWAP_AT) && !isAsBefore(SWAP_AT, SWAP_AT + SWAP_SECTORS), "hda2");
  assert.ok(isAsBefore(SWAP_AT + SWAP_SECTORS, 24_000), "what is behind");
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
