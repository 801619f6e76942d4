/** Virtual-8086 mode: ways in and out, what IOPL guards, what is no instruction there, segments, ports, paging. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { RunExit } from "../../../cpu/cpu";
import { far } from "../../../cpu/encoder";
import { CODE0, CODE3, DATA0, FREE, GDT, HANDLER, KERNEL_STACK, PRESENT, TSS, TSS_SELECTOR, USER, WRITE } from "../rig";
import { IF, IOPL3, IP, SEGMENT, SP, VirtualRig, VM } from "./virtualrig";

const test = suite("cpu/v86");

const [UD, TS, NP, SS, GP, PF] = [6, 10, 11, 12, 13, 14];
const NO_ERROR = -1;

test("IRETD at ring 0 with VM in the popped flags: all segments, CPL 3, limits of 64 KB", () => {
  const rig = new VirtualRig().enter(0x3ed5 | 0x40000, { sp: 0x1234fff0 });
  const { cpu } = rig;
  assert.is(cpu.eflags, 2 | VM | 0x43ed5);
  assert.equal([cpu.cpl, cpu.eip, cpu.register(4)], [3, IP, 0x1234fff0]);
  for (const [number, selector] of [SEGMENT.es, SEGMENT.cs, SEGMENT.ss, SEGMENT.ds, SEGMENT.fs, SEGMENT.gs].entries()) {
    assert.equal(cpu.segment(number), { selector, base: selector << 4, limit: 0xffff, attributes: 0xf300 });
  }
});

test("IRETD into virtual-8086 mode with EIP beyond 64 KB: #GP(0), nothing changed", () => {
  const rig = new VirtualRig().enter(0, { ip: 0x10000 });
  assert.equal(rig.trap, { vector: GP, error: 0, eip: 0x7800, cr2: 0 });
  assert.equal([rig.cpu.cpl, rig.cpu.segment(3).selector], [0, DATA0]);
});

test("a frame of IRETD into virtual-8086 mode that does not fit the stack: #SS(0)", () => {
  const rig = new VirtualRig();
  rig.enter();
  rig.ring(0);
  // Room for three words and not for nine.
  rig.cpu.setSegment(2, { selector: DATA0, base: 0, limit: 0x6f20, attributes: 0x409300 });
  rig.descriptor(DATA0, 0, 0xfffff, 0xc093);
  rig.cpu.setRegister(4, 0x6f00);
  assert.equal(rig.run(0x7800), { vector: SS, error: 0, eip: 0x7800, cr2: 0 });
});

test("a 16-bit IRET and one of ring 3 know no VM", () => {
  const rig = new VirtualRig();
  rig.code(FREE, ["int", 0x80]);
  rig.ring(3);
  rig.code(FREE + 0x100, ["iretd"]);
  for (const [i, word] of [FREE, CODE3, 2 | VM].entries()) rig.word(FREE + 0x8000 + 4 * i, word);
  rig.cpu.setRegister(4, FREE + 0x8000);
  assert.is(rig.run(FREE + 0x100)?.vector, 0x80);
  assert.equal(rig.frame(3), [FREE + 2, CODE3, 2]);
});

test("interrupts lead to ring 0: nine words, data segments null, VM and TF clear; IRETD comes back", () => {
  const rig = new VirtualRig();
  rig.gate(0x40, HANDLER, CODE0, 0xef);
  assert.is(rig.try([0xcd, 0x40], IOPL3 | IF | 0x8d5)?.vector, 0x40);
  const saved = [IP + 2, SEGMENT.cs, 2 | VM | IOPL3 | IF | 0x8d5, SP, SEGMENT.ss];
  const segments = [SEGMENT.es, SEGMENT.ds, SEGMENT.fs, SEGMENT.gs];
  assert.equal(rig.frame(9), [...saved, ...segments]);
  assert.is(rig.cpu.register(4), KERNEL_STACK - 36);
  assert.equal([rig.cpu.cpl, rig.cpu.eflags], [0, 2 | IOPL3 | IF | 0x8d5]);
  assert.equal([rig.cpu.segment(1).selector, rig.cpu.segment(2).selector], [CODE0, DATA0]);
  for (const number of [0, 3, 4, 5]) {
    assert.equal(rig.cpu.segment(number), { selector: 0, base: 0, limit: 0, attributes: 0 });
  }
  rig.code(HANDLER, ["iretd"]);
  rig.stopAtTraps = false;
  rig.cpu.run(rig.cpu.instret + 1);
  assert.equal([rig.cpu.cpl, rig.cpu.eip, rig.cpu.segment(5).selector], [3, IP + 2, SEGMENT.gs]);
  assert.is(rig.cpu.register(4), SP);
});

test("faults push their error code below, with RF; external interrupts come in too", () => {
  const rig = new VirtualRig();
  assert.equal(rig.try([0xf4]), { vector: GP, error: 0, eip: IP, cr2: 0 });
  assert.equal(rig.frame(6), [0, IP, SEGMENT.cs, 0x10002 | VM | IOPL3, SP, SEGMENT.ss]);
  const external = new VirtualRig();
  external.program(0x90, 0x90).enter(IF);
  external.cpu.setInterruptLine(1);
  assert.is(external.go()?.vector, 0x20);
  assert.equal(external.frame(3), [IP, SEGMENT.cs, 2 | VM | IF]);
});

test("a 16-bit gate pushes words", () => {
  const rig = new VirtualRig();
  rig.gate(0x40, HANDLER, CODE0, 0xe6);
  rig.stopAtTraps = false;
  rig.try([0xcd, 0x40]);
  assert.is(rig.cpu.register(4), KERNEL_STACK - 18);
  assert.equal(
    Array.from({ length: 9 }, (_, i) => rig.view.getUint16(KERNEL_STACK - 18 + 2 * i, true)),
    [IP + 2, SEGMENT.cs, 2 | IOPL3, SP, SEGMENT.ss, SEGMENT.es, SEGMENT.ds, SEGMENT.fs, SEGMENT.gs],
  );
});

test("a handler that is not of ring 0: #GP(its selector)", () => {
  const SPARE = 0x30;
  for (const [name, selector, access, vector, error] of [
    ["ring 3", CODE3, 0, GP, CODE3 & ~3],
    ["ring 1", SPARE, 0xc0bb, GP, SPARE],
    ["conforming code of ring 0", SPARE, 0xc09f, GP, SPARE],
    ["ring 0, not present", SPARE, 0xc01b, NP, SPARE],
  ] as const) {
    const rig = new VirtualRig();
    if (access !== 0) rig.descriptor(SPARE, 0, 0xfffff, access);
    rig.gate(0x40, HANDLER, selector, 0xee);
    const trap = rig.try([0xcd, 0x40]);
    assert.equal([trap?.vector, trap?.error], [vector, error], name);
    assert.equal(rig.frame(2), [error, IP], name);
    assert.is(rig.word(rig.cpu.register(4) + 12) & VM, VM, name);
  }
});

test("a way out without a stack is a shutdown", () => {
  const rig = new VirtualRig();
  rig.word(TSS + 8, 0);
  rig.stopAtTraps = false;
  rig.try([0xcd, 0x40]);
  // Every way out needs that stack.
  assert.is(rig.exit, RunExit.TripleFault);
  assert.equal([rig.cpu.eip, rig.cpu.cpl], [IP, 3], "nothing has changed");
});

test("IOPL below 3: PUSHF POPF INT n IRET CLI STI are #GP(0); INT3, INTO and INT1 are not", () => {
  const guarded: [string, number[]][] = [
    ["cli", [0xfa]],
    ["sti", [0xfb]],
    ["pushf", [0x9c]],
    ["pushfd", [0x66, 0x9c]],
    ["popf", [0x9d]],
    ["popfd", [0x66, 0x9d]],
    ["int n", [0xcd, 0x40]],
    ["int 3 in two bytes", [0xcd, 3]],
    ["iret", [0xcf]],
    ["iretd", [0x66, 0xcf]],
  ];
  for (const [name, bytes] of guarded) {
    for (const iopl of [0, 0x1000, 0x2000]) {
      const rig = new VirtualRig();
      const trap = rig.try([...bytes, 0xcc], iopl);
      assert.equal([trap?.vector, trap?.error], [GP, 0], `${name} at IOPL ${iopl >> 12}`);
      assert.equal(rig.frame(5).slice(1), [IP, SEGMENT.cs, 0x10002 | VM | iopl, SP], name);
    }
    const rig = new VirtualRig();
    assert.is.not(rig.try([...bytes, 0xcc])?.vector, GP, `${name} at IOPL 3`);
  }
  for (const [bytes, vector] of [
    [[0xcc], 3],
    [[0xce], 4],
    [[0xf1], 1],
  ] as const) {
    assert.equal(new VirtualRig().try(bytes, 0x800)?.vector, vector);
  }
});

test("INT n, INT3 and INTO need a gate of DPL 3", () => {
  for (const [bytes, vector] of [
    [[0xcd, 0x40], 0x40],
    [[0xcc], 3],
    [[0xce], 4],
  ] as const) {
    const rig = new VirtualRig();
    rig.gate(vector, HANDLER, CODE0, 0x8e);
    const trap = rig.try(bytes, IOPL3 | 0x800);
    assert.equal([trap?.vector, trap?.error], [GP, vector * 8 + 2]);
  }
});

test("at IOPL 3: PUSHF, POPF, IRET within the mode, CLI and STI; VM and IOPL stay", () => {
  const rig = new VirtualRig();
  // pushfd; pop eax; xor eax, 0x20000 | 0x3000 | 0x40d5 is not wanted: flags by hand; push eax; popfd; pushf; pop bx; cli; sti
  const trap = rig.try(
    [
      ...[0x66, 0x9c, 0x66, 0x58],
      ...[0x66, 0x68, 0xd7, 0x4e, 0x02, 0x00, 0x66, 0x9d],
      ...[0x9c, 0x5b, 0xfa, 0x9c, 0x59, 0xfb, 0xcc],
    ],
    IOPL3 | IF,
  );
  assert.is(trap?.vector, 3);
  assert.is(rig.cpu.register(0), 2 | IOPL3 | IF, "PUSHFD shows VM clear");
  assert.is(rig.cpu.register(3) & 0xffff, 0x7ed7, "IOPL stays 3 although the image says 0");
  assert.is(rig.cpu.register(1) & 0xffff, 0x7cd7, "CLI");
  assert.is(rig.word(rig.cpu.register(4) + 8), VM | 0x7ed7);
  // iret to 2050:0010 with flags; there int3
  const back = new VirtualRig();
  back.cpu.ram[(0x2050 << 4) + 0x10] = 0xcc;
  // NT means nothing to an IRET within the mode.
  const to = back.try([0x68, 0xd5, 0x0e, 0x68, 0x50, 0x20, 0x68, 0x10, 0x00, 0xcf], IOPL3 | 0x4000);
  assert.is(to?.vector, 3);
  assert.equal(back.frame(4), [0x11, 0x2050, VM | IOPL3 | 0xed7, SP]);
});

test("IRET and RETF within the mode to an offset beyond 64 KB: #GP(0), nothing changed", () => {
  for (const bytes of [
    [0x66, 0xcf],
    [0x66, 0xcb],
  ]) {
    const rig = new VirtualRig();
    rig.word((SEGMENT.ss << 4) + SP, 0x10000);
    rig.word((SEGMENT.ss << 4) + SP + 4, 0x2000);
    const trap = rig.try(bytes);
    assert.equal([trap?.vector, trap?.error], [GP, 0]);
    assert.equal(rig.frame(5).slice(1), [IP, SEGMENT.cs, 0x10002 | VM | IOPL3, SP]);
  }
});

test("no instructions there: LLDT LTR SLDT STR LAR LSL VERR VERW ARPL, also by a bad address", () => {
  const memory = 0x1e; // [disp16]
  const none: [string, number[]][] = [
    ["sldt", [0x0f, 0x00, 0xc0]],
    ["str", [0x0f, 0x00, 0xc8]],
    ["lldt", [0x0f, 0x00, 0xd0]],
    ["ltr", [0x0f, 0x00, 0xd8]],
    ["verr", [0x0f, 0x00, 0xe0]],
    ["verw", [0x0f, 0x00, 0xe8]],
    ["lar", [0x0f, 0x02, 0xc1]],
    ["lsl", [0x0f, 0x03, 0xc1]],
    ["arpl", [0x63, 0xc8]],
    ["lldt [ffff]", [0x0f, 0x00, 0x16, 0xff, 0xff]],
    ["ltr [ffff]", [0x0f, 0x00, memory, 0xff, 0xff]],
    ["verr [ffff]", [0x0f, 0x00, 0x26, 0xff, 0xff]],
    ["verw [ffff]", [0x0f, 0x00, 0x2e, 0xff, 0xff]],
    ["lar [ffff]", [0x0f, 0x02, 0x0e, 0xff, 0xff]],
    ["lsl [ffff]", [0x0f, 0x03, 0x0e, 0xff, 0xff]],
    ["sldt [ffff]", [0x0f, 0x00, 0x06, 0xff, 0xff]],
    ["str [ffff]", [0x0f, 0x00, 0x0e, 0xff, 0xff]],
    ["arpl [ffff]", [0x63, 0x0e, 0xff, 0xff]],
  ];
  for (const [name, bytes] of none) {
    const rig = new VirtualRig();
    assert.equal(rig.try(bytes), { vector: UD, error: NO_ERROR, eip: IP, cr2: 0 }, name);
  }
});

test("privileged instructions: #GP(0), whatever IOPL; SMSW, SGDT and SIDT run", () => {
  const privileged: [string, number[]][] = [
    ["hlt", [0xf4]],
    ["clts", [0x0f, 0x06]],
    ["lgdt", [0x0f, 0x01, 0x16, 0, 0]],
    ["lidt", [0x0f, 0x01, 0x1e, 0, 0]],
    ["lmsw", [0x0f, 0x01, 0xf0]],
    ["lmsw [ffff]", [0x0f, 0x01, 0x36, 0xff, 0xff]],
    ["mov cr0", [0x0f, 0x22, 0xc0]],
    ["mov from cr3", [0x0f, 0x20, 0xd8]],
    ["mov dr7", [0x0f, 0x23, 0xf8]],
    ["mov from dr0", [0x0f, 0x21, 0xc0]],
    ["invlpg", [0x0f, 0x01, 0x3e, 0, 0]],
    ["invd", [0x0f, 0x08]],
    ["wbinvd", [0x0f, 0x09]],
  ];
  for (const [name, bytes] of privileged) {
    const rig = new VirtualRig();
    const trap = rig.try(bytes);
    assert.equal([trap?.vector, trap?.error], [GP, 0], name);
    assert.is(rig.frame(2)[1], IP, name);
  }
  const rig = new VirtualRig();
  assert.is(rig.try([0x0f, 0x01, 0xe0, 0x0f, 0x01, 0x06, 0, 0, 0x0f, 0x01, 0x0e, 8, 0, 0xcc])?.vector, 3);
  assert.is(rig.cpu.register(0) & 0xffff, 0x11);
  assert.is(rig.word((SEGMENT.ds << 4) + 2), GDT);
});

test("segments are loaded as in real mode, in 64 KB that is writable by CS too", () => {
  const rig = new VirtualRig();
  // mov ax, 0x2345; mov ds, ax; mov fs, ax; mov [0x10], ax; cs: mov [0x12], ax; les bx, [0x10]; push ds; pop ss
  const trap = rig.try([
    ...[0xb8, 0x45, 0x23, 0x8e, 0xd8, 0x8e, 0xe0, 0xa3, 0x10, 0, 0x2e, 0xa3, 0x12, 0],
    ...[0xc7, 0x06, 0x12, 0, 0x67, 0x05, 0xc4, 0x1e, 0x10, 0, 0x1e, 0x17, 0xcc],
  ]);
  assert.is(trap?.vector, 3);
  assert.equal(rig.frame(9).slice(4), [0x2345, 0x567, 0x2345, 0x2345, SEGMENT.gs]);
  assert.is(rig.cpu.register(3) & 0xffff, 0x2345);
  assert.is(rig.view.getUint16((SEGMENT.cs << 4) + 0x12, true), 0x2345);
});

test("limits: #GP(0) beyond 64 KB of data, #SS(0) of the stack, #GP(0) of code; a null selector is no matter", () => {
  const rows: [string, number[], number][] = [
    ["a word at FFFF", [0xa1, 0xff, 0xff], GP],
    ["a word at FFFF by SS", [0x36, 0xa1, 0xff, 0xff], SS],
    ["a doubleword at FFFD", [0x66, 0xa1, 0xfd, 0xff], GP],
    ["32-bit address 10000", [0x67, 0xa1, 0, 0, 1, 0], GP],
    ["push at SP 1", [0xbc, 1, 0, 0x50], SS],
  ];
  for (const [name, bytes, vector] of rows) {
    const rig = new VirtualRig();
    const trap = rig.try(bytes);
    assert.equal([trap?.vector, trap?.error], [vector, 0], name);
  }
  assert.is(new VirtualRig().try([0x31, 0xc0, 0x8e, 0xd8, 0xa1, 0x10, 0, 0xcc])?.vector, 3);
  // jmp to FFFF, where a NOP is, and no further
  const rig = new VirtualRig();
  rig.cpu.ram[(SEGMENT.cs << 4) + 0xffff] = 0x90;
  const trap = rig.try([0xe9, 0xfc, 0xfe]);
  assert.equal([trap?.vector, trap?.error, rig.frame(2)[1]], [GP, 0, 0x10000]);
});

test("far jumps and calls go anywhere within 64 KB; beyond: #GP(0), nothing pushed", () => {
  const rig = new VirtualRig();
  rig.cpu.ram.set([0xcb], (0x2777 << 4) + 0x20);
  // call 2777:0020; int3
  assert.is(rig.try([0x9a, 0x20, 0, 0x77, 0x27, 0xcc])?.vector, 3);
  assert.equal(rig.frame(4), [IP + 6, SEGMENT.cs, 2 | VM | IOPL3, SP]);
  for (const opcode of [0x9a, 0xea]) {
    const far = new VirtualRig();
    const trap = far.try([0x66, opcode, 0, 0, 1, 0, 0x77, 0x27]);
    assert.equal([trap?.vector, trap?.error], [GP, 0]);
    assert.equal(far.frame(5).slice(1), [IP, SEGMENT.cs, 0x10002 | VM | IOPL3, SP]);
  }
});

test("ports: the bitmap decides alone, at IOPL 3 too; an entry of 16-bit TSS or beyond its limit refuses", () => {
  const forms: [string, number[], number][] = [
    ["in al, 0x60", [0xe4, 0x60], 1],
    ["in ax, 0x60", [0xe5, 0x60], 2],
    ["in eax, dx", [0x66, 0xed], 4],
    ["out 0x60, al", [0xe6, 0x60], 1],
    ["out dx, ax", [0xef], 2],
    ["insb", [0x6c], 1],
    ["outsw", [0x6f], 2],
    ["rep outsb", [0xf3, 0x6e], 1],
  ];
  const bitmap = TSS + 0x68;
  const faults = (bytes: number[], bits: number, limit = 0x68 + 0x10, attributes = 0x8b00): boolean => {
    const rig = new VirtualRig();
    rig.cpu.ram.fill(0xff, bitmap, bitmap + 0x20);
    rig.view.setUint16(bitmap + 12, bits, true);
    rig.cpu.setSegment(7, { selector: TSS_SELECTOR, base: TSS, limit, attributes });
    if (attributes === 0x8300) {
      rig.word(TSS, KERNEL_STACK << 16);
      rig.word(TSS + 4, DATA0);
    }
    rig.cpu.setRegister(1, 1);
    rig.cpu.setRegister(2, 0x60);
    const trap = rig.try([...bytes, 0xcc]);
    if (trap?.vector === GP) {
      assert.equal([trap.error, rig.frame(2)[1], rig.io.length], [0, IP, 0], `${bytes}`);
    } else assert.equal([trap?.vector, rig.io.length], [3, 1], `${bytes}`);
    return trap?.vector === GP;
  };
  for (const [name, bytes, size] of forms) {
    const open = 0xffff & ~((1 << size) - 1);
    assert.not(faults(bytes, open), name);
    assert.ok(faults(bytes, open | 1), `${name}: the first port is closed`);
    assert.ok(faults(bytes, open | (1 << (size - 1))), `${name}: the last port is closed`);
    assert.ok(faults(bytes, open, 0x68 + 12), `${name}: two bytes are read`);
    assert.ok(faults(bytes, open, 0x68 + 0x10, 0x8300), `${name}: a 16-bit TSS`);
  }
});

test("into a task and out of one: VM in its EFLAGS, segments without descriptors", () => {
  const rig = new VirtualRig();
  const [other, tss] = [0x38, 0x4000];
  rig.descriptor(TSS_SELECTOR, TSS, 0x67, 0x8b);
  rig.descriptor(other, tss, 0x67, 0x89);
  const image: [number, number][] = [
    [0x20, 0x300],
    [0x24, 2 | VM | IOPL3],
    [0x38, 0x900],
    ...[0x2501, 0x2600, 0x2700, 0x2803, 0x2900, 0].map((selector, i): [number, number] => [0x48 + 4 * i, selector]),
  ];
  for (const [offset, value] of image) rig.word(tss + offset, value);
  // An interrupt through a task gate leads out.
  rig.word(0x2000 + 8 * 0x41, TSS_SELECTOR << 16);
  rig.word(0x2000 + 8 * 0x41 + 4, 0xe500);
  rig.cpu.ram.set([0xcd, 0x41], 0x26300);
  rig.code(FREE, ["jmp", far(other, 0)], "behind", ["int", 0x80]);
  rig.stopAtTraps = false;
  rig.run(FREE, 1);
  assert.equal([rig.cpu.eflags, rig.cpu.cpl, rig.cpu.eip], [2 | VM | IOPL3, 3, 0x300]);
  assert.equal(rig.cpu.segment(3), { selector: 0x2803, base: 0x28030, limit: 0xffff, attributes: 0xf300 });
  assert.equal(rig.cpu.segment(5), { selector: 0, base: 0, limit: 0xffff, attributes: 0xf300 });
  rig.stopAtTraps = true;
  assert.is(rig.go()?.vector, 0x41);
  assert.equal([rig.cpu.segment(7).selector, rig.cpu.cpl, rig.cpu.eflags], [TSS_SELECTOR, 0, 2 | 0x4000]);
  assert.equal([rig.word(tss + 0x20), rig.word(tss + 0x24)], [0x302, 2 | VM | IOPL3]);
  assert.equal([rig.view.getUint16(tss + 0x54, true), rig.view.getUint16(tss + 0x4c, true)], [0x2803, 0x2600]);
});

test("an LDT that the task's TSS names wrongly: #TS in virtual-8086 mode", () => {
  const rig = new VirtualRig();
  const [other, tss] = [0x38, 0x4000];
  rig.descriptor(other, tss, 0x67, 0x89);
  rig.descriptor(TSS_SELECTOR, TSS, 0x67, 0x8b);
  rig.word(tss + 0x24, 2 | VM);
  rig.word(tss + 0x60, DATA0);
  rig.word(tss + 4, KERNEL_STACK);
  rig.word(tss + 8, DATA0);
  rig.word(tss + 0x20, 0x300);
  rig.code(FREE, ["jmp", far(other, 0)]);
  assert.equal(rig.run(FREE), { vector: TS, error: DATA0, eip: 0x300, cr2: 0 });
  assert.is(rig.frame(4)[3] & VM, VM);
});

test("paging takes it for ring 3", () => {
  const rig = new VirtualRig();
  rig.page();
  for (const segment of [SEGMENT.cs, SEGMENT.ss]) {
    const linear = segment << 4;
    rig.word(rig.pte(linear), linear | PRESENT | WRITE | USER);
  }
  rig.program(0xa1, 0x10, 0x00);
  rig.enter();
  const trap = rig.go();
  assert.equal([trap?.vector, trap?.error, trap?.cr2], [PF, 5, (SEGMENT.ds << 4) + 0x10]);
});

test("alignment is checked there: AC and AM", () => {
  const rig = new VirtualRig();
  rig.cpu.setControl(0, rig.cpu.control(0) | 0x40000);
  const trap = rig.try([0xa1, 0x11, 0x00], IOPL3 | 0x40000);
  assert.equal([trap?.vector, trap?.error], [17, 0]);
});

test("single step, and STI's shadow", () => {
  const rig = new VirtualRig();
  assert.equal(rig.try([0x90, 0x90], IOPL3 | 0x100), { vector: 1, error: NO_ERROR, eip: IP + 1, cr2: 0 });
  assert.is(rig.cpu.debugRegister(6) & 0x4000, 0x4000);
  const shadow = new VirtualRig();
  shadow.program(0xfb, 0x90, 0x90).enter();
  shadow.cpu.setInterruptLine(1);
  assert.equal(shadow.go(), { vector: 0x20, error: NO_ERROR, eip: IP + 2, cr2: 0 });
});

test.run();
