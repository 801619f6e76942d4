/** Files, the archive and formatted text of kernel/fs and kernel/lib, in V8 (taskworld.ts), against models in JavaScript. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { buildInitrd } from "../../tools/image/ustar";
import { Random } from "../fuzz/random";
import { KernelPanic, SCRATCH, TaskWorld, USER_END, WouldSleep } from "./taskworld";

const test = suite("kernel/task files");

const O = { read: 0, write: 1, both: 2, create: 0x40, exclusive: 0x80, truncate: 0x200, append: 0x400 };
const ENOENT = -2;
const EFAULT = -14;
const EEXIST = -17;
const ENOTDIR = -20;
const EISDIR = -21;
const EFBIG = -27;
const ENOTEMPTY = -39;
const MAX_FILE = 4 << 20;

const bytes = (text: string) => new Uint8Array(Buffer.from(text, "latin1"));
const text = (data: Uint8Array | number) => (typeof data === "number" ? data : Buffer.from(data).toString("latin1"));

function contents(world: TaskWorld, path: string): string | number {
  const file = world.open(path);
  if (file < 0 && file > -4096) return file;
  let all = "";
  for (;;) {
    const part = world.read(file, 100_000);
    if (typeof part === "number") return part;
    if (part.length === 0) break;
    all += text(part);
  }
  world.close(file);
  return all;
}

function remove(world: TaskWorld, name: string): number {
  return world.kernel.removeEntry(world.kernel.rootDirectory(), world.text(name), name.length, 0);
}

test("the archive's files are there, with directories made on the way", async () => {
  const archive = buildInitrd([
    { name: "bin/one", data: bytes("first"), mode: 0o755 },
    { name: "a/b/c/two", data: bytes("x".repeat(5000)), mode: 0o644 },
    { name: "empty", data: bytes(""), mode: 0o644 },
  ]);
  const world = await TaskWorld.boot(archive);
  assert.is(contents(world, "/bin/one"), "first");
  assert.is(contents(world, "//a/./b/../b/c//two"), "x".repeat(5000));
  assert.is(contents(world, "/empty"), "");
  assert.is(contents(world, "/bin/none"), ENOENT);
  assert.is(contents(world, "/bin/one/"), ENOTDIR);
  assert.is(contents(world, "/bin/one/two"), ENOTDIR);
  assert.is(contents(world, "/a/b"), EISDIR);
  assert.is(world.output, "");
});

test("I7 any allocation may fail: a file of the archive that is written, truncated, or opened anew", async () => {
  const whole = "whole".repeat(2000);
  const acts: [name: string, act: (world: TaskWorld, file: number) => number][] = [
    ["write", (world, file) => world.write(file, bytes("W"))],
    ["truncate", (world, file) => world.kernel.truncateFile(world.inodeOf(file), 5000)],
    ["open", (world) => world.open("/bin/whole", O.write | O.truncate)],
  ];
  for (const [name, act] of acts) {
    let failures = 0;
    for (let n = 1; ; n++) {
      const world = await TaskWorld.boot(buildInitrd([{ name: "bin/whole", data: bytes(whole), mode: 0o644 }]));
      const file = world.open("/bin/whole", O.both);
      world.kernel.failAllocation(n);
      const result = act(world, file);
      world.kernel.failAllocation(0);
      if (!(result < 0 && result > -4096)) break;
      failures++;
      assert.ok(contents(world, "/bin/whole") === whole, `${name} with allocation ${n} failing`);
    }
    assert.ok(failures > 0, name);
  }
});

test("an archive that is cut off or damaged keeps the files before, and says where it ends", async () => {
  const archive = buildInitrd([
    { name: "bin/one", data: bytes("first"), mode: 0o755 },
    { name: "bin/two", data: bytes("y".repeat(2000)), mode: 0o755 },
  ]);
  const cut = await TaskWorld.boot(archive.subarray(0, 1024 + 512 + 100));
  assert.is(contents(cut, "/bin/one"), "first");
  assert.is(contents(cut, "/bin/two"), ENOENT);
  assert.match(cut.output, /^initrd: cut short in the file at byte 1024\r\n$/);
  const damaged = archive.slice();
  damaged[1024 + 3] ^= 1;
  const second = await TaskWorld.boot(damaged);
  assert.is(contents(second, "/bin/one"), "first");
  assert.match(second.output, /^initrd: no ustar header at byte 1024, the rest is ignored\r\n$/);
});

test("no damage to an archive makes the kernel panic or read beyond it", async () => {
  const archive = buildInitrd([
    { name: "bin/one", data: bytes("first"), mode: 0o755 },
    { name: "bin/one/below", data: bytes("second"), mode: 0o755 },
    { name: "two", data: bytes("y".repeat(700)), mode: 0o755 },
  ]);
  const random = new Random(1);
  const world = await TaskWorld.boot();
  for (let i = 0; i < 400; i++) {
    const bad = archive.slice(0, random.oneIn(3) ? random.below(archive.length) : archive.length);
    const block = 512 * random.below(Math.max(1, bad.length >> 9));
    for (let n = random.below(4); n > 0; n--) bad[block + random.below(512)] = random.next();
    fixChecksum(bad, block);
    const address = world.place(bad);
    world.bytes.fill(0xff, address + bad.length, address + bad.length + 16);
    world.kernel.unpackArchive(address, bad.length);
  }
  assert.ok(typeof contents(world, "/bin/one") === "string");
});

/** Makes a damaged header's checksum right, so that its fields are looked at. */
function fixChecksum(archive: Uint8Array, block: number): void {
  if (block + 512 > archive.length) return;
  archive.fill(0x20, block + 148, block + 156);
  const sum = archive.subarray(block, block + 512).reduce((total, byte) => total + byte, 0);
  archive.set(bytes(`${sum.toString(8).padStart(6, "0")}\0 `), block + 148);
}

