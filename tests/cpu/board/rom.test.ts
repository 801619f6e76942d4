/** ROM images: where they are, that they stay, and what code in them can do with the board: serial port, screen, A20, resets. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { creg, mem, reg } from "../../../cpu/encoder";
import { Machine, MachineError, type MachineOptions, screenRows } from "../../../cpu/index";
import { Prefix } from "../../../cpu/instruction";
import { Word } from "../../../cpu/registers";
import { at, CR, EAX, ECX, EDI, ESI, Program } from "../guest";
import { AL, AX, BX, CX, DI, Rom, SI, word16 } from "../rom";

const test = suite("cpu/board/rom");

const DS = { kind: "sreg", number: 3 } as const;
const ES = { kind: "sreg", number: 0 } as const;
const SS = { kind: "sreg", number: 2 } as const;

interface Run {
  machine: Machine;
  text: () => string;
}

function load(rom: Uint8Array, options: Partial<MachineOptions> = {}): Run {
  let text = "";
  const onSerial = (bytes: Uint8Array) => {
    text += Buffer.from(bytes).toString("latin1");
  };
  const machine = new Machine({ memoryMB: 4, onSerial, ...options });
  machine.loadRom(rom);
  return { machine, text: () => text };
}

/** Runs to the exit port; returns what was sent to COM1. */
function output(rom: Rom, size?: number): string {
  const { machine, text } = load(rom.finish(size));
  assert.equal(machine.run({ maxInstructions: 100_000 }), { reason: "exit", value: 0 });
  return text();
}

/** Code that sends the text at a label of CS, which ends with 0. */
function print(rom: Rom, label: string): Rom {
  rom.op("mov", SI, { label }).label(`next ${label}`);
  rom.bytes(0x2e).op("lodsb").op("test", AL, AL).jump("jz", `end ${label}`);
  return rom.send().jump("jmp", `next ${label}`).label(`end ${label}`);
}

test("begins at F000:FFF0 and prints on COM1, at every size", () => {
  for (const size of [0x10000, 0x20000, 0x30000, 0x40000]) {
    const rom = print(new Rom(), "text").outb(0xf4, 0).label("text").text("rom\n\0");
    assert.is(output(rom, size), "rom\n");
  }
});

test("a ROM of another size is refused, and a machine boots once", () => {
  for (const size of [0, 1, 0x8000, 0x10001, 0x50000])
    assert.throws(
      () => new Machine({ memoryMB: 4 }).loadRom(new Uint8Array(size)),
      (error: unknown) => error instanceof MachineError && /64, 128, 192 or 256 KB/.test(error.message),
    );
  const { machine } = load(new Rom().finish());
  assert.throws(() => machine.loadRom(new Uint8Array(0x10000)), /booted already/);
  assert.throws(() => machine.loadMultiboot(new Uint8Array(100)), /booted already/);
});

test("writes to ROM change nothing, also to code that has run and by its upper copy; RAM below it is RAM", () => {
  const rom = new Rom();
  rom.op("mov", AX, 0xf000).op("mov", DS, AX).op("mov", BX, { label: "value" });
  rom.label("again").label("value").op("mov", CX, 0x4142);
  // 16-bit write, read-modify-write, string write, and across the ROM's beginning
  rom.op("mov", mem(2, { base: 3, addressSize: 2, displacement: 1 }), 0x5555);
  rom.op("not", mem(2, { base: 3, addressSize: 2, displacement: 1 }));
  rom.op("mov", ES, AX).op("mov", DI, { label: "value" }).op("stosw");
  // a page without code
  for (let i = 0; i < 3; i++) rom.op("mov", word16(0x8000), 0x1234);
  rom.op("mov", AX, 0xefff).op("mov", DS, AX).op("mov", word16(0x0f), 0x6677).op("mov", word16(0x0e, 1), 0x99);
  rom.op("mov", AL, reg(1, 1)).send().op("mov", AL, reg(5, 1)).send();
  rom.op("inc", reg(5, 2)).op("cmp", reg(5, 2), 3).jump("jnz", "again0");
  rom.outb(0xf4, 0).label("again0").op("mov", AX, 0xf000).op("mov", DS, AX).jump("jmp", "again");
  const image = rom.finish();
  const { machine, text } = load(image);
  assert.equal(machine.run({ maxInstructions: 10_000 }), { reason: "exit", value: 0 });
  assert.is(text(), "BABABA");
  assert.equal(machine.readPhysical(0xf0000, 0x10000), image);
  assert.equal([...machine.readPhysical(0xefffe, 2)], [0x99, 0x77]);
});

