/** The multiboot-1 loader: ELF32 and address-field images, boot information, and a clear refusal of everything else. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MachineError } from "../../cpu/errors";
import { type BootOptions, loadMultiboot } from "../../cpu/multiboot";
import { type ElfSegment, elfImage, kludgeImage, multibootHeader } from "./images";

const test = suite("cpu/multiboot");
const RAM = 4 << 20;

function load(file: Uint8Array, options: BootOptions = {}, ramBytes = RAM) {
  const ram = new Uint8Array(ramBytes).fill(0xee);
  const boot = loadMultiboot(ram, file, options);
  return { ...boot, ram, view: new DataView(ram.buffer) };
}

function text(ram: Uint8Array, address: number): string {
  return Buffer.from(ram.subarray(address, ram.indexOf(0, address))).toString("latin1");
}

/** Expects a MachineError of one line, and RAM untouched. */
function refuses(file: Uint8Array, message: RegExp, options: BootOptions = {}, ramBytes = RAM): void {
  const ram = new Uint8Array(ramBytes).fill(0xee);
  let caught: unknown;
  try {
    loadMultiboot(ram, file, options);
  } catch (error) {
    caught = error;
  }
  assert.instance(caught, MachineError);
  const said = (caught as MachineError).message;
  assert.match(said, message);
  assert.not.match(said, /\n/);
  assert.is(Buffer.compare(ram, new Uint8Array(ramBytes).fill(0xee)), 0, "RAM was changed");
}

const header = multibootHeader();
const kernel: ElfSegment = { physical: 0x100000, data: header, bytes: 0x3000 };

test("ELF: data at the physical address, zeros behind it, entry as given", () => {
  const second = { physical: 0x110000, data: Uint8Array.of(1, 2, 3), bytes: 8 };
  const { ram, entry } = load(elfImage([kernel, second], 0x10000c));
  assert.is(entry, 0x10000c);
  assert.equal(ram.subarray(0x100000, 0x100000 + header.length), header);
  assert.ok(ram.subarray(0x100000 + header.length, 0x103000).every((byte) => byte === 0));
  assert.equal([...ram.subarray(0x110000, 0x110009)], [1, 2, 3, 0, 0, 0, 0, 0, 0xee]);
});

test("ELF: an entry given as a virtual address is translated", () => {
  const high = { ...kernel, virtual: 0xc0100000 };
  assert.is(load(elfImage([high], 0xc0100020)).entry, 0x100020);
  assert.is(load(elfImage([high], 0x100020)).entry, 0x100020);
});

test("ELF: a virtual entry is looked for in its own segment, the edges of which count right", () => {
  const segments = [
    { ...kernel, virtual: 0xc0100000 },
    { physical: 0x110000, virtual: 0xd0000000, data: Uint8Array.of(1), bytes: 0x100 },
  ];
  const entryOf = (entry: number) => load(elfImage(segments, entry)).entry;
  assert.is(entryOf(0xd0000000), 0x110000);
  assert.is(entryOf(0xd00000ff), 0x1100ff);
  assert.is(entryOf(0xd0000100), 0xd0000100, "in no segment: as it is");
  assert.is(entryOf(0xc0102fff), 0x102fff);
  assert.is(entryOf(0x100000), 0x100000);
  // A physical address that is another segment's virtual one stays physical.
  const crossed = [kernel, { physical: 0x110000, virtual: 0x102000 - 0x1fff, data: Uint8Array.of(1), bytes: 0x2000 }];
  assert.is(load(elfImage(crossed, 0x102000)).entry, 0x102000);
  assert.is(load(elfImage(crossed, 0x100000)).entry, 0x100000);
});

test("ELF: what is not PT_LOAD, or empty, is not loaded", () => {
  const note = { physical: 0x100000, data: new Uint8Array(64), bytes: 64, type: 4 };
  const empty = { physical: 0x100000, data: new Uint8Array(0), bytes: 0 };
  const { ram } = load(elfImage([note, kernel, empty], 0x100000));
  assert.equal(ram.subarray(0x100000, 0x100000 + header.length), header);
});

test("everything may reach right up to its neighbour and to the end of RAM", () => {
  const next = { physical: 0x103000, data: Uint8Array.of(5), bytes: RAM - 0x103000 - 4096 };
  const { ram, view, info } = load(elfImage([kernel, next], 0x100000), { modules: [new Uint8Array(4096).fill(3)] });
  assert.is(view.getUint32(view.getUint32(info + 24, true), true), RAM - 4096);
  assert.is(ram[RAM - 1], 3);
  load(elfImage([{ ...kernel, bytes: RAM - 0x100000 }], 0x100000));
});