test("a file of the archive is copied when it is first written; the archive is not", async () => {
  const archive = buildInitrd([{ name: "f", data: bytes("hello"), mode: 0o644 }]);
  const world = await TaskWorld.boot(archive);
  const file = world.open("/f", O.both);
  assert.is(world.write(file, bytes("J")), 1);
  world.close(file);
  assert.is(contents(world, "/f"), "Jello");
  const again = world.open("/f", O.write | O.truncate);
  world.close(again);
  assert.is(contents(world, "/f"), "");
});

test("random writes, truncations and removals agree with a model, and nothing leaks", async () => {
  const world = await TaskWorld.boot();
  const random = new Random(2);
  const model = new Map<string, Uint8Array>();
  const names = ["/a", "/b", "/c"];
  // The first file makes the slabs that stay.
  world.close(world.open("/a", O.write | O.create));
  remove(world, "a");
  const free = world.kernel.freeFrames();
  for (let i = 0; i < 1500; i++) {
    const name = random.pick(names);
    const old = model.get(name);
    if (random.oneIn(12)) {
      assert.is(remove(world, name.slice(1)), old ? 0 : ENOENT);
      model.delete(name);
      continue;
    }
    const append = random.oneIn(3);
    const file = world.open(name, O.both | O.create | (append ? O.append : 0));
    const before = old ?? new Uint8Array();
    if (random.oneIn(4)) {
      const size = random.below(40_000);
      assert.is(world.kernel.truncateFile(inodeOf(world, file), size), 0);
      const after = new Uint8Array(size);
      after.set(before.subarray(0, size));
      model.set(name, after);
    } else {
      const at = append ? before.length : random.below(30_000);
      const data = Uint8Array.from({ length: 1 + random.below(9000) }, () => random.next());
      setPosition(world, file, at);
      assert.is(world.write(file, data), data.length);
      const after = new Uint8Array(Math.max(before.length, at + data.length));
      after.set(before);
      after.set(data, at);
      model.set(name, after);
    }
    world.close(file);
    assert.is(contents(world, name), text(model.get(name) as Uint8Array));
  }
  for (const name of model.keys()) assert.is(remove(world, name.slice(1)), 0);
  assert.is(world.kernel.freeFrames(), free);
});

/** Fields of struct File: references, flags, position, inode. */
function setPosition(world: TaskWorld, file: number, position: number): void {
  world.put((file >>> 0) + 8, new Uint8Array(Uint32Array.of(position).buffer));
}
function inodeOf(world: TaskWorld, file: number): number {
  return world.word((file >>> 0) + 12);
}

