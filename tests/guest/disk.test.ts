/**
 * userland/tests/disk.ts on disks of several kinds, on our machine in both fork modes and on QEMU, where what it prints and
 * what the disk holds in the end must be the same; with lost interrupts, with requests polled among sleeping ones; and the same
 * disk through the command line's file backend.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { BufferDisk, type DiskBackend, Machine, SECTOR_BYTES } from "../../cpu/index";
import { FileDisk } from "../../tools/disk/filedisk";
import { keptMutatedKernel } from "../mutants/mutate";
import { needCommand } from "../skip";
import {
  builtImages,
  casesOf,
  type GuestOptions,
  type GuestRun,
  MODES,
  machineFor,
  quoted,
  runGuest,
  testCommandLine,
} from "./guest";

const test = suite("guest/disk");
const built = await builtImages();
const QEMU = "qemu-system-i386";
const SECTORS = 4096;
const IMAGE = Uint8Array.from({ length: SECTORS * SECTOR_BYTES }, (_, p) => (p * 7 + (p >> 9) * 13) & 0xff);
/** Cases of the program when the disk is good. */
const CASES = 8;

/** A kernel in which every third request is polled for, and which says so when another's is with the drive. */
const POLLING = {
  file: "drivers/diskqueue.ts",
  edits: [
    ["let pollDepth: u32 = 1;\n", "let pollDepth: u32 = 1;\nlet turn: u32 = 0;\n"],
    [
      "export function diskWait(request: DiskRequest): i32 {\n",
      `export function diskWait(request: DiskRequest): i32 {
  if (++turn % 3 != 0) return diskWaitAsleep(request);
  if (first !== request && !request.isOver) printk(cstr("polls behind a sleeper\\n"));
  diskPollBegin();
  const result = diskWaitAsleep(request);
  diskPollEnd();
  return result;
}
function diskWaitAsleep(request: DiskRequest): i32 {
`,
    ],
  ],
} as const;

let polling: Promise<Uint8Array> | undefined;
function pollingKernel(): Promise<Uint8Array> {
  polling ??= keptMutatedKernel(POLLING, process.cwd());
  return polling;
}

