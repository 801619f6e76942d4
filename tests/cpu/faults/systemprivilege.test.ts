/**
 * What privilege and IOPL guard: privileged instructions, CLI and STI, ports and the I/O permission bitmap, what POPF and IRET
 * may change; and how faults add up: contributory ones, page faults, double faults, shutdown, EXT.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { RunExit } from "../../../cpu/cpu";
import { creg, dreg, mem } from "../../../cpu/encoder";
import {
  AL,
  AX,
  CODE0,
  CODE3,
  DX,
  EAX,
  FREE,
  HANDLER,
  IDT,
  KERNEL_STACK,
  type Line,
  PRESENT,
  Rig,
  TSS,
  TSS_SELECTOR,
  USER,
  WRITE,
} from "../rig";
import { CODE, DATA, type FaultRow, faults, GP, NO_ERROR, NP, SS, TS, UD } from "./systemrig";

const test = suite("cpu/faults/systemprivilege");

const [DF, PF] = [8, 14];
const IF = 0x200;
const nothing = (): void => undefined;

/** Makes the rig run in ring 1, 2 or 3 on the stack of ring 3. */
function inRing(rig: Rig, ring: number): void {
  rig.ring(3);
  if (ring === 3) return;
  for (const [number, type] of [
    [1, 0xc09b00],
    [2, 0xc09300],
  ]) {
    rig.cpu.setSegment(number, { selector: 0x60 | ring, base: 0, limit: 0xffffffff, attributes: type | (ring << 13) });
  }
}

const PRIVILEGED: Line[] = [
  ["hlt"],
  ["clts"],
  ["invd"],
  ["wbinvd"],
  ["lgdt", mem(6, { displacement: DATA })],
  ["lidt", mem(6, { displacement: DATA })],
  ["lldt", AX],
  ["ltr", AX],
  ["lmsw", AX],
  ["lmsw", mem(2, { displacement: DATA })],
  ["invlpg", mem(0, { displacement: DATA })],
  ...[0, 2, 3].flatMap((number): Line[] => [
    ["mov", EAX, creg(number)],
    ["mov", creg(number), EAX],
  ]),
  ...[0, 3, 6, 7].flatMap((number): Line[] => [
    ["mov", EAX, dreg(number)],
    ["mov", dreg(number), EAX],
  ]),
];

test("privileged instructions outside ring 0: #GP(0), whatever IOPL", () => {
  for (const line of PRIVILEGED) {
    for (const ring of [1, 2, 3]) {
      const prepare = (rig: Rig): void => {
        inRing(rig, ring);
        rig.cpu.eflags = 0x3002;
      };
      faults([`${line[0 as never]} in ring ${ring}`, line, prepare, GP, 0, 3]);
    }
  }
});

test("control registers: #GP(0) for what cannot be, #UD for what is none", () => {
  const load = (name: string, number: number, value: number): FaultRow => [
    name,
    ["mov", creg(number), EAX],
    (rig) => rig.cpu.setRegister(0, value),
    GP,
    0,
  ];
  faults(load("paging without protection", 0, 0x80000010));
  faults(load("NW without CD", 0, 0x20000011));
  faults(load("a reserved bit of CR4", 4, 0x80000000));
  for (const number of [1, 5, 6, 7]) {
    faults([`mov from CR${number}`, ["db", 0x0f, 0x20, 0xc0 | (number << 3)], nothing, UD, NO_ERROR]);
    faults([`mov to CR${number}`, ["db", 0x0f, 0x22, 0xc0 | (number << 3)], nothing, UD, NO_ERROR]);
  }
  faults(["LOCK MOV CR0", ["db", 0xf0, 0x0f, 0x22, 0xc0], nothing, UD, NO_ERROR]);
  // Two bytes of group 7 with a register are no instruction.
  for (const digit of [0, 1, 2, 3, 7]) {
    faults([`0F 01 /${digit} with a register`, ["db", 0x0f, 0x01, 0xc0 | (digit << 3)], nothing, UD, NO_ERROR]);
  }
});

