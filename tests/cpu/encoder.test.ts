import { suite } from "uvu";
import * as assert from "uvu/assert";
import { DecodeResult, decode } from "../../cpu/decoder";
import {
  creg,
  defaultSegment,
  dreg,
  EncodeError,
  type EncodeOptions,
  Encoder,
  encode,
  far,
  imm,
  MNEMONIC_ALIASES,
  mem,
  type OperandValue,
  operandValues,
  reg,
  rel8,
  rel32,
  sreg,
  st,
} from "../../cpu/encoder";
import { Instruction, Prefix, Segment } from "../../cpu/instruction";
import { INVALID_ROW, mnemonicOf, ROWS } from "../../cpu/isa";

const test = suite("cpu/encoder");

const [EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI] = [0, 1, 2, 3, 4, 5, 6, 7];

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** Checks that the operands encode as these bytes. */
function encodes(expected: string, mnemonic: string, values: OperandValue[] = [], options: EncodeOptions = {}): void {
  assert.is(hex(encode(mnemonic, values, options)), expected.replaceAll(" ", ""), `${mnemonic} ${expected}`);
}

/** What of an instruction matters, with what its bytes may vary in left out: useless prefixes, widths of immediates. */
function meaning(insn: Instruction): string {
  const row = ROWS[insn.row];
  const values = operandValues(insn).map((value) => {
    if (value.kind === "imm") return { imm: insn.operandSize === 2 ? value.value & 0xffff : value.value >>> 0 };
    if (value.kind !== "mem") return value;
    const segment = value.segment === defaultSegment(value.base) ? -1 : value.segment;
    return { ...value, segment };
  });
  // Which of the two registers that change places is named first is all the same.
  if (row.mnemonic === "xchg") values.sort((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)));
  return JSON.stringify([mnemonicOf(row, insn.operandSize, insn.addressSize), insn.prefixes, values]);
}

test("every row: decode, encode and decode again mean the same, and the result is no longer", () => {
  const seen = new Set<number>();
  const first = new Instruction();
  const second = new Instruction();
  const prefixSets = [[], [0x66], [0x67], [0x66, 0x67], [0x64], [0x2e, 0x66], [0xf0], [0xf3], [0xf2, 0x67]];
  const opcodes = Array.from({ length: 512 }, (_, i) => (i < 256 ? [i] : [0x0f, i - 256]));
  const tails = [
    [0x24, 0xf0, 0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xff],
    [0x8d, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80],
  ];
  let cases = 0;
  for (const size of [2, 4] as const) {
    const encoder = new Encoder(size);
    for (const prefixes of prefixSets) {
      for (const opcode of opcodes) {
        for (let modrm = 0; modrm < 256; modrm += 1) {
          const bytes = Uint8Array.from([...prefixes, ...opcode, modrm, ...tails[modrm & 1]]);
          if (decode(bytes, 0, bytes.length, size, first) !== DecodeResult.Ok) continue;
          const row = ROWS[first.row];
          const modrmAt = prefixes.length + opcode.length;
          // Without ModRM or a lone register the other values of the byte add nothing.
          if (first.length <= modrmAt && modrm > 0) break;
          seen.add(first.row);
          cases++;
          const { operandSize, addressSize } = first as { operandSize: 2 | 4; addressSize: 2 | 4 };
          const options: EncodeOptions = { prefixes: first.prefixes, operandSize, addressSize };
          if (first.segmentOverride) options.segment = first.segment;
          const values = operandValues(first);
          const name = mnemonicOf(row, operandSize, addressSize);
          const length = encoder.encode(name, values, options);
          assert.is(decode(encoder.bytes, 0, length, size, second), DecodeResult.Ok, `${name} ${hex(bytes)}`);
          if (meaning(first) !== meaning(second) || second.length !== length || length > first.length) {
            const back = hex(encoder.bytes.subarray(0, length));
            assert.unreachable(`${hex(bytes)} size ${size} -> ${back}\n${meaning(first)}\n${meaning(second)}`);
          }
        }
      }
    }
  }
  assert.ok(cases > 100_000, String(cases));
  const missing = ROWS.filter((_, i) => i !== INVALID_ROW && !seen.has(i));
  assert.equal(missing, []);
});

