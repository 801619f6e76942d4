/**
 * The checks on program files (kernel/task/elf.ts) in V8 (taskworld.ts): what is accepted is sound, by a reading of the file
 * of our own; what is sound is accepted; and nothing makes the kernel panic.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Random } from "../fuzz/random";
import { SCRATCH, TaskWorld } from "./taskworld";

const test = suite("kernel/task elf");

const ENOEXEC = -8;
const HEADER = 52;
const SEGMENT = 32;
const PAGE = 4096;
const LOAD = 1;
const INTERPRETER = 3;
/** Segments end below the 8 MB that the stack may grow to. */
const HIGHEST = 0xbf800000;
const PROGRAM_AT = SCRATCH + 0x100;

interface Segment {
  type: number;
  offset: number;
  address: number;
  fileBytes: number;
  memoryBytes: number;
  flags: number;
}

const TEXT: Segment = { type: LOAD, offset: 0, address: 0x08048000, fileBytes: 600, memoryBytes: 600, flags: 5 };
const DATA: Segment = { type: LOAD, offset: 600, address: 0x08049258, fileBytes: 100, memoryBytes: 9000, flags: 6 };
const FILE_BYTES = 700;

/** A file with these segments and nothing of use in it. */
function elf(
  segments: readonly Segment[],
  fields: { entry?: number; phoff?: number; bytes?: number } = {},
): Uint8Array {
  const file = new Uint8Array(fields.bytes ?? FILE_BYTES);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, 3, true);
  view.setUint32(20, 1, true);
  view.setUint32(24, fields.entry ?? 0x08048100, true);
  const phoff = fields.phoff ?? HEADER;
  view.setUint32(28, phoff, true);
  view.setUint16(40, HEADER, true);
  view.setUint16(42, SEGMENT, true);
  view.setUint16(44, segments.length, true);
  segments.forEach(({ type, offset, address, fileBytes, memoryBytes, flags }, i) => {
    const words = [type, offset, address, address, fileBytes, memoryBytes, flags, PAGE];
    words.forEach((word, j) => void view.setUint32(phoff + i * SEGMENT + j * 4, word, true));
  });
  return file;
}

/** Offers a file to checkProgram: its result, and what it found. */
function check(world: TaskWorld, file: Uint8Array): { result: number; entry: number; headers: number; end: number } {
  const { kernel } = world;
  const address = world.place(file);
  const inode = kernel.createFile(kernel.rootDirectory(), world.text("program"), 7, 0o755);
  kernel.fileFromMemory(inode, address, file.length);
  // What lies behind the file is no part of it: all ones there must not matter.
  world.bytes.fill(0xff, address + file.length, address + ((file.length + PAGE - 1) & ~(PAGE - 1)));
  const result = kernel.checkProgram(inode, PROGRAM_AT) | 0;
  assert.is(kernel.removeEntry(kernel.rootDirectory(), world.text("program"), 7, 0), 0);
  kernel.inodePut(inode);
  kernel.freePages((address - 0xc0000000) / PAGE, Math.max(0, Math.ceil(Math.log2(file.length / PAGE))));
  const [entry, headers, , end] = [0, 4, 8, 12].map((offset) => world.word(PROGRAM_AT + offset));
  return { result, entry, headers, end };
}

/** What is wrong with a file as a program, by the ELF specification and what exec can map; "" if nothing is. */
function fault(file: Uint8Array): string {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  if (file.length < HEADER) return "no header";
  if (view.getUint32(0) !== 0x7f454c46 || file[4] !== 1 || file[5] !== 1 || file[6] !== 1) return "not ELF32";
  if (view.getUint16(16, true) !== 2 || view.getUint16(18, true) !== 3 || view.getUint32(20, true) !== 1) return "type";
  const [entry, phoff] = [view.getUint32(24, true), view.getUint32(28, true)];
  const [size, count] = [view.getUint16(42, true), view.getUint16(44, true)];
  if (size !== SEGMENT || count === 0 || count > 64 || phoff + count * SEGMENT > file.length) return "program headers";
  let lowest = PAGE;
  let entryFound = false;
  for (let i = 0; i < count; i++) {
    const word = (n: number) => view.getUint32(phoff + i * SEGMENT + n * 4, true);
    const [type, offset, address, , fileBytes, memoryBytes, flags] = [0, 1, 2, 3, 4, 5, 6].map(word);
    if (type === INTERPRETER) return "interpreter";
    if (type !== LOAD || memoryBytes === 0) continue;
    if (fileBytes > memoryBytes || offset + fileBytes > file.length) return "segment and file";
    if (offset % PAGE !== address % PAGE) return "alignment";
    if (Math.floor(address / PAGE) * PAGE < lowest || address + memoryBytes > HIGHEST) return "place";
    if (flags & 1 && entry >= address && entry < address + memoryBytes) entryFound = true;
    lowest = Math.ceil((address + memoryBytes) / PAGE) * PAGE;
  }
  return entryFound ? "" : "entry";
}

