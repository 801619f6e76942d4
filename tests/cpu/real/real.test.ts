/** Real mode: reset, segments and their limits, the interrupt table, wrapping at 64 KB, the way into protected mode and back. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { RunExit } from "../../../cpu/cpu";
import { AL, at } from "../rig";
import { CS, HANDLER_CS, IP, LINEAR, RealRig, SP, SS } from "./realrig";

const test = suite("cpu/real");

const GDT = 0x500;

/** A GDT: 8 code and 10h data of 64 KB at 0, 18h data of 4 GB, 20h code of 4 GB, 32-bit. */
function descriptors(rig: RealRig): void {
  rig.word(GDT + 8, 0xffff);
  rig.word(GDT + 12, 0x009b00);
  rig.word(GDT + 16, 0xffff);
  rig.word(GDT + 20, 0x009300);
  rig.word(GDT + 24, 0xffff);
  rig.word(GDT + 28, 0xcf9300);
  rig.word(GDT + 32, 0xffff);
  rig.word(GDT + 36, 0xcf9b00);
  rig.word(0x600, (GDT << 16) | 0x27);
  rig.word(0x604, 0);
}

/** lgdt [0x600]; mov eax, cr0; or al, 1; mov cr0, eax. DS must be 0. */
const ENTER = [0x0f, 0x01, 0x16, 0, 6, 0x0f, 0x20, 0xc0, 0x0c, 1, 0x0f, 0x22, 0xc0];
/** mov eax, cr0; and al, 0xfe; mov cr0, eax. */
const LEAVE = [0x0f, 0x20, 0xc0, 0x24, 0xfe, 0x0f, 0x22, 0xc0];

test("reset: F000:FFF0 at the top of 4 GB, 16-bit segments of 64 KB, the documented registers", () => {
  const rig = new RealRig();
  const { cpu } = rig;
  assert.equal(cpu.segment(1), { selector: 0xf000, base: 0xffff0000, limit: 0xffff, attributes: 0x9b00 });
  for (const segment of [0, 2, 3, 4, 5]) {
    assert.equal(cpu.segment(segment), { selector: 0, base: 0, limit: 0xffff, attributes: 0x9300 });
  }
  assert.equal([cpu.eip, cpu.eflags, cpu.cpl, cpu.a20], [0xfff0, 2, 0, 1]);
  assert.is(cpu.control(0), 0x60000010);
  assert.equal(cpu.descriptorTable("idt"), { base: 0, limit: 0xffff });
  assert.equal(
    rig.registers.map((value, number) => (number === 2 ? 0 : value)),
    Array(8).fill(0),
  );
  assert.is(cpu.register(2), cpu.model.signature);
  rig.start(0xf4);
  assert.equal(cpu.segment(1), { selector: CS, base: CS << 4, limit: 0xffff, attributes: 0x9b00 });
  assert.is(cpu.eip, IP);
});

test("a reset in the middle of a run keeps RAM, the counts, the deadline and the interrupt line", () => {
  const rig = new RealRig().start(0x40, 0xf4);
  rig.until();
  rig.cpu.setInterruptLine(1);
  rig.cpu.setA20(0);
  rig.cpu.deadline = 1e6;
  const { instret, cycles } = rig.cpu;
  rig.cpu.resetToRealMode();
  assert.equal([rig.cpu.instret, rig.cpu.cycles, rig.cpu.deadline], [instret, cycles, 1e6]);
  assert.equal([rig.ax, rig.cpu.halted, rig.cpu.a20, rig.cpu.eip], [0, false, 1, 0xfff0]);
  rig.put(LINEAR, 0xfb, 0x90, 0x90);
  rig.cpu.setSegment(2, { ...rig.cpu.segment(2), selector: SS, base: SS << 4 });
  rig.cpu.setRegister(4, SP);
  assert.equal(rig.until(), [0x20]);
});

test("reset() is the multiboot state again", () => {
  const rig = new RealRig();
  rig.cpu.setA20(0);
  rig.cpu.reset();
  assert.equal([rig.cpu.control(0), rig.cpu.a20, rig.cpu.segment(3).limit], [0x11, 1, 0xffffffff]);
  rig.cpu.ram[0xffff0] = 0x5a;
  rig.code(0x100000, ["mov", AL, at(null, 0xfffffff0, 1)], ["hlt"]);
  rig.run(0x100000);
  assert.is(rig.ax & 0xff, 0xff, "no ROM at the top of 4 GB");
});

