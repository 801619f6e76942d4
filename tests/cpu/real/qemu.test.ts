/**
 * Real mode by way of protected mode and back, the same here and on QEMU: stacks that wrap, interrupts, far calls, segments,
 * limits that live on. (QEMU checks no limits, so nothing here goes beyond one.)
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { far, mem, sreg } from "../../../cpu/encoder";
import { AL, absolute, DL, DX, EAX, EBX, ECX, EDI, EDX, ESI, ESP, Program } from "../guest";
import { same } from "../qemu";

const test = suite("cpu/real/qemu");

const [GDT, RECORDS] = [0x200000, 0x6000];
/** Selectors: flat code and data, 64 KB code and data for the way out. */
const [CODE, DATA, CODE16, DATA16] = [8, 0x10, 0x18, 0x20];
const [OUT, REAL, HANDLER, CALLED] = [0x7000, 0x7100, 0x7300, 0x7310];

/** Stores SP in the record with this number; DS is 0. */
const storeSp = (number: number): number[] => [0x89, 0x26, (2 * number) & 255, 0x60];

const OUT_BYTES = [
  ...[0xb8, DATA16, 0, 0x8e, 0xd0, 0x8e, 0xc0],
  // DS keeps its 4 GB. Then CR0.PE off, and a jump to 0000:REAL.
  ...[0x0f, 0x20, 0xc0, 0x24, 0xfe, 0x0f, 0x22, 0xc0, 0xea, REAL & 255, REAL >> 8, 0, 0],
];

const REAL_BYTES = [
  // ss = 3000, ds = 0, sp = 6; pusha in two pieces, and back into other registers
  ...[0xb8, 0x00, 0x30, 0x8e, 0xd0, 0x31, 0xc0, 0x8e, 0xd8, 0xbc, 6, 0],
  ...[0xb8, 0x11, 0x11, 0xbb, 0x22, 0x22, 0xb9, 0x33, 0x33, 0xba, 0x44, 0x44, 0xbd, 0x55, 0x55, 0xbe, 0x66, 0x66],
  ...[0xbf, 0x77, 0x77, 0x60, ...storeSp(0), 0x31, 0xdb, 0x61, ...storeSp(1), 0x89, 0x1e, 4, 0x60],
  // pushad, popad around 8
  ...[0xbc, 8, 0, 0x66, 0x60, ...storeSp(3), 0x66, 0x61, ...storeSp(4)],
  // int 40 at sp = 4 and sp = 2, far call at sp = 2, call at sp = 0, pushf at 0
  ...[0xbc, 4, 0, 0xcd, 0x40, ...storeSp(5), 0xbc, 2, 0, 0xcd, 0x40, ...storeSp(6)],
  ...[0xbc, 2, 0, 0x9a, CALLED & 255, CALLED >> 8, 0, 0, ...storeSp(7)],
  ...[0xbc, 0, 0, 0xe8, 0, 0, ...storeSp(8), 0xbc, 0, 0, 0x9c, 0x58, 0xa3, 18, 0x60],
  // es = 1234: store through it and by les, lds; cs as data
  ...[0xb8, 0x34, 0x12, 0x8e, 0xc0, 0x26, 0xa3, 0x10, 0, 0x8c, 0xc8, 0x2e, 0xa3, 20, 0x60],
  // enter 8, 1; leave
  ...[0xbc, 0x00, 0x01, 0xbd, 0x80, 0x01, 0xc8, 8, 0, 1, ...storeSp(11), 0xc9, ...storeSp(12)],
  // ds is big: mov ebx, 0x210000; mov word [ebx], 0x4711, also behind a load of DS
  ...[0x66, 0xbb, 0, 0, 0x21, 0, 0x67, 0xc7, 0x03, 0x11, 0x47, 0x31, 0xc0, 0x8e, 0xd8, 0x67, 0x8b, 0x0b],
  ...[0x89, 0x0e, 26, 0x60],
  // smsw ax; mov cs:record, ax; then back: cr0.pe on, 32-bit far jump
  ...[0x0f, 0x01, 0xe0, 0x25, 1, 0, 0xa3, 28, 0x60, 0x0f, 0x20, 0xc0, 0x0c, 1, 0x0f, 0x22, 0xc0],
  // Still under the old CS: mov ax, cs; store
  ...[0x8c, 0xc8, 0xa3, 30, 0x60, 0x66, 0xea, 0, 0, 0, 0, CODE, 0],
];
/** inc word [record 16]; iret. */
const HANDLER_BYTES = [0xff, 0x06, 32, 0x60, 0xcf];