test("takes the shortest form", () => {
  encodes("83 c3 05", "add", [reg(EBX), imm(5)]);
  encodes("83 c0 ff", "add", [reg(EAX), imm(0xffffffff)]);
  encodes("05 00 01 00 00", "add", [reg(EAX), imm(256)]);
  encodes("81 c1 00 01 00 00", "add", [reg(ECX), imm(256)]);
  encodes("04 80", "add", [reg(EAX, 1), imm(0x80)]);
  encodes("40", "inc", [reg(EAX)]);
  encodes("fe c0", "inc", [reg(EAX, 1)]);
  encodes("53", "push", [reg(EBX)]);
  encodes("6a 80", "push", [imm(-128)]);
  encodes("68 80 00 00 00", "push", [imm(128)]);
  encodes("a1 78 56 34 12", "mov", [reg(EAX), mem(4, { displacement: 0x12345678 })]);
  encodes("8b 0d 78 56 34 12", "mov", [reg(ECX), mem(0, { displacement: 0x12345678 })]);
  encodes("b9 01 00 00 00", "mov", [reg(ECX), imm(1)]);
  encodes("8b 45 f8", "mov", [reg(EAX), mem(4, { base: EBP, displacement: -8 })]);
  encodes("8b 45 f8", "mov", [reg(EAX), mem(4, { base: EBP, displacement: 0xfffffff8 })]);
  encodes("8b 45 00", "mov", [reg(EAX), mem(4, { base: EBP })]);
  encodes("8b 00", "mov", [reg(EAX), mem(4, { base: EAX })]);
  encodes("8b 80 80 00 00 00", "mov", [reg(EAX), mem(4, { base: EAX, displacement: 128 })]);
  encodes("8b 04 24", "mov", [reg(EAX), mem(4, { base: ESP })]);
  encodes("8b 44 98 04", "mov", [reg(EAX), mem(4, { base: EAX, index: EBX, scale: 2, displacement: 4 })]);
  encodes("8b 04 9d 00 00 00 00", "mov", [reg(EAX), mem(4, { index: EBX, scale: 2 })]);
  encodes("8d 04 1c", "lea", [reg(EAX), mem(0, { base: EBX, index: ESP })]);
  encodes("d1 e0", "shl", [reg(EAX), imm(1)]);
  encodes("c1 e0 04", "sal", [reg(EAX), imm(4)]);
  encodes("d3 e0", "shl", [reg(EAX), reg(ECX, 1)]);
  encodes("6b c1 0a", "imul", [reg(EAX), reg(ECX), imm(10)]);
  encodes("0f af c1", "imul", [reg(EAX), reg(ECX)]);
  encodes("91", "xchg", [reg(EAX), reg(ECX)]);
  encodes("92", "xchg", [reg(EDX), reg(EAX)]);
  encodes("87 c0", "xchg", [reg(EAX), reg(EAX)]);
  encodes("87 0b", "xchg", [reg(ECX), mem(0, { base: EBX })]);
  encodes("85 0b", "test", [reg(ECX), mem(4, { base: EBX })]);
  encodes("a8 01", "test", [reg(EAX, 1), imm(1)]);
  encodes("cd 80", "int", [imm(0x80)]);
});