test("the ROM is one behind both addresses, and a write to the lower one changes neither", () => {
  const rig = new RealRig();
  // inc ax; mov bx, F000; mov ds, bx; mov word [fffa], f440 (inc ax; hlt); jmp fffa, all at the top; there: dec bx; hlt.
  rig.put(0xfffe0, 0x40, 0xbb, 0, 0xf0, 0x8e, 0xdb, 0xc7, 0x06, 0xfa, 0xff, 0x40, 0xf4, 0xeb, 0x0c);
  rig.put(0xffffa, 0x4b, 0xf4);
  rig.put(0xffff0, 0xeb, 0xee);
  assert.equal([rig.until(), rig.ax, rig.cpu.register(3) & 0xffff, rig.cpu.eip], [[], 1, 0xefff, 0xfffc]);
  assert.is(rig.cpu.segment(1).base, 0xffff0000);
});

test("segment loads: base is the selector times 16, limit and attributes stay; CS is writable", () => {
  // mov ax, 0x2345; mov ds, ax; mov [0x10], ax; cs: mov [0x12], ax; les bx, [0x10]; hlt
  const rig = new RealRig().start(
    ...[0xb8, 0x45, 0x23, 0x8e, 0xd8, 0xa3, 0x10, 0, 0x2e, 0xa3, 0x12, 0],
    ...[0xc7, 0x06, 0x12, 0, 0xff, 0xff, 0xc4, 0x1e, 0x10, 0, 0xf4],
  );
  assert.equal(rig.until(), []);
  assert.equal(rig.cpu.segment(3), { selector: 0x2345, base: 0x23450, limit: 0xffff, attributes: 0x9300 });
  assert.equal(rig.cpu.segment(0), { selector: 0xffff, base: 0xffff0, limit: 0xffff, attributes: 0x9300 });
  assert.is(rig.view.getUint16((CS << 4) + 0x12, true), 0x2345);
});

test("limits of 64 KB: #GP and #SS without an error code, IP of the culprit", () => {
  const rows: [string, number[], number, number][] = [
    ["a word at FFFF", [0xa1, 0xff, 0xff], 13, 0],
    ["a doubleword at FFFD", [0x66, 0xa1, 0xfd, 0xff], 13, 0],
    ["a word at FFFF by SS", [0x36, 0xa1, 0xff, 0xff], 12, 0],
    ["32-bit address 10000", [0x67, 0xa1, 0, 0, 1, 0], 13, 0],
    ["cmpsw at FFFF", [0xbe, 0xff, 0xff, 0xa7], 13, 3],
    ["jmp with a 32-bit target", [0x66, 0xe9, 0, 0, 1, 0], 13, 0],
    ["far jump with a 32-bit target", [0x66, 0xea, 0, 0, 1, 0, 0, 0], 13, 0],
    ["far call with a 32-bit target", [0x66, 0x9a, 0, 0, 1, 0, 0, 0], 13, 0],
    ["bound", [0x62, 0x06, 0xfd, 0xff], 13, 0],
  ];
  for (const [name, bytes, vector, at] of rows) {
    const rig = new RealRig().start(...bytes, 0xf4);
    assert.equal(rig.until(), [vector], name);
    assert.equal(rig.stack(3), [IP + at, CS, 2], name);
    assert.equal(
      [rig.cpu.register(4), rig.cpu.eip, rig.cpu.segment(1).selector],
      [SP - 6, vector + 1, HANDLER_CS],
      name,
    );
  }
});

test("IRETD and RETFD to an offset beyond 64 KB: #GP, the stack as it was", () => {
  for (const bytes of [
    [0x66, 0xcf],
    [0x66, 0xcb],
  ]) {
    const rig = new RealRig().start(...bytes);
    rig.word((SS << 4) + SP, 0x10000);
    assert.equal(rig.until(), [13]);
    assert.equal([rig.stack(1)[0], rig.cpu.register(4)], [IP, SP - 6]);
  }
});

test("a word at an even offset up to FFFE is there", () => {
  const rig = new RealRig().start(0xa1, 0xfe, 0xff, 0xf4);
  rig.view.setUint16(0xfffe, 0x4711, true);
  assert.equal(rig.until(), []);
  assert.is(rig.ax, 0x4711);
});