test("address fields: the header may stand behind the load address", () => {
  const image = kludgeImage(Uint8Array.of(1, 2, 3, 4), { load: 0x200000, header: 0x200040, bss: 0, entry: 0x200060 });
  const file = new Uint8Array(image.length + 0x40).fill(0x77);
  file.set(image, 0x40);
  new DataView(file.buffer).setUint32(0x40 + 20, 0x200064, true); // load end
  const { ram } = load(file);
  assert.equal([ram[0x200000], ram[0x20003f], ram[0x200060], ram[0x200063], ram[0x200064]], [0x77, 0x77, 1, 4, 0xee]);
});

test("address fields: load, load end, bss end and entry", () => {
  const body = new Uint8Array(100).fill(7);
  const { ram, entry } = load(kludgeImage(body, { load: 0x200000, bss: 0x201000, entry: 0x200030 }));
  assert.is(entry, 0x200030);
  assert.is(new DataView(ram.buffer).getUint32(0x200000, true), 0x1badb002);
  assert.equal(ram.subarray(0x200020, 0x200020 + 100), body);
  assert.ok(ram.subarray(0x200084, 0x201000).every((byte) => byte === 0));
  assert.is(ram[0x201000], 0xee);
});

test("address fields: a load end of 0 means the whole file, a bss end of 0 no bss; junk before the header is skipped", () => {
  const image = kludgeImage(Uint8Array.of(1, 2, 3), { load: 0x200000, bss: 0, entry: 0x200020, loadEnd: 0 });
  const file = new Uint8Array(image.length + 64);
  file.set(image, 64);
  const { ram } = load(file);
  assert.equal([...ram.subarray(0x200020, 0x200024)], [1, 2, 3, 0xee]);
});

test("the boot information: memory, command line, loader, map", () => {
  const { view, ram, info } = load(elfImage([kernel], 0x100000), { commandLine: "fork=share init=/bin/sh" });
  const flags = view.getUint32(info, true);
  assert.is(flags, 0b1001001101);
  assert.is(view.getUint32(info + 4, true), 639);
  assert.is(view.getUint32(info + 8, true), 3 << 10);
  assert.is(text(ram, view.getUint32(info + 16, true)), "fork=share init=/bin/sh");
  assert.is(text(ram, view.getUint32(info + 64, true)), "tine");
  assert.is(view.getUint32(info + 20, true), 0);
  const map = [];
  const end = view.getUint32(info + 48, true) + view.getUint32(info + 44, true);
  for (let at = view.getUint32(info + 48, true); at < end; at += view.getUint32(at, true) + 4)
    map.push([4, 8, 12, 16, 20].map((field) => view.getUint32(at + field, true)));
  assert.equal(map, [
    [0, 0, 0x9fc00, 0, 1],
    [0x9fc00, 0, 0x400, 0, 2],
    [0xf0000, 0, 0x10000, 0, 2],
    [0x100000, 0, 0x300000, 0, 1],
  ]);
});

test("modules: above the kernel, from a page boundary each, with their strings", () => {
  const one = new Uint8Array(5000).fill(0x11);
  const two = Uint8Array.of(0x22);
  const modules = [one, { data: two, commandLine: "second thing" }];
  const { view, ram, info } = load(elfImage([{ ...kernel, bytes: 0x3001 }], 0x100000), { modules });
  assert.is(view.getUint32(info + 20, true), 2);
  const list = view.getUint32(info + 24, true);
  const fields = (i: number) => [0, 4, 8, 12].map((field) => view.getUint32(list + 16 * i + field, true));
  const [start0, end0, string0, zero0] = fields(0);
  const [start1, end1, string1] = fields(1);
  assert.equal([start0, end0, zero0], [0x104000, 0x104000 + 5000, 0]);
  assert.equal([start1, end1], [0x106000, 0x106001]);
  assert.is(text(ram, string0), "");
  assert.is(text(ram, string1), "second thing");
  assert.equal(ram.subarray(start0, end0), one);
  assert.is(ram[start1], 0x22);
});

test("a kernel in conventional memory keeps it: the information goes above", () => {
  const low = { physical: 0x8000, data: header, bytes: 0x20000 };
  const { info, ram } = load(elfImage([low, { physical: 0x100000, data: Uint8Array.of(9), bytes: 1 }], 0x8000));
  assert.is(info, 0x101000);
  const file = elfImage([low], 0x8000);
  assert.is(load(file, { modules: [new Uint8Array(5000)] }).info, 0x102000, "above the modules");
  const modules = [new Uint8Array(RAM - 0x100000)];
  refuses(file, /no room for the boot information/, { modules });
  assert.ok(ram.subarray(0x8000 + header.length, 0x28000).every((byte) => byte === 0));
});