test("CLI and STI: CPL above IOPL is #GP(0), for every pair", () => {
  for (let cpl = 0; cpl < 4; cpl++) {
    for (let iopl = 0; iopl < 4; iopl++) {
      for (const [line, before, after] of [
        [["cli"], IF, 0],
        [["sti"], 0, IF],
      ] as [Line, number, number][]) {
        const rig = new Rig();
        if (cpl > 0) inRing(rig, cpl);
        rig.cpu.eflags = 2 | (iopl << 12) | before;
        rig.code(CODE, line, ["int", 0x80]);
        const trap = rig.run(CODE);
        const text = `${line} CPL ${cpl} IOPL ${iopl}`;
        if (cpl > iopl) assert.equal(trap, { vector: GP, error: 0, eip: CODE, cr2: 0 }, text);
        else assert.is(trap?.vector, 0x80, text);
        const flags = rig.word(rig.cpu.register(4) + (cpl > iopl ? 12 : 8));
        assert.is(flags & IF, cpl > iopl ? before : after, text);
      }
    }
  }
});

test("POPF and IRET: IOPL changes in ring 0 only, IF where CPL is not above IOPL, silently", () => {
  for (let cpl = 0; cpl < 4; cpl++) {
    for (let iopl = 0; iopl < 4; iopl++) {
      for (const image of [2 | IF, 2 | 0x3000, 2 | IF | 0x3000, 2 | 0x48d5]) {
        for (const mnemonic of ["popfd", "iretd"]) {
          const rig = new Rig();
          if (cpl > 0) inRing(rig, cpl);
          // The code segment must be found by IRET.
          rig.descriptor(0x60, 0, 0xfffff, 0xc09b | (cpl << 5));
          if (cpl === 0) rig.cpu.setSegment(1, { ...rig.cpu.segment(1), selector: 0x60 });
          if (cpl === 3) rig.cpu.setSegment(1, { ...rig.cpu.segment(1), selector: 0x63 });
          const old = 2 | (iopl << 12) | ((cpl + iopl) & 1 ? IF : 0);
          rig.cpu.eflags = old;
          const esp = rig.cpu.register(4) - 12;
          rig.cpu.setRegister(4, esp);
          const words = mnemonic === "popfd" ? [image] : [CODE + 0x80, 0x60 | cpl, image];
          for (const [i, word] of words.entries()) rig.word(esp + 4 * i, word);
          rig.code(CODE, [mnemonic]);
          rig.stopAtTraps = false;
          rig.cpu.eip = CODE;
          rig.cpu.run(1);
          const wanted =
            (image & ~(IF | 0x3000)) | ((cpl === 0 ? image : old) & 0x3000) | ((cpl <= iopl ? image : old) & IF);
          assert.is(rig.cpu.eflags, wanted, `${mnemonic} CPL ${cpl} IOPL ${iopl} image ${image.toString(16)}`);
        }
      }
    }
  }
});

/** Whether an access to ports is refused in ring 3 at IOPL 0; a refusal must be #GP(0) and change nothing. */
function refused(line: Line, port: number, prepare: (rig: Rig) => void): boolean {
  const rig = new Rig();
  rig.code(CODE, line, ["int", 0x80]);
  rig.ring(3);
  rig.cpu.setRegister(2, port);
  rig.cpu.setRegister(6, DATA);
  rig.cpu.setRegister(7, DATA + 0x100);
  prepare(rig);
  const before = rig.registers.toSpliced(4, 1);
  const trap = rig.run(CODE);
  if (trap?.vector !== GP) {
    assert.is(trap?.vector, 0x80);
    assert.is(rig.io.length, 1);
    return false;
  }
  assert.equal([trap.error, trap.eip, rig.io.length], [0, CODE, 0]);
  assert.equal(rig.registers.toSpliced(4, 1), before);
  return true;
}

/** A bitmap at `base` of the TSS, all closed but for `open` ports, within a limit. */
function bitmap(base: number, limit: number, open: readonly number[], attributes = 0x8b00): (rig: Rig) => void {
  return (rig) => {
    rig.cpu.ram.fill(0xff, TSS + 0x68, TSS + 0x800);
    rig.view.setUint16(TSS + 0x66, base, true);
    for (const port of open) rig.cpu.ram[TSS + base + (port >> 3)] &= ~(1 << (port & 7));
    rig.cpu.setSegment(7, { selector: TSS_SELECTOR, base: TSS, limit, attributes });
  };
}