test("interrupts: IP, CS, FLAGS; IF and TF clear; IRET", () => {
  const rig = new RealRig().start(0x9d, 0xcd, 0x40, 0xf4);
  rig.view.setUint16((SS << 4) + SP, 0xfed7 & ~0x100, true);
  assert.equal(rig.until(), [0x40]);
  assert.equal(rig.stack(3), [IP + 3, CS, 0x7ed7]);
  assert.is(rig.cpu.eflags, 0x7cd7);
  assert.equal([rig.cpu.eip, rig.cpu.segment(1).base], [0x41, HANDLER_CS << 4]);
  rig.put((HANDLER_CS << 4) + 0x41, 0xcf);
  rig.cpu.r[18] &= ~4;
  rig.until();
  assert.equal([rig.cpu.eip, rig.cpu.eflags, rig.cpu.register(4)], [IP + 4, 0x7ed7, SP + 2]);
});

test("a vector beyond the IDT's limit: #GP; without room for #GP #DF; without room for that a shutdown", () => {
  const limit = (rig: RealRig, vectors: number): RealRig => {
    rig.cpu.setDescriptorTable("idt", 0, 4 * vectors - 1);
    return rig;
  };
  const gp = limit(new RealRig().start(0xcd, 0x40), 0x40);
  assert.equal(gp.until(), [13]);
  assert.equal(gp.stack(3), [IP, CS, 2]);
  const df = limit(new RealRig().start(0xcd, 0x40), 13);
  assert.equal(df.until(), [8]);
  const shut = limit(new RealRig().start(0xcd, 0x40), 8);
  shut.until();
  assert.ok(shut.shutDown);
  assert.equal([shut.cpu.eip, shut.cpu.register(4), shut.vectors], [IP, SP, []]);
  // One byte short of the last vector.
  const short = new RealRig().start(0xcd, 0x40);
  short.cpu.setDescriptorTable("idt", 0, 4 * 0x40 + 2);
  assert.equal(short.until(), [13]);
});

test("the table moves with LIDT, whose base has 24 bits with 16-bit operands", () => {
  // lidt [0x600]; int 0x40
  for (const [prefix, base] of [
    [[], 0x001234],
    [[0x66], 0x40001234],
  ] as const) {
    const rig = new RealRig().start(...prefix, 0x0f, 0x01, 0x1e, 0, 6, 0xf4);
    rig.word(0x600, 0x12340000 | 0x3ff);
    rig.word(0x604, 0x4000);
    rig.until();
    assert.equal(rig.cpu.descriptorTable("idt"), { base, limit: 0x3ff });
  }
});

test("no instructions in real mode: LLDT LTR SLDT STR LAR LSL VERR VERW ARPL", () => {
  const none = [
    [0x0f, 0x00, 0xc0],
    [0x0f, 0x00, 0xc8],
    [0x0f, 0x00, 0xd0],
    [0x0f, 0x00, 0xd8],
    [0x0f, 0x00, 0xe0],
    [0x0f, 0x00, 0xe8],
    [0x0f, 0x02, 0xc1],
    [0x0f, 0x03, 0xc1],
    [0x63, 0xc8],
    [0x0f, 0x00, 0x16, 0xff, 0xff],
    [0x0f, 0x02, 0x06, 0xff, 0xff],
  ];
  for (const bytes of none) {
    const rig = new RealRig().start(...bytes);
    assert.equal(rig.until(), [6], `${bytes}`);
    assert.is(rig.stack(1)[0], IP);
  }
});