function guest(): Program {
  const p = new Program();
  const poke = (address: number, bytes: readonly number[]): void => {
    for (let at = 0; at < bytes.length; at += 4) {
      const word = [0, 1, 2, 3].reduce((value, i) => value | ((bytes[at + i] ?? 0x90) << (8 * i)), 0);
      p.op("mov", absolute(address + at), word);
    }
  };
  const descriptor = (selector: number, limit: number, attributes: number): void => {
    p.op("mov", absolute(GDT + selector), limit & 0xffff);
    p.op("mov", absolute(GDT + selector + 4), (attributes << 8) | (limit & 0xf0000));
  };
  // The loader leaves an address of its own in EBX.
  p.op("mov", ESP, 0x90000).op("xor", EBX, EBX);
  p.op("mov", EDI, 0x30000).op("mov", ECX, 0x4000).op("xor", EAX, EAX).opWith({ prefixes: 4 }, "stosd");
  p.op("mov", EDI, RECORDS).op("mov", ECX, 16).opWith({ prefixes: 4 }, "stosd");
  descriptor(0, 0, 0);
  descriptor(CODE, 0xfffff, 0xc09b);
  descriptor(DATA, 0xfffff, 0xc093);
  descriptor(CODE16, 0xffff, 0x009b);
  descriptor(DATA16, 0xffff, 0x0093);
  poke(OUT, OUT_BYTES);
  poke(REAL, REAL_BYTES);
  poke(HANDLER, HANDLER_BYTES);
  poke(CALLED, [0xcb]);
  p.op("mov", absolute(0x40 * 4), HANDLER);
  p.op("mov", EAX, { label: "back" }).op("mov", absolute(REAL + REAL_BYTES.length - 6), EAX);
  p.op("sub", ESP, 8)
    .op("mov", mem(4, { base: 4 }), 0x27)
    .op("mov", mem(4, { base: 4, displacement: 2 }), GDT);
  p.op("lgdt", mem(6, { base: 4 })).op("mov", mem(4, { base: 4 }), 0x3ff);
  p.op("mov", mem(4, { base: 4, displacement: 2 }), 0).op("lidt", mem(6, { base: 4 }));
  p.op("mov", EAX, DATA).op("mov", sreg(3), EAX).op("jmp", far(CODE16, OUT));

  p.label("back").op("mov", EAX, DATA);
  for (const number of [0, 2, 3]) p.op("mov", sreg(number), EAX);
  p.op("mov", ESP, 0x90000).outb(0x3f9, 0).outb(0x3fb, 3);
  for (const [from, bytes] of [
    [RECORDS, 0x40],
    [0x30000, 0x20],
    [0x300f0, 0x20],
    [0x3ffe0, 0x20],
    [0x12350, 4],
  ]) {
    p.op("mov", ESI, from).op("mov", ECX, bytes).jump("call", "print");
  }
  p.exit(0);
  p.label("print").op("lodsb").op("mov", EBX, EAX).op("shr", AL, 4).jump("call", "digit");
  p.op("mov", EAX, EBX).op("and", AL, 15).jump("call", "digit").op("dec", ECX).jump("jnz", "print").op("ret");
  p.label("digit").op("and", EAX, 15).op("add", AL, 0x30).op("cmp", AL, 0x3a).jump("jb", "put").op("add", AL, 0x27);
  p.label("put").op("mov", EDI, EAX).op("mov", EDX, 0x3fd).label("full").op("in", AL, DX).op("test", AL, 0x20);
  p.jump("jz", "full").op("mov", DL, 0xf8).op("mov", EAX, EDI).op("out", DX, AL).op("ret");
  return p;
}

test("stacks, interrupts, calls, segments and limits", () => {
  const { text } = same(guest());
  assert.is(text.length, 2 * (0x40 + 0x60 + 4));
  const words = Array.from({ length: 32 }, (_, i) =>
    parseInt(text.slice(4 * i + 2, 4 * i + 4) + text.slice(4 * i, 4 * i + 2), 16),
  );
  // What the records must be, so that both being wrong shows.
  assert.equal(words.slice(0, 9), [0xfff6, 6, 0x2222, 0xffe8, 8, 4, 2, 2, 0xfffe]);
  assert.equal(words.slice(11, 17), [0xf4, 0x100, 0x4711, 0, 0, 2]);
});

test.run();