test("a sound program is accepted, and its entry, headers and end are found", async () => {
  const world = await TaskWorld.boot();
  const program = check(world, elf([TEXT, DATA]));
  assert.equal(program, { result: 0, entry: 0x08048100, headers: 0x08048034, end: 0x0804c000 });
});

test("headers that no segment maps have no address", async () => {
  const world = await TaskWorld.boot();
  const text = { ...TEXT, offset: PAGE, fileBytes: 100, memoryBytes: 0x200 };
  assert.is(check(world, elf([text], { bytes: PAGE + 200 })).headers, 0);
});

test("what cannot be mapped is ENOEXEC", async () => {
  const world = await TaskWorld.boot();
  const bad: [string, Uint8Array][] = [
    ["empty", new Uint8Array(0)],
    ["cut in the header", elf([TEXT]).subarray(0, 51)],
    ["cut in the program headers", elf([TEXT]).subarray(0, 80)],
    ["cut in a segment", elf([TEXT, DATA]).subarray(0, 650)],
    ["program headers beyond the end", elf([TEXT], { phoff: 690, bytes: 800 }).subarray(0, 700)],
    ["no segment", elf([{ ...TEXT, type: 4 }])],
    ["entry outside", elf([TEXT], { entry: 0x08050000 })],
    ["entry in data", elf([{ ...TEXT, flags: 6 }])],
    ["more in the file than in memory", elf([{ ...TEXT, memoryBytes: 599 }])],
    ["a segment in the kernel", elf([TEXT, { ...DATA, address: 0xc0000258 }])],
    ["a segment that wraps", elf([TEXT, { ...DATA, memoryBytes: 0xfffffff0 }])],
    ["a segment in the stack's room", elf([TEXT, { ...DATA, address: 0xbf7ff258 }])],
    ["a segment on the page of another", elf([TEXT, { ...DATA, address: 0x08048258 }])],
    ["segments out of order", elf([DATA, TEXT])],
    ["a segment at zero", elf([TEXT, { ...DATA, address: 0x258 }])],
    ["offset and address out of step", elf([TEXT, { ...DATA, address: 0x08049000 }])],
    ["an interpreter", elf([{ ...TEXT, type: INTERPRETER }, TEXT])],
    ["a file offset that wraps", elf([TEXT, { ...DATA, offset: 0xfffff258, fileBytes: 0xfff }])],
  ];
  for (const [name, file] of bad) {
    assert.is(check(world, file).result, ENOEXEC, name);
    assert.is.not(fault(file), "", name);
  }
});

/** A file with a few of its words, half-words or bytes replaced by values that tend to hurt. */
function damaged(random: Random): Uint8Array {
  const file = elf(random.pick([[TEXT], [TEXT, DATA], [{ ...TEXT, type: 4 }, TEXT, DATA]]));
  const view = new DataView(file.buffer);
  const values = [
    0, 1, 2, 31, 32, 33, 600, 700, 0xfff, 0x1000, 0x7fffffff, 0x80000000, 0xbf800000, 0xc0000000, 0xfffff000,
  ];
  for (let n = 1 + random.below(3); n > 0; n--) {
    const fields = HEADER + SEGMENT * 3;
    const value = random.oneIn(3) ? random.next() : random.pick(values) + random.below(3) - 1;
    if (random.oneIn(4)) file[random.below(fields)] = value;
    else if (random.oneIn(3)) view.setUint16(random.below(fields / 2) * 2, value, true);
    else view.setUint32(random.below(fields / 4) * 4, value, true);
  }
  return random.oneIn(5) ? file.slice(0, random.below(file.length + 1)) : file;
}

test("3,000 damaged files: accepted exactly when nothing is wrong", async () => {
  const world = await TaskWorld.boot();
  const random = new Random(5);
  let accepted = 0;
  for (let i = 0; i < 3000; i++) {
    const file = damaged(random);
    const wrong = fault(file);
    const { result } = check(world, file);
    assert.is(result, wrong === "" ? 0 : ENOEXEC, `file ${i}: ${wrong || "sound"}`);
    if (wrong === "") accepted++;
  }
  assert.ok(accepted > 100 && accepted < 2900, `${accepted} accepted`);
});

test.run();
