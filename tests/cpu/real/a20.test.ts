/** A20: bit 20 of physical addresses, off and on, for data, code, page tables, host TLB and decoded code. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { at, EAX, EBX, FREE, PRESENT, Rig, WRITE } from "../rig";
import { RealRig } from "./realrig";

const test = suite("cpu/real/a20");

test("FFFF:0010 is 100000h with A20 up and 0 with A20 down", () => {
  for (const level of [0, 1] as const) {
    // mov ax, 0xffff; mov ds, ax; mov bx, [0x10]; mov word [0x12], 0x1234; hlt
    const rig = new RealRig().start(
      ...[0xb8, 0xff, 0xff, 0x8e, 0xd8, 0x8b, 0x1e, 0x10, 0, 0xc7, 0x06, 0x12, 0x05, 0x34, 0x12, 0xf4],
    );
    rig.word(0, 0x1111);
    rig.word(0x100000, 0x2222);
    rig.cpu.setA20(level);
    assert.is(rig.cpu.a20, level);
    assert.equal(rig.until(), []);
    assert.is(rig.cpu.register(3) & 0xffff, level ? 0x2222 : 0x1111);
    assert.equal([rig.word(0x502), rig.word(0x100502)], level ? [0, 0x1234] : [0x1234, 0]);
    assert.is(rig.cpu.translate(0x100010), level ? 0x100010 : 0x10);
  }
});

test("a change takes effect at once, whatever the host TLB held", () => {
  const rig = new Rig();
  rig.word(0x9000, 1);
  rig.word(0x109000, 2);
  rig.code(0x8800, ["mov", EAX, at(null, 0x109000)], ["int", 0x80]);
  const read = (): number => {
    rig.ring(0).run(0x8800);
    return rig.cpu.register(0);
  };
  assert.is(read(), 2);
  rig.cpu.setA20(0);
  assert.is(read(), 1);
  rig.cpu.setA20(1);
  assert.is(read(), 2);
});

test("the running code's own page changes under it", () => {
  const rig = new Rig();
  rig.code(0x9800, ["mov", EAX, 1], ["int", 0x80]);
  rig.code(0x109800, ["mov", EAX, 2], ["int", 0x80]);
  for (const [level, expected] of [
    [1, 2],
    [0, 1],
    [1, 2],
  ] as const) {
    rig.cpu.setA20(level);
    rig.ring(0).run(0x109800);
    assert.is(rig.cpu.register(0), expected);
  }
});

test("decoded code is dropped by a write through the other address, without and with paging", () => {
  for (const paged of [false, true]) {
    const rig = new Rig();
    const code = 0x9800;
    if (paged) {
      rig.page();
      rig.map(0x109000, 0x109000, PRESENT | WRITE);
    }
    rig.cpu.setA20(0);
    rig.code(code, ["mov", EAX, 1], ["int", 0x80]);
    // A write that makes a host entry for the alias first, then the code, then the write to it.
    rig.code(0x8800, ["mov", at(null, 0x109100), EBX], ["int", 0x80]);
    rig.code(0x8900, ["mov", at(null, 0x109801), EBX], ["int", 0x80]);
    rig.ring(0).cpu.setRegister(3, 7);
    rig.run(0x8800);
    rig.ring(0).run(code);
    assert.is(rig.cpu.register(0), 1);
    rig.ring(0).run(0x8900);
    rig.ring(0).run(code);
    assert.is(rig.cpu.register(0), 7, paged ? "paged" : "not paged");
    assert.is(rig.word(0x109100), 0);
  }
});

test("page tables and the pages that they name lie where A20 says", () => {
  const rig = new Rig();
  rig.page();
  rig.map(FREE, 0x109000, PRESENT | WRITE);
  rig.map(FREE + 0x1000, 0x9000, PRESENT | WRITE);
  rig.word(0x9000, 0x11);
  rig.word(0x109000, 0x22);
  rig.code(0x8800, ["mov", EAX, at(null, FREE)], ["mov", EBX, at(null, FREE + 0x1000)], ["int", 0x80]);
  rig.ring(0).run(0x8800);
  assert.equal([rig.cpu.register(0), rig.cpu.register(3)], [0x22, 0x11]);
  rig.cpu.setA20(0);
  rig.ring(0).run(0x8800);
  assert.equal([rig.cpu.register(0), rig.cpu.register(3)], [0x11, 0x11]);
  assert.is(rig.cpu.translate(FREE), 0x9000);
  // A directory above 1 MB is the one below.
  const directory = rig.cpu.control(3);
  rig.cpu.setControl(3, directory | 0x100000);
  rig.ring(0).run(0x8800);
  assert.is(rig.cpu.register(0), 0x11);
});

test("the ROM's start is reached with A20 down too", () => {
  const rig = new RealRig();
  rig.cpu.setA20(0);
  rig.start(0xb8, 5, 0, 0xf4);
  assert.equal([rig.until(), rig.ax], [[], 5]);
});

test("it costs no cycle, and is saved with the state", () => {
  const cycles = [0, 1].map((level) => {
    const rig = new RealRig().start(0x50, 0x58, 0xa1, 0, 1, 0xf4);
    rig.cpu.setA20(level as 0 | 1);
    rig.until();
    return rig.cpu.cycles;
  });
  assert.is(cycles[0], cycles[1]);
  const rig = new RealRig();
  rig.cpu.setA20(0);
  const other = new RealRig();
  other.cpu.restore(rig.cpu.save());
  assert.is(other.cpu.a20, 0);
});

test.run();