test("sets up a text screen", () => {
  const rom = new Rom().op("mov", AX, 0xb800).op("mov", ES, AX).op("mov", DI, 0).op("mov", SI, { label: "text" });
  rom.label("next").bytes(0x2e).op("lodsb").op("test", AL, AL).jump("jz", "done");
  rom.op("mov", reg(4, 1), 0x1e).op("stosw").jump("jmp", "next");
  rom.label("done").outb(0x3d4, 0x0f).outb(0x3d5, 5).outb(0xf4, 0).label("text").text("hello\0");
  const { machine } = load(rom.finish());
  machine.run({ maxInstructions: 1000 });
  const screen = machine.screen();
  assert.is(screenRows(screen)[0], "hello");
  assert.is(screen.attributes[4], 0x1e);
  assert.equal(screen.cursor, { row: 0, column: 5 });
});

test("enters protected mode and sees itself below 4 GB", () => {
  const rom = new Rom();
  rom.op("cli").bytes(0x2e).op("lgdt", word16(0x100, 6));
  rom.op("mov", reg(0), creg(0)).op("or", AL, 1).op("mov", creg(0), reg(0));
  rom.bytes(0x66, 0xea, 0x80, 0x00, 0x0f, 0x00, 0x08, 0x00); // JMP 0008:000F0080
  while (rom.finish()[0x7f] === 0xff) rom.bytes(0x90);
  rom.wide(4).op("mov", reg(0), 0x10).op("mov", DS, reg(0));
  rom.op("mov", reg(0, 1), mem(1, { displacement: 0xffff0110 | 0 }));
  rom.op("mov", reg(2, 2), 0x3f8).op("out", reg(2, 2), reg(0, 1));
  rom.op("mov", mem(1, { displacement: 0xffff0110 | 0 }), 0x58).op("mov", reg(0, 1), mem(1, { displacement: 0xf0110 }));
  rom.op("out", reg(2, 2), reg(0, 1)).op("mov", reg(0, 1), 0).op("out", 0xf4, reg(0, 1));
  const image = rom.finish();
  image.set([0x17, 0x00, 0x18, 0x01, 0x0f, 0x00], 0x100); // limit, base F0118
  image[0x110] = 0x4d;
  image.set([0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0x9b, 0xcf, 0, 0xff, 0xff, 0, 0, 0, 0x93, 0xcf, 0], 0x118);
  const { machine, text } = load(image);
  assert.equal(machine.run({ maxInstructions: 10_000 }), { reason: "exit", value: 0 });
  assert.is(text(), "MM");
});

test("writes to ROM from compiled 32-bit code, with and without paging, change nothing; those to RAM do", () => {
  for (const compileAfter of [0, Infinity]) {
    for (const paged of [false, true]) {
      const p = new Program().enter();
      // Page tables at 200000 and 201000: all of the first 4 MB to itself.
      p.op("mov", EDI, 0x200000).op("mov", EAX, 0x201007).op("mov", at(EDI), EAX).op("mov", EDI, 0x201000);
      p.op("mov", EAX, 0x67).label("fill").op("mov", at(EDI), EAX).op("add", EDI, 4).op("add", EAX, 0x1000);
      p.op("cmp", EAX, 0x400067).jump("jnz", "fill");
      if (paged) {
        p.op("mov", EAX, 0x200000).op("mov", CR[3], EAX).op("mov", EAX, CR[0]);
        p.op("or", EAX, 0x80000000 | 0).op("mov", CR[0], EAX);
      }
      p.op("mov", ECX, 200).op("mov", EDI, 0xf8000).op("mov", ESI, 0xe8000).label("again");
      p.op("mov", at(EDI), ECX).op("add", at(EDI, 4), 1).op("mov", at(EDI, -2), ECX).op("mov", at(ESI), ECX);
      p.op("push", EDI)
        .op("push", ECX)
        .op("mov", ECX, 16)
        .op("mov", EAX, 0x5a5a5a5a)
        .opWith({ prefixes: Prefix.Rep }, "stosd");
      p.op("pop", ECX).op("pop", EDI).op("dec", ECX).jump("jnz", "again").exit(0).tables({});
      const machine = new Machine({ memoryMB: 4, compileAfter });
      machine.loadMultiboot(p.elf());
      // What loadRom() would have told the processor: a kernel in protected mode is simpler to write.
      const rom = Uint8Array.from({ length: 0x10000 }, (_, i) => i * 7);
      machine.writePhysical(0xf0000, rom);
      machine.cpu.r[Word.Rom] = -rom.length;
      assert.equal(machine.run({ maxInstructions: 100_000 }), { reason: "exit", value: 0 }, `${compileAfter} ${paged}`);
      assert.equal(machine.readPhysical(0xf0000, 0x10000), rom);
      assert.is(machine.readPhysical(0xe8000, 1)[0], 1);
    }
  }
});