test("the I/O bitmap: each port of an access, across bytes, wherever the map begins", () => {
  const forms: [Line, number][] = [
    [["in", AL, DX], 1],
    [["in", AX, DX], 2],
    [["in", EAX, DX], 4],
    [["out", DX, AL], 1],
    [["out", DX, AX], 2],
    [["out", DX, EAX], 4],
    [["insb"], 1],
    [["outsd"], 4],
  ];
  for (const [line, size] of forms) {
    for (const port of [0x60, 0x66, 0x67]) {
      const ports = Array.from({ length: size }, (_, i) => port + i);
      for (const base of [0x68, 0x91]) {
        assert.not(refused(line, port, bitmap(base, 0x7ff, ports)), `${line} ${port}`);
        for (const closed of ports) {
          const open = ports.filter((other) => other !== closed);
          assert.ok(refused(line, port, bitmap(base, 0x7ff, open)), `${line} ${port} without ${closed}`);
        }
      }
    }
  }
});

test("the I/O bitmap: limits. Two bytes are read, both within the TSS; a 16-bit TSS has no map", () => {
  const line: Line = ["in", AL, DX];
  const byte = 0x68 + (0x60 >> 3);
  assert.not(refused(line, 0x60, bitmap(0x68, byte + 1, [0x60])));
  assert.ok(refused(line, 0x60, bitmap(0x68, byte, [0x60])), "the second byte is beyond");
  assert.ok(refused(line, 0x60, bitmap(0x68, byte - 1, [0x60])));
  assert.ok(refused(line, 0x60, bitmap(0x68, 0x66, [0x60])), "the map's own offset is beyond");
  assert.ok(
    refused(line, 0xffff, bitmap(0x68, 0x68 + 0x1fff, [0xffff])),
    "the byte behind the last port must be there",
  );
  assert.ok(refused(line, 0x60, bitmap(0xffff, 0x7ff, [])), "a map that begins beyond the limit");
  const narrow = (rig: Rig): void => {
    bitmap(0x68, 0x7ff, [0x60], 0x8300)(rig);
    // The way into ring 0 by a 16-bit TSS.
    rig.word(TSS, KERNEL_STACK << 16);
    rig.word(TSS + 4, 0x10);
  };
  assert.ok(refused(line, 0x60, narrow));
  const trusted = (rig: Rig): void => {
    bitmap(0x68, 0x67, [])(rig);
    rig.cpu.eflags = 0x3002;
  };
  assert.not(refused(line, 0x60, trusted), "IOPL 3 asks no map");
});

test("the I/O bitmap on a page that is gone: #PF by the supervisor", () => {
  const rig = new Rig();
  for (let page = FREE; page < FREE + 0x10000; page += 0x1000) rig.map(page, page, PRESENT | WRITE | USER);
  rig.page();
  rig.code(CODE, ["in", AL, DX]);
  rig.ring(3);
  // The TSS's second page: 4000h.
  rig.view.setUint16(TSS + 0x66, 0x1000, true);
  rig.cpu.setSegment(7, { selector: TSS_SELECTOR, base: TSS, limit: 0x2fff, attributes: 0x8b00 });
  rig.word(rig.pte(TSS + 0x1000), 0);
  rig.cpu.setRegister(2, 0x60);
  const trap = rig.run(CODE);
  assert.equal([trap?.vector, trap?.error, trap?.cr2], [PF, 0, TSS + 0x1000 + (0x60 >> 3)]);
});

