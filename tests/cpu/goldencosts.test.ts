/**
 * Golden costs: what one instruction of each form of the instruction set takes, form by form, as recorded on COST_VERSION 1. A form that is
 * new has no row until `GOLDEN_RECORD=1 node tests/run.mjs cpu/goldencosts` writes the file; one that is there must not change.
 *
 * Each form runs as 32-bit and 16-bit, with a register and with memory where it has a ModRM byte, repeated and locked where
 * it may be, in ring 0 without paging. A case reads "instructions:cycles", with "!vector" behind it where the instruction traps.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { hasModrm, ROWS, type Row, RowFlag } from "../../cpu/isa";
import { CODE0, DATA0, FREE, GDT, IDT, KERNEL_STACK, Rig, TSS_SELECTOR } from "./rig";

const test = suite("cpu/goldencosts");
const FILE = "tests/cpu/goldencosts.json";

/** Repetitions. */
const COUNT = 3;
/** Registers of every case, EAX first: pointers into free memory, small counts, a dividend that no operand here overflows. */
const REGISTERS = [0x123, COUNT, 0, FREE + 0x2000, KERNEL_STACK, KERNEL_STACK, FREE + 0x3000, FREE + 0x4000];
/** Whatever immediate, distance or pointer a form has: 4 as a byte, FREE + 4 as a word, selector 8 behind it. */
const IMMEDIATES = [4, 0, 0x10, 0, 8, 0, 0, 0];
/** Behind a repeated instruction, which may end early: NOP. */
const NOPS = [0x90, 0x90, 0x90];
/** What [EBX + 8] holds for forms that look for something of their own there; for all others it is DATA0. */
const FOUND: Readonly<Record<string, readonly number[]>> = {
  call: [FREE + 16, CODE0],
  jmp: [FREE + 16, CODE0],
  bound: [0, 0x7fffffff],
  ltr: [TSS_SELECTOR],
  lldt: [0],
};
/** What lies on the stack for POP, and for all others: EIP, CS, EFLAGS. */
const POPPED = [DATA0, DATA0, DATA0];
const RETURNED = [FREE + 16, CODE0, 2];
/** [EBX + 8], and ESI. */
const MEMORY = 0x43;
const REGISTER = 0xc6;

/** A form's name in the file. Forms with several of the same opcode differ by digit. */
function keyOf({ opcode, digit, mnemonic, operands }: Row): string {
  return [opcode.toString(16), ...(digit < 0 ? [] : [`/${digit}`]), mnemonic, ...operands].join(" ");
}

/** Bytes of each case of a form. */
function casesOf(row: Row): number[][] {
  const { opcode, digit, operands, flags } = row;
  const opcodes = opcode > 0xff ? [opcode >> 8, opcode & 0xff] : [opcode];
  // DS, CR3, DR3, EBX.
  const reg = digit < 0 ? 3 : digit;
  const modrms = hasModrm(row) ? [[REGISTER | (reg << 3)], [MEMORY | (reg << 3), 8]] : [[]];
  const prefixes = [[], [0x66]];
  if (flags & RowFlag.RepAllowed) prefixes.push([0xf3], [0xf2], [0xf3, 0x66]);
  if (flags & RowFlag.Lockable) prefixes.push([0xf0]);
  if (flags & RowFlag.RepAllowed) return prefixes.map((prefix) => [...prefix, ...opcodes, ...NOPS]);
  const tail = operands.includes("Ib") && operands.includes("Iw") ? [16, 0, 1, ...IMMEDIATES] : IMMEDIATES;
  return prefixes.flatMap((prefix) => modrms.map((modrm) => [...prefix, ...opcodes, ...modrm, ...tail]));
}

function costsOf(row: Row): string[] {
  const rig = new Rig();
  return casesOf(row).map((code) => {
    rig.ring(0);
    rig.registers = REGISTERS;
    rig.cpu.setDescriptorTable("gdt", GDT, 0xfff);
    rig.cpu.setDescriptorTable("idt", IDT, 0x7ff);
    for (let at = FREE + 0x2000; at < FREE + 0x5000; at += 4) rig.word(at, DATA0);
    for (const [i, word] of (FOUND[row.mnemonic] ?? []).entries()) rig.word(FREE + 0x2008 + 4 * i, word);
    for (const [i, word] of (row.mnemonic === "pop" ? POPPED : RETURNED).entries())
      rig.word(KERNEL_STACK + 4 * i, word);
    rig.cpu.ram.set(code, FREE);
    rig.cpu.codeChanged(FREE, code.length);
    const { instret, cycles } = rig.cpu;
    const trap = rig.run(FREE, code[0] === 0xf2 || code[0] === 0xf3 ? COUNT : 1);
    const took = `${rig.cpu.instret - instret}:${rig.cpu.cycles - cycles}`;
    return trap === null ? took : `${took}!${trap.vector}`;
  });
}

/** x87 forms came later than the recording. */
const forms = ROWS.filter(({ opcode, flags }) => opcode >= 0 && !(flags & RowFlag.Fpu));

if (process.env.GOLDEN_RECORD) {
  const lines = forms.map((row) => `  ${JSON.stringify(keyOf(row))}: ${JSON.stringify(costsOf(row).join(" "))}`);
  writeFileSync(FILE, `{\n${lines.join(",\n")}\n}\n`);
}

test("each form recorded costs what it did", () => {
  const recorded = JSON.parse(readFileSync(FILE, "utf8")) as Record<string, string>;
  const now = new Map(forms.map((row) => [keyOf(row), row]));
  const wrong: string[] = [];
  for (const [key, costs] of Object.entries(recorded)) {
    const row = now.get(key);
    const found = row === undefined ? "no such form" : costsOf(row).join(" ");
    if (found !== costs) wrong.push(`${key}: ${found}, recorded ${costs}`);
  }
  assert.is(wrong.length, 0, wrong.join("\n"));
  assert.ok(Object.keys(recorded).length > 360);
});

test.run();
