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
import { BufferDisk, type DiskBackend, SECTOR_BYTES } from "../../cpu/index";
import { AuditWatch } from "../../tools/audit/watch";
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
import { diskImage } from "./mapdisk";

const test = suite("guest/diskmap");
const built = await builtImages();
const QEMU = "qemu-system-i386";
const IMAGE = diskImage();
const CASES = 12;
const BAD_SECTOR = 300;
const LARGE_PAGES = 1280;

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
