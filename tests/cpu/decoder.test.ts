import { suite } from "uvu";
import * as assert from "uvu/assert";
import { DecodeResult, decode } from "../../cpu/decoder";
import { Instruction, NO_REGISTER, Prefix, Segment } from "../../cpu/instruction";
import { INVALID_ROW, ROWS, RowFlag } from "../../cpu/isa";
import {
  compareDecoders,
  emptyTally,
  everyModrm,
  everySib,
  OPCODES,
  randomRecords,
  UNCLAIMED,
} from "./decoderlockstep";

const test = suite("cpu/decoder");

const insn = new Instruction();

test("agrees with iced on every opcode with every ModRM byte, and on 100,000 random byte strings", () => {
  const tally = emptyTally();
  for (const size of [2, 4] as const) {
    for (const prefix of [[], [0x66], [0x67], [0xf0], [0xf3]]) compareDecoders(everyModrm(prefix), size, tally);
    for (const opcode of [[0x8b], [0x67, 0x8b], [0xc7], [0x0f, 0xb6]]) compareDecoders(everySib(opcode), size, tally);
    compareDecoders(randomRecords(100_000, 0x1234 + size), size, tally);
  }
  assert.equal([...tally.differences], []);
  assert.ok(tally.same > 800_000 && tally.invalid > 300_000, `${tally.same} ${tally.invalid}`);
  for (const [i, { reason }] of UNCLAIMED.entries()) assert.ok(tally.unclaimed[i] > 0, `explains nothing: ${reason}`);
});

/** Decodes bytes written in hexadecimal, all of them available and no more. */
function decoded(text: string, size: 2 | 4 = 4): DecodeResult {
  const bytes = Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));
  return decode(bytes, 0, bytes.length, size, insn);
}

test("resolves registers, address and segment of the operands", () => {
  assert.is(decoded("8b 84 8d 78 56 34 12"), DecodeResult.Ok);
  assert.equal(
    [insn.reg, insn.rm, insn.base, insn.index, insn.scale, insn.displacement, insn.segment],
    [0, -1, 5, 1, 2, 0x12345678, Segment.SS],
  );
  // No base with mod 0 and EBP: DS, though EBP is the index.
  decoded("8b 04 2d 10 00 00 00");
  assert.equal([insn.base, insn.index, insn.segment], [NO_REGISTER, 5, Segment.DS]);
  // ESP as base, no index; the override wins.
  decoded("64 8b 4c 24 f8");
  assert.equal(
    [insn.base, insn.index, insn.displacement, insn.segment, insn.segmentOverride],
    [4, NO_REGISTER, -8, Segment.FS, 1],
  );
  decoded("8b 0c 24");
  assert.is(insn.segment, Segment.SS);
  decoded("67 8b 52 fe");
  assert.equal([insn.base, insn.index, insn.displacement, insn.segment], [5, 6, -2, Segment.SS]);
  decoded("67 8b 1e fe ff");
  assert.equal(
    [insn.base, insn.index, insn.displacement, insn.segment],
    [NO_REGISTER, NO_REGISTER, 0xfffe, Segment.DS],
  );
  decoded("8b 07", 2);
  assert.equal([insn.base, insn.index, insn.segment, insn.operandSize], [3, NO_REGISTER, Segment.DS, 2]);
  decoded("a1 f0 ff ff ff");
  assert.equal([insn.rm, insn.base, insn.displacement], [-1, NO_REGISTER, -16]);
  decoded("a1 f0 ff", 2);
  assert.equal([insn.displacement, insn.segment], [0xfff0, Segment.DS]);
  decoded("0f 22 1e");
  assert.equal([insn.reg, insn.rm], [3, 6]);
  decoded("43");
  assert.is(insn.reg, 3);
});

test("extends immediates as the form says", () => {
  const cases: [string, 2 | 4, number, number][] = [
    ["04 ff", 4, 0xff, 0],
    ["83 c0 ff", 4, -1, 0],
    ["83 c0 ff", 2, -1, 0],
    ["05 ff ff ff ff", 4, -1, 0],
    ["05 ff ff", 2, 0xffff, 0],
    ["c2 fe ff", 4, 0xfffe, 0],
    ["eb fe", 4, -2, 0],
    ["e9 00 ff", 2, -256, 0],
    ["ea 78 56 34 12 08 00", 4, 0x12345678, 8],
    ["ea 34 f2 00 f0", 2, 0xf234, 0xf000],
    ["c8 34 92 05", 4, 0x9234, 5],
    ["cd 80", 4, 0x80, 0],
  ];
  for (const [text, size, immediate, immediate2] of cases) {
    assert.is(decoded(text, size), DecodeResult.Ok, text);
    assert.equal([insn.immediate, insn.immediate2], [immediate, immediate2], text);
  }
});

