import { suite } from "uvu";
import * as assert from "uvu/assert";
import { DecodeResult, decode } from "../../cpu/decoder";
import { disassemble } from "../../cpu/disassembler";
import { defaultSegment, operandValues } from "../../cpu/encoder";
import { Instruction } from "../../cpu/instruction";
import { ROWS, RowFlag } from "../../cpu/isa";
import { assemble } from "../../tools/compiler/assembler";
import { FormatterSyntax, Oracle, RECORD, randomFrom } from "./oracle";

const test = suite("cpu/disassembler");
const insn = new Instruction();
const ADDRESS = 0x1000;

function randomRecords(seed: number, count: number): Uint8Array {
  const random = randomFrom(seed);
  const records = new Uint8Array(count * RECORD);
  for (let i = 0; i < records.length; i++) records[i] = random() >>> 24;
  return records;
}

function isString(): boolean {
  return ROWS[insn.row].operands.some((operand) => /^[XY]/.test(operand));
}

/** An override that chooses the segment that would be used anyway, or that LEA has no use for: iced does not show it. */
function dropUselessOverride(): void {
  const memory = operandValues(insn).find((value) => value.kind === "mem");
  const useless = memory?.segment === defaultSegment(memory?.base ?? 0) || ROWS[insn.row].mnemonic === "lea";
  if (useless && !isString()) insn.segmentOverride = 0;
}

/** Negative immediates and displacements as 32-bit (or 16-bit) numbers, so that both spellings become one. */
function unsign(text: string): string {
  const mask = insn.operandSize === 2 ? 0xffff : 0xffffffff;
  return text.replaceAll(/(?<=[ $])-?(0x[0-9a-f]+|\d)\b(?!\()/g, (number) => {
    const value = Number(number.replace("-", ""));
    return `#${((number.startsWith("-") ? -value : value) & mask) >>> 0}`;
  });
}

/**
 * The same dress for both texts. What is taken off: prefixes that mean nothing here, the operands of string instructions
 * (told by the name), the second names of things (je, sal), scale 1 and the empty index in AT&T, and iced's own order of
 * far pointers.
 */
function plain(text: string): string {
  let out = text
    .replace(/^((data(16|32)|bnd|xrelease|xacquire|notrack|hint-taken|hint-not-taken|addr(16|32)) )+/, "")
    .replace(/^(j\w+),p[nt]/, "$1")
    .replace(/^(set|j|cmov)(n?)e\b/, "$1$2z")
    .replace(/^sal/, "shl")
    .replace(/^ret far/, "retf")
    .replace(/^(call|jmp) far (\S+), (\S+)$/, "$1 $3:$2")
    .replace(/far (fword|dword) ptr/, "$1 ptr")
    .replace(/^(bound .*)[dq]word ptr /, "$1")
    .replace(/^mov([zs])xw/, "mov$1ww")
    .replaceAll(/,1\)|,\)/g, ")")
    .replace("(%dx)", "%dx")
    .replace(/^(iret|pusha|popa|pushf|popf)[dwl]?$/, "$1")
    .replace(/^(leave|enter|l?retf?|push|pop|l?call|l?jmp|j[a-z]+?)[wl]\b/, "$1")
    .replace(/^(aa[md]) \$?0xa$/, "$1")
    .replace(/^imul (\w+), \1, /, "imul $1, ")
    .replace(/^imul (\S+), (%\w+), \2$/, "imul $1, $2")
    .replace(/^(\w\w )?xlatb?.*/, "xlat")
    .replace(/^.*$/, plainX87);
  if (isString()) {
    out = out.replace(
      /^(rep|repe|repne)? ?(ins|outs|movs|cmps|stos|lods|scas).*/,
      (_, rep: string | undefined, name: string) => {
        return `${rep ?? ""} ${name}`;
      },
    );
  }
  // MOV from a 32-bit register to a segment register takes its low half.
  if (ROWS[insn.row].operands[0] === "Sw") out = out.replace(/\be([a-ds][xpi])/, "$1");
  return unsign(out);
}