function run(disk: DiskBackend | undefined, kind = "", options: Partial<GuestOptions> = {}): GuestRun {
  const commandLine = testCommandLine("share", "disk", kind);
  return runGuest(built, { commandLine, ...(disk === undefined ? {} : { disk }), ...options });
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

function inFolder(body: (file: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "tine-disk-"));
  try {
    const file = join(folder, "disk.img");
    writeFileSync(file, IMAGE);
    body(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

for (const mode of MODES) {
  test(`a good disk, fork=${mode}`, () => {
    const disk = new BufferDisk(IMAGE);
    allPass(run(disk, "", { commandLine: testCommandLine(mode, "disk") }), CASES);
    sameContents(disk.contents());
  });
}

test("a disk with passing failures and delays is as good", () => {
  const disk = new BufferDisk(IMAGE);
  const failing = [2, 90, 91, 400, 777, 1100].map((transfer) => ({ transfer, fails: true }));
  const late = [1, 50, 600, 1200].map((transfer) => ({ transfer, delayCycles: 3_000_000 }));
  const result = run(disk, "", { diskFaults: [...failing, ...late] });
  // A sector moved twice counts once.
  allPass(result, CASES);
  sameContents(disk.contents());
  assert.ok((result.output.match(/^hda: /gm) ?? []).length >= 3, result.output);
});

test("an interrupt that is lost is noticed after 3 seconds", () => {
  const disk = new BufferDisk(IMAGE);
  const lost = [40, 300, 600].map((transfer) => ({ transfer, losesInterrupt: true }));
  const result = run(disk, "", { diskFaults: lost });
  allPass(result, CASES);
  sameContents(disk.contents());
  assert.is((result.output.match(/^hda: lost interrupt$/gm) ?? []).length, 3, result.output);
});

test("requests that are polled among others that sleep: nothing is lost, and each owner wakes", async () => {
  const kernel = await pollingKernel();
  const disk = new BufferDisk(IMAGE);
  const diskFaults = [
    { transfer: 700, fails: true },
    ...[650, 800].map((transfer) => ({ transfer, delayCycles: 1e6 })),
  ];
  const commandLine = testCommandLine("share", "disk");
  const result = runGuest({ ...built, kernel }, { commandLine, disk, diskFaults, maxInstructions: 1e9 });
  assert.ok((result.output.match(/^polls behind a sleeper$/gm) ?? []).length >= 10, result.output);
  allPass({ ...result, output: result.output.replace(/^polls behind a sleeper\n/gm, "") }, CASES);
  sameContents(disk.contents());
});

test("the same run twice, to the instruction", () => {
  const [one, other] = [run(new BufferDisk(IMAGE)), run(new BufferDisk(IMAGE))];
  assert.equal(other, one);
});

test("saved and restored in the middle, with a fresh disk of the first contents, it ends the same", () => {
  const options = { commandLine: testCommandLine("share", "disk") };
  const whole = runGuest(built, { ...options, disk: new BufferDisk(IMAGE) });
  const { machine, output } = machineFor(built, { ...options, disk: new BufferDisk(IMAGE) });
  machine.run({ maxInstructions: Math.floor(whole.instret * 0.7) });
  const state = structuredClone(machine.save());
  const before = output();
  let after = "";
  const disk = new BufferDisk(IMAGE);
  const onSerial = (bytes: Uint8Array) => (after += Buffer.from(bytes).toString("latin1"));
  const restored = Machine.restore(state, { disk, onSerial });
  assert.equal(restored.run({ maxInstructions: 1e9 }), { reason: "exit", value: 0 });
  assert.equal([restored.instret, restored.cycles], [whole.instret, whole.cycles]);
  assert.is(before + after.replaceAll("\r\n", "\n"), whole.output);
  sameContents(disk.contents());
  assert.throws(() => Machine.restore(state), /has a disk/);
});

test("bad sectors, a disk that cannot be written, none", () => {
  const read = (sector: number, target: Uint8Array) => {
    target.set(IMAGE.subarray(sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES));
    return sector !== 100 && sector !== 200;
  };
  allPass(run(new BufferDisk({ sectors: SECTORS, read }), "bad"), 1);
  allPass(run(new BufferDisk(IMAGE, { readOnly: true }), "readonly"), 1);
  allPass(run(undefined, "none"), 1);
});

test("a disk in a file, and its first contents afterwards", () => {
  inFolder((file) => {
    const disk = new FileDisk(file, false);
    const once = run(disk);
    allPass(once, CASES);
    sameContents(new Uint8Array(readFileSync(file)));
    const again = disk.asAtFirst();
    assert.is(Buffer.compare(again.contents(), IMAGE), 0);
    assert.equal(run(again), once);
    sameContents(again.contents());
    disk.close();
  });
});

/** On QEMU, with this kernel and the good disk. */
function onQemu(kernel: Uint8Array): void {
  needCommand(QEMU);
  inFolder((file) => {
    writeFileSync(`${file}.kernel`, kernel);
    const boot = ["-m", "64", "-kernel", `${file}.kernel`, "-initrd", "dist/initrd.tar"];
    const devices = "-device isa-debug-exit,iobase=0xf4,iosize=4 -serial stdio -display none -no-reboot".split(" ");
    const drive = ["-drive", `file=${file},format=raw,if=ide`];
    const append = ["-append", testCommandLine("share", "disk")];
    const { stdout, status } = spawnSync(QEMU, [...boot, ...append, ...devices, ...drive], {
      encoding: "latin1",
      timeout: 60_000,
      input: "",
    });
    const lines = (output: string) => output.replaceAll("\r\n", "\n").replace(/^(tine: |polls behind).*\n/gm, "");
    assert.is(lines(stdout), lines(run(new BufferDisk(IMAGE)).output));
    assert.is(status, 1);
    sameContents(new Uint8Array(readFileSync(file)));
  });
}

test("on QEMU the same lines and the same contents", () => onQemu(built.kernel));

test("on QEMU with requests polled among others", async () => onQemu(await pollingKernel()));

test("tine run --disk: the file is written; a bad one is one line and exit code 2", () => {
  inFolder((file) => {
    const tine = (...args: string[]) => {
      const { status, stdout, stderr } = spawnSync("node", ["tools/cli/tine.mjs", ...args], {
        encoding: "utf8",
        input: "",
      });
      return { status, stdout, stderr };
    };
    const program = "userland/tests/disk.ts";
    const good = tine("run", "--disk", file, program);
    assert.is(good.status, 0, good.stdout + good.stderr);
    sameContents(new Uint8Array(readFileSync(file)));
    writeFileSync(file, IMAGE.subarray(0, 700));
    const odd = tine("run", "--disk", file, program);
    assert.equal([odd.status, odd.stdout], [2, ""]);
    assert.match(odd.stderr, /^tine: .*disk\.img: a disk of 700 bytes; it must be a multiple of 512\n$/);
    const missing = tine("boot", "--disk", `${file}.gone`);
    assert.equal([missing.status, missing.stdout], [2, ""]);
    assert.match(missing.stderr, /^tine: .*gone: no such file\n$/);
    writeFileSync(file, IMAGE);
    chmodSync(file, 0o444);
    if (process.getuid?.() === 0) return; // who may write everything is not told that it is read-only
    const readOnly = tine("run", "--disk", file, program, "readonly");
    assert.is(readOnly.status, 0, readOnly.stdout + readOnly.stderr);
    assert.match(readOnly.stderr, /disk\.img: attached read-only\n/);
  });
});

test.run();