test("page tables in ROM serve, and their accessed and dirty bits stay as they are", () => {
  const p = new Program().enter().op("mov", EAX, 0xf8000).op("mov", CR[3], EAX).op("mov", EAX, CR[0]);
  p.op("or", EAX, 0x80000000 | 0)
    .op("mov", CR[0], EAX)
    .op("mov", EDI, 0x180000)
    .op("mov", at(EDI), EAX)
    .exit(0)
    .tables({});
  const machine = new Machine({ memoryMB: 4 });
  machine.loadMultiboot(p.elf());
  const rom = new Uint8Array(0x10000);
  const view = new DataView(rom.buffer);
  view.setUint32(0x8000, 0xf9003, true);
  for (let page = 0; page < 1024; page++) view.setUint32(0x9000 + 4 * page, (page << 12) | 3, true);
  machine.writePhysical(0xf0000, rom);
  machine.cpu.r[Word.Rom] = -rom.length;
  assert.equal(machine.run({ maxInstructions: 1000 }), { reason: "exit", value: 0 });
  assert.equal(machine.readPhysical(0xf0000, 0x10000), rom);
  assert.is(machine.readPhysical(0x180003, 1)[0], 0x80);
});

/** Code: 1 or 0 to COM1: whether FFFF:0510 is another byte than 0000:0500. */
function a20Visible(rom: Rom, mark: string): Rom {
  rom.op("mov", AX, 0).op("mov", DS, AX).op("mov", word16(0x500, 1), 0);
  rom.op("mov", AX, 0xffff).op("mov", ES, AX).bytes(0x26).op("mov", word16(0x510, 1), 0x31);
  rom.op("mov", AL, 0x30).op("cmp", word16(0x500, 1), 0x31).jump("jz", mark).op("mov", AL, 0x31).label(mark);
  return rom.send();
}

test("A20 by the keyboard controller's output port, by its own commands and by port 92", () => {
  const rom = new Rom();
  const steps: [number, number][][] = [
    [],
    [
      [0x64, 0xd1],
      [0x60, 0xdd],
    ],
    [
      [0x64, 0xd1],
      [0x60, 0xdf],
    ],
    [[0x92, 0]],
    [[0x92, 2]],
    [[0x64, 0xdd]],
    [[0x64, 0xdf]],
  ];
  for (const [i, writes] of steps.entries()) {
    for (const [port, value] of writes) rom.outb(port, value);
    a20Visible(rom, `step${i}`);
  }
  assert.is(output(rom.outb(0xf4, 0)), "1010101");
});

test("a reset starts the ROM again and keeps memory and the CMOS: by 8042 pulse, its output port, and port 92", () => {
  const resets: [number, number][][] = [
    [[0x64, 0xfe]],
    [
      [0x64, 0xd1],
      [0x60, 0xfe & ~1],
    ],
    [[0x92, 3]],
  ];
  const rom = new Rom().outb(0x70, 0x0f).op("in", AL, 0x71).op("mov", reg(3, 1), AL).op("add", AL, 0x30).send();
  rom.op("mov", AL, reg(3, 1)).op("inc", AL).op("out", 0x71, AL);
  for (const [i, writes] of resets.entries()) {
    rom.op("cmp", reg(3, 1), i).jump("jnz", `not${i}`);
    for (const [port, value] of writes) rom.outb(port, value);
    rom.label(`stay${i}`).jump("jmp", `stay${i}`).label(`not${i}`);
  }
  const { machine, text } = load(rom.outb(0xf4, 0).finish());
  assert.equal(machine.run({ maxInstructions: 100_000 }), { reason: "exit", value: 0 });
  assert.is(text(), "0123");
  assert.ok(machine.instret > 60, "the counts go on");
});

test("without a ROM a reset ends the run, behind the OUT", () => {
  for (const [port, value] of [
    [0x64, 0xfe],
    [0x92, 0x03],
  ]) {
    const machine = new Machine({ memoryMB: 4 });
    machine.loadMultiboot(new Program().outb(port, value).exit(5).elf());
    assert.equal(machine.run({ maxInstructions: 100 }), { reason: "reset" });
    assert.is(machine.instret, 2);
    assert.equal(
      machine.run({ maxInstructions: 100 }),
      { reason: "exit", value: 5 },
      "a caller may go on all the same",
    );
  }
});