test("SP wraps between elements: PUSH at 0, and in the middle of PUSHA, POPA, calls, interrupts and their returns", () => {
  const run = (sp: number, bytes: number[]): RealRig => {
    const rig = new RealRig().start(...bytes, 0xf4);
    rig.cpu.setRegister(4, 0xabcd0000 | sp);
    for (let i = 0; i < 8; i++) if (i !== 4) rig.cpu.setRegister(i, 0x10101010 * i + 0x01020304);
    rig.until();
    assert.is(rig.cpu.register(4) >>> 16, 0xabcd);
    return rig;
  };
  const word = (rig: RealRig, offset: number): number => rig.view.getUint16((SS << 4) + (offset & 0xffff), true);
  const push = run(0, [0x50]);
  assert.equal([push.vectors, push.cpu.register(4) & 0xffff, word(push, 0xfffe)], [[], 0xfffe, 0x0304]);
  const pusha = run(6, [0x60]);
  assert.equal(pusha.vectors, []);
  assert.equal(
    Array.from({ length: 8 }, (_, i) => word(pusha, 4 - 2 * i)),
    [0x0304, 0x1314, 0x2324, 0x3334, 6, 0x5354, 0x6364, 0x7374],
  );
  // The neighbours of the two pieces are untouched.
  assert.equal([word(pusha, 6), word(pusha, 0xfff4)], [0, 0]);
  const pushad = run(8, [0x66, 0x60, 0x66, 0x61]);
  assert.equal([pushad.vectors, pushad.cpu.register(0), pushad.cpu.register(7)], [[], 0x01020304, 0x71727374]);
  const call = run(2, [0x9a, IP & 255, 2, CS & 255, CS >> 8]);
  assert.equal(call.vectors, []);
  const back = new RealRig().start(0x9a, 0, 2, CS & 255, CS >> 8, 0xf4);
  back.put((CS << 4) + 0x200, 0xcb);
  back.cpu.setRegister(4, 2);
  assert.equal([back.until(), back.cpu.eip, back.cpu.register(4)], [[], IP + 6, 2]);
  assert.equal([word(back, 0), word(back, 0xfffe)], [CS, IP + 5]);
  for (const sp of [2, 4]) {
    const int = new RealRig().start(0xcd, 0x40, 0xf4);
    int.put((HANDLER_CS << 4) + 0x40, 0xcf);
    int.cpu.setRegister(4, sp);
    assert.equal([int.until(), int.cpu.eip, int.cpu.register(4)], [[0x40], IP + 3, sp]);
    assert.equal([word(int, sp - 2), word(int, sp - 4), word(int, sp - 6)], [2, CS, IP + 2]);
  }
});

test("an element that would lie across the edge: #SS, and since that has no room either a shutdown", () => {
  for (const [sp, bytes] of [
    [1, [0x50]],
    [3, [0x60]],
    [2, [0x66, 0x60]],
    [5, [0xcd, 0x40]],
  ] as const) {
    const rig = new RealRig().start(...bytes);
    rig.cpu.setRegister(4, sp);
    const before = rig.cpu.ram.slice();
    rig.until();
    assert.ok(sp === 2 || rig.shutDown, `SP ${sp}`);
    if (sp === 2) assert.equal(rig.vectors, [12]);
    else assert.equal([rig.cpu.eip, rig.cpu.register(4), rig.cpu.ram], [IP, sp, before]);
  }
});

test("IP: code runs to FFFF, and what would go on behind is #GP; short jumps wrap", () => {
  const rig = new RealRig().start(0xe9, 0xfb, 0xfe);
  rig.put((CS << 4) + 0xfffe, 0x40, 0x40);
  assert.equal(rig.until(), [13]);
  assert.equal([rig.ax, rig.stack(2)], [2, [0, CS]], "16 bits of IP are pushed");
  const across = new RealRig().start(0xe9, 0xfc, 0xfe);
  across.put((CS << 4) + 0xffff, 0xb8, 1, 1);
  assert.equal([across.until(), across.stack(1)], [[13], [0xffff]]);
  const short = new RealRig().start(0xe9, 0xfb, 0xfe);
  short.put((CS << 4) + 0xfffe, 0xeb, 0x10);
  short.put((CS << 4) + 0x10, 0xf4);
  assert.equal([short.until(), short.cpu.eip], [[], 0x11]);
});

test("into protected mode: the code behind MOV CR0 runs on under the old CS, at CPL 0, until a far jump", () => {
  // CS = 1003h has RPL bits that mean nothing.
  const rig = new RealRig().start(0xea, 0x00, 0x02, 0x03, 0x10);
  descriptors(rig);
  // mov ax, cs (allowed); inc dx; jmp 20:00011000
  rig.put(0x10030 + 0x200, ...ENTER, 0x8c, 0xc8, 0xba, 1, 0, 0x66, 0xea, 0, 0x10, 1, 0, 0x20, 0);
  rig.put(0x11000, 0x0f, 0x20, 0xc1, 0xf4);
  assert.equal(rig.until(), []);
  assert.equal([rig.ax, rig.cpu.register(2) & 0xffff, rig.cpu.eip, rig.cpu.cpl], [0x1003, 1, 0x11004, 0]);
  assert.equal(rig.cpu.segment(1), { selector: 0x20, base: 0, limit: 0xffffffff, attributes: 0xc09b00 });
  assert.is(rig.cpu.register(1) & 1, 1);
});