test("writes system instructions and prefixes", () => {
  encodes("0f 22 d8", "mov", [creg(3), reg(EAX)]);
  encodes("0f 20 d0", "mov", [reg(EAX), creg(2)]);
  encodes("0f 23 f8", "mov", [dreg(7), reg(EAX)]);
  encodes("8e d8", "mov", [sreg(Segment.DS), reg(EAX, 2)]);
  encodes("8e d8", "mov", [sreg(Segment.DS), reg(EAX)]);
  encodes("8c d8", "mov", [reg(EAX), sreg(Segment.DS)]);
  encodes("66 8c d8", "mov", [reg(EAX, 2), sreg(Segment.DS)]);
  encodes("8c 18", "mov", [mem(0, { base: EAX }), sreg(Segment.DS)]);
  encodes("0f a8", "push", [sreg(Segment.GS)]);
  encodes("0f 01 15 00 10 00 00", "lgdt", [mem(0, { displacement: 0x1000 })]);
  encodes("0f 01 38", "invlpg", [mem(0, { base: EAX })]);
  encodes("0f 00 d8", "ltr", [reg(EAX, 2)]);
  encodes("ea 78 56 34 12 08 00", "jmp", [far(8, 0x12345678)]);
  encodes("ff 28", "jmp", [mem(6, { base: EAX, far: true })]);
  encodes("ff 18", "call", [mem(0, { base: EAX, far: true })]);
  encodes("0f b2 20", "lss", [reg(ESP), mem(0, { base: EAX })]);
  encodes("ff 20", "jmp", [mem(0, { base: EAX })]);
  encodes("ff d2", "call", [reg(EDX)]);
  encodes("eb fe", "jmp", [rel8(-2)]);
  encodes("0f 84 00 01 00 00", "je", [rel32(256)]);
  encodes("74 10", "jz", [rel8(16)]);
  encodes("0f 95 c0", "setne", [reg(EAX, 1)]);
  encodes("f3 a5", "movsd", [], { prefixes: Prefix.Rep });
  encodes("f3 66 a5", "movsw", [], { prefixes: Prefix.Rep });
  encodes("65 a5", "movsd", [], { segment: Segment.GS });
  encodes("f0 0f b1 0b", "cmpxchg", [mem(4, { base: EBX }), reg(ECX)], { prefixes: Prefix.Lock });
  encodes("64 a1 10 00 00 00", "mov", [reg(EAX), mem(4, { displacement: 16, segment: Segment.FS })]);
  encodes("3e 8b 45 00", "mov", [reg(EAX), mem(4, { base: EBP, segment: Segment.DS })]);
  encodes("cf", "iretd");
  encodes("cf", "iret");
  encodes("66 cf", "iretw");
  encodes("60", "pusha");
  encodes("ec", "in", [reg(EAX, 1), reg(EDX, 2)]);
  encodes("e7 80", "out", [imm(0x80), reg(EAX)]);
  encodes("0f b6 c0", "movzx", [reg(EAX), reg(EAX, 1)]);
  encodes("66 0f b6 c0", "movzx", [reg(EAX, 2), reg(EAX, 1)]);
  encodes("0f b7 00", "movzx", [reg(EAX), mem(2, { base: EAX })]);
  encodes("67 8b 40 02", "mov", [reg(EAX), mem(4, { base: EBX, index: ESI, displacement: 2, addressSize: 2 })]);
  encodes("c8 10 00 01", "enter", [imm(16), imm(1)]);
  encodes("67 e3 00", "jcxz", [rel8(0)]);
  encodes("8e 07", "mov", [sreg(Segment.ES), mem(2, { base: EDI })]);
});

test("writes x87 instructions", () => {
  encodes("d9 c2", "fld", [st(2)]);
  encodes("d9 00", "fld", [mem(4, { base: EAX })]);
  encodes("dd 00", "fld", [mem(8, { base: EAX })]);
  encodes("db 28", "fld", [mem(10, { base: EAX })]);
  encodes("d8 c1", "fadd", [st(0), st(1)]);
  encodes("dc c1", "fadd", [st(1), st(0)]);
  encodes("de c1", "faddp", [st(1), st(0)]);
  encodes("df 38", "fistp", [mem(8, { base: EAX })]);
  encodes("df e0", "fnstsw", [reg(EAX, 2)]);
  encodes("dd 38", "fnstsw", [mem(0, { base: EAX })]);
  encodes("dd 30", "fnsave", [mem(0, { base: EAX })]);
  encodes("66 dd 30", "fnsave", [mem(94, { base: EAX })]);
  encodes("d9 30", "fnstenv", [mem(28, { base: EAX })]);
  encodes("d9 fe", "fsin");
  encodes("9b", "wait");
});