/** A program whose first instruction raises `first`, and whose handler's delivery raises `second`: what is delivered in the end. */
function delivered(first: number, second: number): [vector: number, error: number] | "shutdown" {
  const rig = new Rig();
  for (let page = FREE; page < FREE + 0x10000; page += 0x1000) rig.map(page, page, PRESENT | WRITE | USER);
  rig.map(DATA, DATA, PRESENT | WRITE);
  rig.page();
  const line: Record<number, Line> = {
    0: ["div", AL],
    [UD]: ["ud2"],
    [TS]: ["iretd"],
    [NP]: ["mov", { kind: "sreg", number: 3 }, AX],
    [SS]: ["mov", { kind: "sreg", number: 2 }, AX],
    [GP]: ["mov", { kind: "sreg", number: 3 }, AX],
    [PF]: ["mov", EAX, mem(4, { displacement: 0x380000 })],
    65: ["int", 0x41],
  };
  rig.code(CODE, line[first]);
  rig.descriptor(0x30, 0, 0xfffff, 0xc012);
  // Nothing but a limit: descriptors whose loading fails.
  rig.cpu.setRegister(0, first === GP ? 0x1000 : first === 0 ? 0 : 0x30);
  if (first === TS) {
    rig.cpu.eflags = 2 | 0x4000;
    rig.word(TSS, 0x1000);
  }
  const inner = 0x38;
  rig.descriptor(inner, 0, 0xfffff, 0xc09b);
  if (second === NP) rig.gate(first, HANDLER, CODE0, 0x6e);
  else if (second === GP) rig.gate(first, HANDLER, 0x1000, 0xee);
  else if (second === PF) {
    // The gate's code descriptor lies on a page that is not there.
    rig.cpu.setSegment(6, { selector: 0x48, base: 0x380000, limit: 0xffff, attributes: 0x8200 });
    rig.gate(first, HANDLER, 0xc, 0xee);
  } else if (second === TS) {
    // From ring 3, by a stack that is none.
    rig.ring(3);
    rig.descriptor(inner, 0, 0xfffff, 0xc0bb);
    rig.gate(first, HANDLER, inner, 0xee);
    rig.word(TSS + 0x10, 0x1001);
    if (first !== TS) rig.cpu.setRegister(0, first === GP ? 0x1000 : first === 0 ? 0 : 0x33);
  }
  const trap = rig.run(CODE);
  if (rig.exit === RunExit.TripleFault) return "shutdown";
  return [trap?.vector as number, trap?.error as number];
}

test("a second fault: double after contributory ones and page faults, else served in turn", () => {
  const contributory = [0, TS, NP, SS, GP];
  for (const first of [...contributory, UD, PF, 0x41]) {
    for (const second of [NP, GP, TS, PF]) {
      // A handler that cannot be reached for its own vector is no second fault of another kind.
      if (first === second || (second === TS && (first === TS || first === SS || first === NP))) continue;
      const [vector] = delivered(first, second);
      const both =
        (contributory.includes(first) && contributory.includes(second)) ||
        (first === PF && (second === PF || contributory.includes(second)));
      assert.is(vector, both ? DF : second, `${first}, then ${second}`);
    }
  }
});

test("a fault while a double fault is delivered, of whatever kind: shutdown, with the state of the first", () => {
  for (const spoil of [
    (rig: Rig) => rig.gate(DF, HANDLER, CODE0, 0x6e),
    (rig: Rig) => rig.gate(DF, HANDLER, 0, 0xee),
    (rig: Rig) => rig.gate(DF, HANDLER, CODE3, 0xee),
    (rig: Rig) => rig.cpu.setDescriptorTable("idt", IDT, DF * 8 + 6),
  ]) {
    const rig = new Rig();
    rig.gate(GP, HANDLER, CODE0, 0x6e);
    rig.gate(NP, HANDLER, CODE0, 0x6e);
    spoil(rig);
    rig.code(CODE, ["mov", { kind: "sreg", number: 3 }, AX]);
    rig.cpu.setRegister(0, 0x1000);
    assert.is(rig.run(CODE), null);
    assert.is(rig.exit, RunExit.TripleFault);
    assert.equal([rig.cpu.eip, rig.cpu.register(4), rig.cpu.segment(3).selector], [CODE, KERNEL_STACK, 0x10]);
  }
});

test("EXT: set for faults on the way of interrupts and of faults, clear for those on the way of INT n", () => {
  const error = (line: Line, vector: number, external = false): number | undefined => {
    const rig = new Rig();
    rig.code(CODE, line, ["nop"]);
    rig.gate(vector, HANDLER, CODE0, 0x6e);
    if (external) {
      rig.cpu.eflags = 2 | IF;
      rig.interruptVector = vector;
      rig.cpu.setInterruptLine(1);
    }
    const trap = rig.run(CODE);
    assert.is(trap?.vector, NP);
    return trap?.error;
  };
  assert.is(error(["int", 0x41], 0x41), 0x41 * 8 + 2);
  assert.is(error(["int3"], 3), 3 * 8 + 2);
  assert.is(error(["ud2"], UD), UD * 8 + 3);
  assert.is(error(["nop"], 0x50, true), 0x50 * 8 + 3);
  assert.is(error(["int1"], 1), 1 * 8 + 3);
});

test.run();