/**
 * The same for x87: iced's Intel text writes an implied ST, and leaves out operands that are ST(1); GNU's leaves them out too, and
 * has no name of its own for FSTPNCE.
 */
function plainX87(text: string): string {
  const row = ROWS[insn.row];
  if (!(row.flags & RowFlag.Fpu)) return text;
  const att = text.includes("%") || text.includes("(%");
  if (insn.rm === 1 && row.operands.includes("STi")) return text.replace(/ .*/, "").replace("fstpnce", "fstp");
  if (att) return text.replace("fstpnce", "fstp");
  // What the row implies.
  if (!row.operands.includes("ST")) return text.replace(/ st, /, " ").replace(/, st$/, "");
  return text;
}

test("says what iced says, in both syntaxes and sizes", () => {
  const records = randomRecords(99, 20_000);
  for (const size of [2, 4] as const) {
    const oracle = new Oracle(size, records);
    const differences = new Map<string, string>();
    let same = 0;
    for (let i = 0; i * RECORD < records.length; i++) {
      if (decode(records, i * RECORD, RECORD, size, insn) !== DecodeResult.Ok) continue;
      oracle.decode(i, ADDRESS);
      dropUselessOverride();
      for (const syntax of ["intel", "att"] as const) {
        const ours = disassemble(insn, ADDRESS, syntax);
        const theirs = oracle.format(syntax === "intel" ? FormatterSyntax.Intel : FormatterSyntax.Gas);
        if (plain(ours) === plain(theirs)) same++;
        else
          differences.set(
            `${syntax} ${ROWS[insn.row].mnemonic} ${ROWS[insn.row].operands}`,
            `${ours} | ${theirs} || ${plain(ours)} | ${plain(theirs)}`,
          );
      }
    }
    oracle.free();
    assert.is(
      differences.size,
      0,
      [...differences]
        .map((d) => d.join(": "))
        .slice(0, 60)
        .join("\n"),
    );
    assert.ok(same > 30_000, String(same));
  }
});

/** XCHG with its operands in one order: which comes first is all the same. ST by one of its two names. */
function settled(text: string): string {
  return text
    .replaceAll("st(0)", "st")
    .replace(/xchg (.+), (.+)$/, (_, a: string, b: string) => `xchg ${[a, b].sort().join(", ")}`);
}

test("what it says in Intel's syntax assembles to the same instruction", () => {
  const records = randomRecords(7, 25_000);
  const again = new Instruction();
  let same = 0;
  for (let i = 0; i * RECORD < records.length; i++) {
    if (decode(records, i * RECORD, RECORD, 4, insn) !== DecodeResult.Ok) continue;
    const row = ROWS[insn.row];
    // Jumps go to labels in assembly; 16-bit forms without operands have no name there.
    if (row.operands.some((operand) => /^[JA][bvp]$/.test(operand))) continue;
    if (insn.operandSize === 2 && /^(ret|retf|push|pop|leave|enter)$/.test(row.mnemonic)) continue;
    if (row.mnemonic === "xlatb" && insn.segmentOverride) continue;
    dropUselessOverride();
    const text = disassemble(insn, ADDRESS);
    const { bytes } = assemble(text, "text.s").sections[0];
    assert.is(decode(bytes, 0, bytes.length, 4, again), DecodeResult.Ok, text);
    assert.is(again.length, bytes.length, text);
    assert.is(unsign(settled(disassemble(again, ADDRESS))), unsign(settled(text)), text);
    same++;
  }
  assert.ok(same > 12_000, String(same));
});