test("tells where the fields for relocations are, and keeps wide ones wide", () => {
  const encoder = new Encoder();
  assert.is(encoder.encode("push", [imm(0, true)]), 5);
  assert.equal([encoder.immediateAt, encoder.displacementAt], [1, -1]);
  assert.is(encoder.encode("add", [reg(EBX), imm(0, true)]), 6);
  assert.is(encoder.immediateAt, 2);
  assert.is(encoder.encode("mov", [mem(4, { base: EBX, wide: true }), imm(1)]), 10);
  assert.equal([encoder.displacementAt, encoder.immediateAt], [2, 6]);
  encoder.encode("mov", [reg(EAX), mem(4, { wide: true })]);
  assert.equal([encoder.length, encoder.displacementAt, encoder.immediateAt], [5, 1, -1]);
  encoder.encode("movzx", [reg(EDX), mem(1, { base: EBX, index: ESI, wide: true })]);
  assert.equal([encoder.length, encoder.displacementAt], [8, 4]);
  encoder.encode("call", [rel32(0)]);
  assert.equal([encoder.length, encoder.immediateAt], [5, 1]);
  encoder.encode("jmp", [far(8, 0)]);
  assert.equal([encoder.length, encoder.immediateAt], [7, 1]);
  encoder.encode("nop");
  assert.equal([encoder.length, encoder.immediateAt, encoder.displacementAt], [1, -1, -1]);
});

test("refuses what no form takes", () => {
  const refuses = (pattern: RegExp, mnemonic: string, values: OperandValue[] = [], options: EncodeOptions = {}) => {
    const call = () => encode(mnemonic, values, options);
    assert.throws(call, (error: Error) => error instanceof EncodeError && pattern.test(error.message), mnemonic);
  };
  refuses(/called 'addps'/, "addps");
  refuses(/no form/, "fadd", [st(1), st(2)]);
  refuses(/size/, "fld", [mem(0, { base: EAX })]);
  refuses(/no form/, "add", [reg(EAX), reg(EAX, 1)]);
  refuses(/no form/, "mov", [mem(4, { base: EAX }), mem(4, { base: ECX })]);
  refuses(/no form/, "mov", [reg(EAX, 1), imm(300)]);
  refuses(/no form/, "mov", [sreg(Segment.CS), reg(EAX, 2)]);
  refuses(/no form/, "mov", [creg(1), reg(EAX)]);
  refuses(/no form/, "lea", [reg(EAX), reg(ECX)]);
  refuses(/no form/, "jz", [rel8(128)]);
  refuses(/no form/, "in", [reg(EAX, 1), reg(ECX, 2)]);
  refuses(/no form/, "movsd", [mem(4, { base: EDI }), mem(4, { base: ESI })]);
  refuses(/size/, "inc", [mem(0, { base: EAX })]);
  refuses(/size/, "mov", [mem(0, { base: EAX }), imm(1)]);
  refuses(/size/, "movzx", [reg(EAX), mem(0, { base: EAX })]);
  refuses(/ESP/, "mov", [reg(EAX), mem(4, { base: EAX, index: ESP, scale: 1 })]);
  refuses(/16-bit/, "mov", [reg(EAX), mem(4, { base: EAX, addressSize: 2 })]);
  refuses(/locked/, "add", [reg(EAX), reg(EAX)], { prefixes: Prefix.Lock });
  refuses(/locked/, "cmp", [mem(4, { base: EAX }), reg(EAX)], { prefixes: Prefix.Lock });
});

test("an alias names a row, and is none itself", () => {
  const names = new Set(ROWS.flatMap((row) => [row.mnemonic, row.mnemonic16]));
  for (const [alias, name] of Object.entries(MNEMONIC_ALIASES)) {
    assert.ok(names.has(name), `${alias} -> ${name}`);
    assert.not.ok(names.has(alias), alias);
  }
});

test.run();