test("keeps the last prefix of each group", () => {
  decoded("f3 f2 a6");
  assert.is(insn.prefixes, Prefix.Repne);
  decoded("f0 f2 f3 01 00");
  assert.is(insn.prefixes, Prefix.Lock | Prefix.Rep);
  decoded("65 26 a4");
  assert.equal([insn.segment, insn.segmentOverride], [Segment.ES, 1]);
});

test("asks for more bytes at every cut, and then for none", () => {
  const texts = [
    "f3 a5",
    "66 67 8b 84 24 01 00 00 00".replace("67 ", ""),
    "2e c7 44 24 10 01 02 03 04",
    "0f ba 60 04 07",
  ];
  for (const text of [...texts, "9a 01 02 03 04 05 06", "c8 01 02 03", "64 a1 01 02 03 04"]) {
    const bytes = Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));
    for (let n = 0; n < bytes.length; n++) {
      assert.is(decode(bytes, 0, n, 4, insn), DecodeResult.NeedMore, `${text} cut to ${n}`);
      assert.is(insn.row, INVALID_ROW);
    }
    assert.is(decode(bytes, 0, bytes.length, 4, insn), DecodeResult.Ok);
    assert.is(insn.length, bytes.length);
  }
});

test("takes 15 bytes and refuses 16", () => {
  const prefixes = (n: number) => "2e ".repeat(n);
  assert.is(decoded(`${prefixes(14)}90`), DecodeResult.Ok);
  assert.is(insn.length, 15);
  assert.is(decoded(`${prefixes(15)}90`), DecodeResult.TooLong);
  assert.is(decoded(prefixes(14)), DecodeResult.NeedMore);
  assert.is(decoded(prefixes(15)), DecodeResult.TooLong);
  assert.is(decoded(`${prefixes(9)}81 00 01 02 03 04`), DecodeResult.Ok);
  assert.is(decoded(`${prefixes(10)}81 00 01 02 03 04`), DecodeResult.TooLong);
});

test("finds undefined what the manual finds undefined", () => {
  const texts = [
    "f0 01 c0", // LOCK with a register destination
    "f0 39 00", // LOCK CMP
    "f0 90",
    "8d c0", // LEA of a register
    "c5 c0",
    "62 c0",
    "ff d8", // far CALL through a register
    "ff f8",
    "fe 10",
    "8e c8", // MOV CS
    "8e f0",
    "8c f8",
    "0f 22 c8", // CR1
    "0f 20 e8", // CR5
    "0f 01 f8", // INVLPG of a register (SWAPGS later)
    "0f 58 c0", // ADDPS
    "0f c7 c9", // CMPXCHG8B of a register
    "0f c7 38", // RDRAND's opcode, with memory
    "0f 0d 00", // PREFETCHW
    "0f 33", // RDPMC
    "0f 34", // SYSENTER
    "0f 0f 00 00",
    "c7 f8 00 00 00 00", // XBEGIN
    "8f 08",
  ];
  for (const text of texts) {
    assert.is(decoded(text), DecodeResult.Invalid, text);
    assert.is(insn.row, INVALID_ROW);
  }
});

test("every row decodes, and marks what ends a block", () => {
  const seen = new Set<number>();
  for (const opcode of OPCODES) {
    for (let modrm = 0; modrm < 256; modrm++) {
      const bytes = Uint8Array.of(...opcode, modrm, ...new Array<number>(12).fill(0));
      if (decode(bytes, 0, bytes.length, 4, insn) === DecodeResult.Ok) seen.add(insn.row);
    }
  }
  const missing = ROWS.filter((_, index) => index !== INVALID_ROW && !seen.has(index));
  assert.equal(missing, []);
  const ends = (text: string) => decoded(text) === DecodeResult.Ok && (ROWS[insn.row].flags & RowFlag.Terminates) !== 0;
  for (const text of [
    "75 00",
    "e8 00 00 00 00",
    "ff e0",
    "c3",
    "cd 80",
    "cf",
    "fb",
    "9d",
    "8e d0",
    "ec",
    "0f 31",
    "f4",
  ]) {
    assert.ok(ends(text), text);
  }
  for (const text of ["90", "01 c0", "fa", "9c", "a5", "8b 00", "0f a2"]) assert.not.ok(ends(text), text);
});

test.run();