test("the keyboard wakes a sleeping ROM by IRQ 1; the run repeats from a saved state and from its log", () => {
  const rom = new Rom().op("mov", AX, 0).op("mov", DS, AX).op("mov", SS, AX).op("mov", reg(4, 2), 0x7000);
  rom.op("mov", word16(4 * 0x21), { label: "key" }).op("mov", word16(4 * 0x21 + 2), 0xf000);
  for (const [port, value] of [
    [0x20, 0x11],
    [0x21, 0x20],
    [0x21, 4],
    [0x21, 1],
    [0x21, 0xfd],
  ])
    rom.outb(port, value);
  rom.label("sleep").op("sti").op("hlt").jump("jmp", "sleep");
  rom.label("key").op("in", AL, 0x60).send().op("cmp", AL, 0x81).jump("jnz", "more").outb(0xf4, 0);
  rom.label("more").outb(0x20, 0x20).op("iret");
  const start = (options: Partial<MachineOptions> = {}) => load(rom.finish(), options);
  const first = start();
  assert.is(first.machine.run({ maxInstructions: 1000, stopWhenIdle: true }).reason, "idle");
  first.machine.key("aB");
  first.machine.run({ maxInstructions: 30 });
  const state = first.machine.save();
  first.machine.key("\x1b", { atInstret: first.machine.instret + 50 });
  assert.equal(first.machine.run({ maxInstructions: 10_000 }), { reason: "exit", value: 0 });
  const codes = [0x1e, 0x9e, 0x2a, 0x30, 0xb0, 0xaa, 0x01, 0x81];
  assert.equal([...Buffer.from(first.text(), "latin1")], codes);

  const second = start();
  for (const { bytes, ...stamp } of first.machine.inputLog) second.machine.input(bytes, stamp);
  second.machine.run({ maxInstructions: 10_000 });
  assert.equal(
    [second.text(), second.machine.instret, second.machine.cycles],
    [first.text(), first.machine.instret, first.machine.cycles],
  );

  const third = Machine.restore(state);
  third.key("\x1b", { atInstret: third.instret + 50 });
  assert.equal(third.run({ maxInstructions: 10_000 }), { reason: "exit", value: 0 });
  assert.is(third.instret, first.machine.instret);
  assert.is(third.cycles, first.machine.cycles);
});

test("the RTC wakes a sleeping ROM by IRQ 8 at the exact cycle, whatever the budget's pieces", () => {
  const rom = new Rom().op("mov", AX, 0).op("mov", DS, AX).op("mov", SS, AX).op("mov", reg(4, 2), 0x7000);
  rom.op("mov", word16(4 * 0x28), { label: "clock" }).op("mov", word16(4 * 0x28 + 2), 0xf000);
  for (const [port, value] of [
    [0x20, 0x11],
    [0x21, 0x20],
    [0x21, 4],
    [0x21, 1],
    [0x21, 0xfb],
  ])
    rom.outb(port, value);
  for (const [port, value] of [
    [0xa0, 0x11],
    [0xa1, 0x28],
    [0xa1, 2],
    [0xa1, 1],
    [0xa1, 0xfe],
  ])
    rom.outb(port, value);
  rom.outb(0x70, 0x0b).outb(0x71, 0x12).op("mov", CX, 2);
  rom.label("sleep").op("sti").op("hlt").op("test", CX, CX).jump("jnz", "sleep").outb(0x70, 0).op("in", AL, 0x71);
  rom.op("add", AL, 0x30).send().outb(0xf4, 0);
  rom.label("clock").outb(0x70, 0x0c).op("in", AL, 0x71).op("dec", CX).outb(0xa0, 0x20).outb(0x20, 0x20).op("iret");
  const whole = load(rom.finish());
  assert.equal(whole.machine.run({ maxInstructions: 10_000 }), { reason: "exit", value: 0 });
  assert.is(whole.text(), "2");
  assert.ok(whole.machine.cycles > 2e8 && whole.machine.cycles < 2e8 + 1000, `${whole.machine.cycles}`);
  const cut = load(rom.finish());
  while (cut.machine.run({ maxInstructions: 1e6, maxCycles: 777_777 }).reason === "budget");
  assert.is(cut.machine.cycles, whole.machine.cycles);
});

test("NMI, unless port 70 masks it", () => {
  const rom = new Rom().op("mov", AX, 0).op("mov", DS, AX).op("mov", SS, AX).op("mov", reg(4, 2), 0x7000);
  rom.op("mov", word16(8), { label: "nmi" }).op("mov", word16(10), 0xf000).outb(0x70, 0x8d).op("hlt");
  rom.outb(0x70, 0x0d).label("sleep").op("hlt").jump("jmp", "sleep").label("nmi").outb(0xf4, 0);
  const { machine } = load(rom.finish());
  assert.equal(machine.run({ maxInstructions: 100 }), { reason: "halt" });
  machine.raiseNmi();
  assert.equal(machine.run({ maxInstructions: 100 }), { reason: "halt" });
});

test.run();