test("LMSW enters protected mode and cannot leave it", () => {
  // lgdt; mov ax, 1; lmsw ax; xor ax, ax; lmsw ax; smsw bx; hlt
  const rig = new RealRig().start(
    ...[0x0f, 0x01, 0x16, 0, 6, 0xb8, 1, 0, 0x0f, 0x01, 0xf0],
    ...[0x31, 0xc0, 0x0f, 0x01, 0xf0, 0x0f, 0x01, 0xe3, 0xf4],
  );
  descriptors(rig);
  assert.equal([rig.until(), rig.cpu.register(3) & 0xffff], [[], 0x11]);
});

test("big real mode: a limit of 4 GB lives on behind the return, also behind loads, and ends with the next descriptor", () => {
  const enter: number[] = [...ENTER, 0xbb, 0x18, 0, 0x8e, 0xdb, ...LEAVE];
  // mov ebx, 0x200000; mov word [ebx], 0x4711; xor ax, ax; mov ds, ax; mov cx, [ebx]; hlt
  const beyond = [0x66, 0xbb, 0, 0, 0x20, 0, 0x67, 0xc7, 0x03, 0x11, 0x47];
  const again = [0x31, 0xc0, 0x8e, 0xd8, 0x67, 0x8b, 0x0b, 0xf4];
  const rig = new RealRig().start(...enter, ...beyond, ...again);
  descriptors(rig);
  assert.equal(rig.until(), []);
  assert.equal([rig.word(0x200000), rig.cpu.register(1) & 0xffff], [0x4711, 0x4711]);
  assert.equal(rig.cpu.segment(3), { selector: 0, base: 0, limit: 0xffffffff, attributes: 0xc09300 });
  assert.is(rig.cpu.control(0) & 1, 0);
  // ES was not loaded: its 64 KB hold.
  const es = new RealRig().start(...enter, 0x26, ...beyond.slice(6), 0xf4);
  descriptors(es);
  es.cpu.setRegister(3, 0x200000);
  assert.equal(es.until(), [13]);
  // Through a descriptor of 64 KB it is gone.
  const gone = new RealRig().start(...enter, ...ENTER, 0xbb, 0x10, 0, 0x8e, 0xdb, ...LEAVE, ...beyond);
  descriptors(gone);
  assert.equal(gone.until(), [13]);
});

test("a segment left null behind the return from protected mode keeps its limit of 0", () => {
  const rig = new RealRig().start(...ENTER, 0x31, 0xdb, 0x8e, 0xdb, ...LEAVE, 0xa1, 2, 0);
  descriptors(rig);
  assert.equal(rig.until(), [13]);
});

test("single step and HLT with interrupts, in real mode", () => {
  const rig = new RealRig().start(0x90, 0x90, 0xf4);
  rig.cpu.eflags = 0x102;
  assert.equal(rig.until(), [1]);
  assert.equal(rig.stack(3), [IP + 1, CS, 0x102]);
  const sleep = new RealRig().start(0xfb, 0xf4, 0xf4);
  sleep.until();
  assert.is(sleep.exit, RunExit.Halted);
  sleep.interruptVector = 0x21;
  sleep.cpu.setInterruptLine(1);
  assert.equal(sleep.until(), [0x21]);
  assert.is(sleep.stack(1)[0], IP + 2);
});

test("ports need no permission, CLI and STI no IOPL", () => {
  const rig = new RealRig().start(0xfa, 0xe4, 0x60, 0xfb, 0xf4);
  rig.portValue = 0x5a;
  assert.equal([rig.until(), rig.ax & 0xff], [[], 0x5a]);
});

test("state is saved and restored in the middle of it", () => {
  const rig = new RealRig().start(0x40, 0x40, 0xf4);
  rig.cpu.run(rig.cpu.instret + 1);
  const saved = rig.cpu.save();
  const other = new RealRig();
  other.cpu.restore(saved);
  other.until();
  assert.equal([other.ax, other.cpu.eip, other.cpu.segment(1).base], [2, IP + 3, CS << 4]);
  assert.is(LINEAR, other.cpu.segment(1).base + IP);
});

test.run();