test("refuses: not multiboot", () => {
  refuses(new Uint8Array(0), /^neither an ELF file nor multiboot/);
  refuses(new Uint8Array(20_000), /^neither an ELF file nor multiboot/);
  refuses(Buffer.from("#!/bin/sh\n"), /^neither an ELF file nor multiboot/);
  const wrong = multibootHeader();
  wrong[8] ^= 1; // the checksum
  refuses(elfImage([{ ...kernel, data: wrong }], 0x100000), /^not multiboot/);
  const far = new Uint8Array(9000);
  far.set(header, 8192);
  refuses(elfImage([{ ...kernel, data: far, bytes: 9000 }], 0x100000), /^not multiboot/);
  refuses(multibootHeader(), /^neither an ELF file nor/);
});

test("refuses: requirements it does not know", () => {
  refuses(elfImage([{ ...kernel, data: multibootHeader(1 << 5) }], 0x100000), /unsupported.*0x20/);
});

test("refuses: 64-bit, and other machines", () => {
  const elf64 = elfImage([kernel], 0x100000);
  elf64[4] = 2;
  refuses(elf64, /^a 64-bit ELF/);
  const arm = elfImage([kernel], 0x100000);
  arm[18] = 40;
  refuses(arm, /^not an i386 executable/);
  const big = elfImage([kernel], 0x100000);
  big[5] = 2;
  refuses(big, /^not an i386 executable/);
});

test("refuses: truncated files, wherever the cut is", () => {
  const whole = elfImage([kernel, { physical: 0x120000, data: new Uint8Array(0x2000), bytes: 0x2000 }], 0x100000);
  refuses(whole.subarray(0, whole.length - 1), /^truncated/);
  refuses(whole.subarray(0, 40), /^not multiboot/);
  const kludge = kludgeImage(new Uint8Array(64), { load: 0x200000, bss: 0, entry: 0x200000 });
  refuses(kludge.subarray(0, 40), /^truncated/);
  refuses(kludge.subarray(0, 20), /^truncated/);
  for (let length = 0; length < whole.length; length += 37)
    refuses(whole.subarray(0, length), /^(neither an ELF file nor multiboot|not multiboot|truncated)/);
});

test("refuses: segments that overlap", () => {
  const second = { physical: 0x102fff, data: Uint8Array.of(1, 2, 3, 4), bytes: 4 };
  refuses(elfImage([kernel, second], 0x100000), /^overlapping.*0x102fff/);
  refuses(elfImage([second, kernel], 0x100000), /^overlapping/);
});

test("refuses: larger than RAM, kernel or module", () => {
  refuses(elfImage([{ ...kernel, bytes: 0x300001 }], 0x100000), /^larger than RAM: the kernel reaches to 0x400001/);
  refuses(elfImage([{ ...kernel, physical: 0xc0100000 }], 0xc0100000), /^larger than RAM/);
  refuses(elfImage([{ ...kernel, physical: 0xfffff000 }], 0xfffff000), /^larger than RAM/);
  const modules = [new Uint8Array(0x200000), new Uint8Array(0x100000)];
  refuses(elfImage([kernel], 0x100000), /^larger than RAM: module 1/, { modules });
  refuses(elfImage([kernel], 0x100000), /^larger than RAM: no room/, { commandLine: "x".repeat(600_000) });
});

test("refuses: a command line that is not bytes", () => {
  refuses(elfImage([kernel], 0x100000), /command line.*not a byte: 3/, { commandLine: "ab\u2603" });
});

test("refuses: malformed ELF and headers", () => {
  refuses(elfImage([{ ...kernel, bytes: 4 }], 0x100000), /more bytes in the file than in memory/);
  const none = elfImage([], 0);
  const file = new Uint8Array(none.length + header.length);
  file.set(none);
  file.set(header, none.length);
  refuses(file, /no loadable segment/);
  const body = new Uint8Array(8);
  refuses(kludgeImage(body, { load: 0x200010, header: 0x200000, bss: 0, entry: 0 }), /not within the file/);
  refuses(kludgeImage(body, { load: 0x200000, loadEnd: 0x1ff000, bss: 0, entry: 0 }), /load end/);
  refuses(kludgeImage(body, { load: 0x200000, bss: 0x200004, entry: 0 }), /bss ends/);
});

test("no random damage to a kernel file throws anything but MachineError", () => {
  const whole = elfImage([kernel, { physical: 0x120000, data: new Uint8Array(64), bytes: 4096 }], 0x100000);
  const ram = new Uint8Array(RAM);
  let seed = 12345;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % below;
  };
  let refused = 0;
  for (let i = 0; i < 3000; i++) {
    const file = whole.slice(0, random(4) === 0 ? random(whole.length) : whole.length);
    for (let n = 0; n <= random(4); n++) file[random(Math.min(file.length, 150))] = random(256);
    try {
      loadMultiboot(ram, file, { modules: [Uint8Array.of(1)] });
    } catch (error) {
      assert.instance(error, MachineError, String(error));
      refused++;
    }
  }
  assert.ok(refused > 500 && refused < 3000, `${refused} refused`);
});

test.run();