/** The text of bytes written in hexadecimal, at ADDRESS. */
function text(
  bytes: string,
  syntax: "intel" | "att" = "intel",
  symbol?: (address: number) => string | undefined,
): string {
  const code = Uint8Array.from(Buffer.from(bytes.replaceAll(" ", ""), "hex"));
  assert.is(decode(code, 0, code.length, 4, insn), DecodeResult.Ok, bytes);
  return disassemble(insn, ADDRESS, syntax, symbol);
}

test("writes both syntaxes", () => {
  const cases: [string, string, string][] = [
    ["8b 45 f8", "mov eax, [ebp-8]", "mov -8(%ebp), %eax"],
    ["c7 45 f0 10 00 00 00", "mov dword ptr [ebp-0x10], 0x10", "movl $0x10, -0x10(%ebp)"],
    ["0f b6 04 8d 00 10 00 c0", "movzx eax, byte ptr [ecx*4-0x3ffff000]", "movzbl -0x3ffff000(,%ecx,4), %eax"],
    ["83 e4 f0", "and esp, -0x10", "and $-0x10, %esp"],
    ["f3 a5", "rep movsd", "rep movsl"],
    ["f3 a6", "repe cmpsb", "repe cmpsb"],
    ["64 a5", "movsd es:[edi], fs:[esi]", "movsl %fs:(%esi), %es:(%edi)"],
    ["f0 0f c1 01", "lock xadd [ecx], eax", "lock xadd %eax, (%ecx)"],
    ["eb fe", "jmp 0x1000", "jmp 0x1000"],
    ["66 e9 00 f0", "jmpw 4", "jmpw 4"],
    ["ea 00 00 10 c0 08 00", "jmp 8:0xc0100000", "ljmp $8, $0xc0100000"],
    ["ff 14 85 00 00 00 00", "call dword ptr [eax*4]", "call *(,%eax,4)"],
    ["66 68 34 12", "pushw 0x1234", "pushw $0x1234"],
    ["0f 22 d8", "mov cr3, eax", "mov %eax, %cr3"],
    ["8e d8", "mov ds, ax", "mov %ax, %ds"],
    ["ec", "in al, dx", "in (%dx), %al"],
    ["c8 10 00 01", "enter 0x10, 1", "enter $0x10, $1"],
    ["d9 28", "fldcw [eax]", "fldcw (%eax)"],
    ["dd c2", "ffree st(2)", "ffree %st(2)"],
    ["d8 45 08", "fadd dword ptr [ebp+8]", "fadds 8(%ebp)"],
    ["dc c1", "fadd st(1), st", "fadd %st, %st(1)"],
    ["de e9", "fsubp st(1), st", "fsubrp %st, %st(1)"],
    ["df 28", "fild qword ptr [eax]", "fildll (%eax)"],
    ["db 2c 24", "fld tbyte ptr [esp]", "fldt (%esp)"],
    ["da 00", "fiadd dword ptr [eax]", "fiaddl (%eax)"],
    ["dd 36", "fnsave [esi]", "fnsave (%esi)"],
    ["df e0", "fnstsw ax", "fnstsw %ax"],
  ];
  for (const [bytes, intel, att] of cases) {
    assert.is(text(bytes), intel);
    assert.is(text(bytes, "att"), att);
  }
});

test("names the addresses that the caller knows", () => {
  const symbol = (address: number) => (address >>> 28 === 0xc ? `k+0x${(address & 0xff).toString(16)}` : undefined);
  assert.is(text("e8 f7 ef ff bf", "intel", symbol), "call 0xbffffffc");
  assert.is(text("e8 0b f0 0f c0", "intel", symbol), "call 0xc0100010 <k+0x10>");
  assert.is(text("a1 04 00 20 c0", "intel", symbol), "mov eax, [0xc0200004] <k+0x4>");
  assert.is(text("b8 08 00 20 c0", "intel", symbol), "mov eax, 0xc0200008 <k+0x8>");
  assert.is(text("8b 04 8d 00 00 20 c0", "att", symbol), "mov -0x3fe00000(,%ecx,4) <k+0x0>, %eax");
});

test.run();
