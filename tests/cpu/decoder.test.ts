import { CpuidFeature } from "iced-x86";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { DecodeResult, decode } from "../../cpu/decoder";
import { Instruction, NO_REGISTER, Prefix, Segment } from "../../cpu/instruction";
import { INVALID_ROW, mnemonicOf, ROWS, RowFlag } from "../../cpu/isa";
import { icedName, Oracle, RECORD, randomFrom } from "./oracle";

const test = suite("cpu/decoder");

const insn = new Instruction();

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/**
 * Whether a 386, 486 or we (CPUID, RDTSC, UD2, long NOP) have what iced decoded, by the CPUID feature that it names.
 * Left out on purpose: 0F 18 to 0F 1E, hints of later processors; UD0 and UD1, which fault like anything undefined; and
 * control registers that do not exist, whose number iced does not judge.
 */
function isOurs(oracle: Oracle, bytes: Uint8Array): boolean {
  if (!oracle.features.every((feature) => OUR_FEATURES.has(feature))) return false;
  if (/^Ud[01]/.test(oracle.form)) return false;
  if (oracle.form.startsWith("Reservednop")) return /_0F1F$/.test(oracle.form);
  if (/_cr$|Mov_cr/.test(oracle.form)) return controlRegisterExists(bytes);
  return true;
}

const OUR_FEATURES = new Set([
  CpuidFeature.INTEL8086,
  CpuidFeature.INTEL8086_ONLY,
  CpuidFeature.INTEL186,
  CpuidFeature.INTEL286,
  CpuidFeature.INTEL386,
  CpuidFeature.INTEL486,
  CpuidFeature.CPUID,
  CpuidFeature.TSC,
  CpuidFeature.MULTIBYTENOP,
  CpuidFeature.FPU,
  CpuidFeature.FPU287,
  CpuidFeature.FPU387,
]);

function controlRegisterExists(bytes: Uint8Array): boolean {
  const opcode = bytes.indexOf(0x0f);
  return [0, 2, 3, 4].includes((bytes[opcode + 2] >> 3) & 7);
}

interface Count {
  same: number;
  invalid: number;
}

/** Compares all records; returns how many were instructions in both and in neither. Fails with one case of each kind. */
function compare(records: Uint8Array, defaultSize: 2 | 4): Count {
  const oracle = new Oracle(defaultSize, records);
  const count = { same: 0, invalid: 0 };
  const differences = new Map<string, string>();
  const differ = (index: number, ours: string) => {
    const what = `iced ${oracle.valid ? oracle.form : "none"} of ${oracle.length} bytes, ours ${ours}, size ${defaultSize}`;
    if (!differences.has(what)) differences.set(what, hex(records.subarray(index * RECORD, (index + 1) * RECORD)));
  };
  for (let i = 0; i * RECORD < records.length; i++) {
    const result = decode(records, i * RECORD, RECORD, defaultSize, insn);
    oracle.decode(i);
    if (result !== DecodeResult.Ok) {
      const bytes = records.subarray(i * RECORD, (i + 1) * RECORD);
      if (oracle.valid && isOurs(oracle, bytes)) differ(i, `result ${result}`);
      count.invalid++;
      continue;
    }
    const row = ROWS[insn.row];
    const ours = icedName(mnemonicOf(row, insn.operandSize, insn.addressSize));
    if (!oracle.valid || oracle.mnemonic !== ours || oracle.length !== insn.length)
      differ(i, `${ours}, ${insn.length}`);
    count.same++;
  }
  oracle.free();
  assert.is(differences.size, 0, [...differences].slice(0, 40).join("\n"));
  return count;
}

test("agrees with iced on 100,000 random byte strings in each size", () => {
  for (const size of [2, 4] as const) {
    const random = randomFrom(0x1234 + size);
    const records = new Uint8Array(100_000 * RECORD);
    for (let i = 0; i < records.length; i++) records[i] = random() >>> 24;
    const { same, invalid } = compare(records, size);
    assert.ok(same > 60_000 && invalid > 1_000, `${same} ${invalid}`);
  }
});

/** Fills records with `heads`, each followed by bytes that are neither prefixes nor all alike. */
function recordsOf(heads: number[][]): Uint8Array {
  const records = new Uint8Array(heads.length * RECORD);
  for (const [i, head] of heads.entries()) {
    for (let at = 0; at < RECORD; at++) records[i * RECORD + at] = head[at] ?? 0x81 + at * 7;
  }
  return records;
}

const OPCODES = Array.from({ length: 512 }, (_, i) => (i < 256 ? [i] : [0x0f, i - 256]));

test("agrees with iced on every opcode with every ModRM byte, plain and locked", () => {
  const heads: number[][] = [];
  for (const prefix of [[], [0xf0]]) {
    for (const opcode of OPCODES) for (let modrm = 0; modrm < 256; modrm++) heads.push([...prefix, ...opcode, modrm]);
  }
  const records = recordsOf(heads);
  for (const size of [2, 4] as const) compare(records, size);
});

test("agrees with iced on every opcode and digit behind every prefix", () => {
  const prefixes = [[0x66], [0x67], [0x66, 0x67], [0xf2], [0xf3], [0x66, 0xf3], [0x2e], [0x65], [0x36, 0x26, 0x67]];
  prefixes.push([0xf0, 0x66], [0xf0, 0xf3, 0x67]);
  const heads: number[][] = [];
  for (const prefix of prefixes) {
    for (const opcode of OPCODES) {
      for (let modrm = 0; modrm < 256; modrm += 8) {
        // One memory operand without displacement, one lone displacement, and a register.
        heads.push([...prefix, ...opcode, modrm | ((modrm >> 3) & 7)]);
      }
    }
  }
  const records = recordsOf(heads);
  for (const size of [2, 4] as const) compare(records, size);
});

test("agrees with iced on the length of every ModRM and SIB byte in both address sizes", () => {
  const heads: number[][] = [];
  for (const prefix of [[], [0x67]]) {
    for (const opcode of [[0x8b], [0xc7], [0x0f, 0xb6]]) {
      for (let modrm = 0; modrm < 256; modrm++) {
        if (opcode[0] === 0xc7 && modrm & 0x38) continue;
        for (let sib = 0; sib < 256; sib += (modrm & 7) === 4 ? 1 : 51) heads.push([...prefix, ...opcode, modrm, sib]);
      }
    }
  }
  const records = recordsOf(heads);
  for (const size of [2, 4] as const) assert.is(compare(records, size).invalid, 0);
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
    "0f 40 c1", // CMOVO
    "0f c7 08", // CMPXCHG8B
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
