import { FlowControl } from "iced-x86";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { hasModrm, INVALID_ROW, mnemonicOf, operandBytes, ROWS, type Row, RowFlag } from "../../cpu/isa";
import { Oracle, RECORD } from "./oracle";

const test = suite("cpu/isa");

/** Every row as bytes: the first opcode of its span, its digit, and a memory or register operand that it accepts. */
const rows = ROWS.filter((_, index) => index !== INVALID_ROW);
const records = new Uint8Array(rows.length * RECORD);
for (const [i, row] of rows.entries()) {
  const opcode = row.opcode > 0xff ? [0x0f, row.opcode & 0xff] : [row.opcode];
  // [EBX], or EBX where there must be a register; SS and CR3 are there for MOV.
  const register = row.operands.includes("Rd") ? 0xc0 : 0;
  const reg = row.digit >= 0 ? row.digit : row.operands.includes("Cd") ? 3 : 2;
  const rm = row.rm >= 0 ? 0xc0 | row.rm : row.operands.includes("STi") ? 0xc3 : register | 3;
  records.set([...opcode, ...(hasModrm(row) ? [rm | (reg << 3)] : [])], i * RECORD);
}

/** Calls `check` with each row and iced's view of its instruction. */
function eachRow(check: (row: Row, oracle: Oracle, name: string) => void): void {
  const oracle = new Oracle(4, records);
  for (const [i, row] of rows.entries()) {
    oracle.decode(i);
    assert.ok(oracle.valid, `${row.mnemonic} ${row.operands}`);
    check(row, oracle, `${row.opcode.toString(16)}/${row.digit} ${row.mnemonic} ${row.operands}`);
  }
  oracle.free();
}

test("privileged and I/O-sensitive rows are iced's privileged instructions", () => {
  eachRow((row, { instruction }, name) => {
    const ours = (row.flags & (RowFlag.Privileged | RowFlag.IoSensitive)) !== 0;
    assert.is(ours, instruction.isPrivileged, name);
  });
});

test("string rows are iced's string instructions", () => {
  eachRow((row, { instruction }, name) => {
    assert.is((row.flags & RowFlag.RepAllowed) !== 0, instruction.isStringInstruction, name);
    const compares = /^(cmps|scas)/.test(row.mnemonic);
    assert.is((row.flags & RowFlag.RepCompares) !== 0, compares, name);
  });
});

test("whatever changes the flow ends a block", () => {
  let jumps = 0;
  eachRow((row, { instruction }, name) => {
    if (instruction.flowControl === FlowControl.Next) return;
    jumps++;
    assert.ok(row.flags & RowFlag.Terminates, name);
  });
  assert.ok(jumps > 50, String(jumps));
});

test("names by size", () => {
  const named = (name: string) => rows.find((row) => row.mnemonic === name) as Row;
  assert.is(mnemonicOf(named("movsd"), 2, 4), "movsw");
  assert.is(mnemonicOf(named("movsd"), 4, 2), "movsd");
  assert.is(mnemonicOf(named("jecxz"), 4, 2), "jcxz");
  assert.is(mnemonicOf(named("jecxz"), 2, 4), "jecxz");
  assert.equal(
    (["Eb", "Ew", "Ev", "Mp", "Ma", "Ms", "RvMw"] as const).map((operand) => [
      operandBytes(operand, 2),
      operandBytes(operand, 4),
    ]),
    [
      [1, 1],
      [2, 2],
      [2, 4],
      [4, 6],
      [4, 8],
      [6, 6],
      [2, 4],
    ],
  );
});

test.run();