test("limits and bad addresses are errors, and what was moved before them counts", async () => {
  const world = await TaskWorld.boot();
  const file = world.open("/big", O.both | O.create | O.exclusive);
  assert.is(world.open("/big", O.write | O.create | O.exclusive), EEXIST);
  assert.is(world.kernel.truncateFile(inodeOf(world, file), MAX_FILE + 1), EFBIG);
  setPosition(world, file, MAX_FILE - 2);
  assert.is(world.write(file, bytes("abcd")), 2);
  assert.is(world.write(file, bytes("cd")), EFBIG);
  setPosition(world, file, 0);
  assert.is(world.kernel.fileWrite(file, USER_END - 10, 100), 10);
  assert.is(world.kernel.fileWrite(file, USER_END, 100), EFAULT);
  setPosition(world, file, 0);
  assert.is(world.kernel.fileRead(file, USER_END - 5, 100), 5);
  assert.is(world.kernel.fileRead(file, 0xc0000000, 100), EFAULT, "kernel addresses are no user's");
});

test("pipes carry bytes in order and end with their writer", async () => {
  const world = await TaskWorld.boot();
  const ends = SCRATCH + 0x100;
  const random = new Random(3);
  assert.is(world.kernel.createPipe(ends), 0);
  const [reader, writer] = [world.word(ends), world.word(ends + 4)];
  const sent: number[] = [];
  let used = 0;
  for (let i = 0; i < 500; i++) {
    const room = 4096 - used;
    if (room > 0 && random.oneIn(2)) {
      const data = Uint8Array.from({ length: 1 + random.below(room) }, () => random.next());
      assert.is(world.write(writer, data), data.length);
      sent.push(...data);
      used += data.length;
    } else if (used > 0) {
      const got = world.read(reader, 1 + random.below(3000)) as Uint8Array;
      assert.equal([...got], sent.splice(0, got.length));
      used -= got.length;
    }
  }
  world.close(writer);
  while (used > 0) used -= (world.read(reader, 4096) as Uint8Array).length;
  assert.is((world.read(reader, 10) as Uint8Array).length, 0);
  world.close(reader);
});

test("a pipe that is empty, or too full for a write to go in whole, makes the caller wait", async () => {
  for (const full of [false, true]) {
    const world = await TaskWorld.boot();
    const ends = SCRATCH + 0x100;
    world.kernel.createPipe(ends);
    const [reader, writer] = [world.word(ends), world.word(ends + 4)];
    if (full) assert.is(world.write(writer, new Uint8Array(4000)), 4000);
    assert.throws(
      () => (full ? world.write(writer, new Uint8Array(200)) : world.read(reader, 1)),
      (error: unknown) => error instanceof WouldSleep,
    );
  }
});

test("formatted text", async () => {
  const world = await TaskWorld.boot();
  const format = (pattern: string, ...values: number[]) => {
    world.output = "";
    world.put(SCRATCH, bytes(`${pattern}\0`));
    world.kernel.__setArgumentsLength(1 + values.length);
    world.kernel.printk(SCRATCH, ...values);
    return world.output;
  };
  assert.is(format("%d %u %x %c%%", -5, 4294967295, 0xbeef, 65), "-5 4294967295 beef A%");
  assert.is(format("[%5d][%04d][%03u][%p]\n", -42, -7, 7, 0xc0de), "[  -42][-007][007][0000c0de]\r\n");
  assert.is(format("%d %u", -2147483648, 0), "-2147483648 0");
  world.put(SCRATCH + 0x200, bytes("text\0"));
  assert.is(format("<%s>", SCRATCH + 0x200), "<text>");
  assert.is(format("100%"), "100");
});

test("nothing can be made in a directory that has been removed", async () => {
  const world = await TaskWorld.boot();
  const { kernel } = world;
  const root = kernel.rootDirectory();
  const directory = kernel.createDirectory(root, world.text("gone"), 4, 0o755);
  const below = kernel.createFile(directory, world.text("file"), 4, 0o644);
  kernel.inodePut(below);
  assert.is(kernel.removeEntry(root, world.text("gone"), 4, 1), ENOTEMPTY);
  assert.is(kernel.removeEntry(directory, world.text("file"), 4, 0), 0);
  assert.is(kernel.removeEntry(root, world.text("gone"), 4, 1), 0);
  assert.is(kernel.createFile(directory, world.text("file"), 4, 0o644) | 0, ENOENT);
  kernel.inodePut(directory);
});

test("a failed assert says where, and stops", async () => {
  const world = await TaskWorld.boot();
  assert.throws(
    () => world.kernel.irqRegister(99, 0),
    (error: unknown) =>
      error instanceof KernelPanic &&
      /kernel panic: assertion failed at .*drivers\/irq\.ts:\d+:\d+\r\n/.test(error.message),
  );
});

test.run();
