import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AssembleError, assemble } from "../../tools/compiler/assembler";
import type { ObjectFile } from "../../tools/compiler/object";

const test = suite("compiler/assembler");

function bytesOf(object: ObjectFile, section = ".text"): string {
  const found = object.sections.find(({ name }) => name === section);
  return Buffer.from(found?.bytes ?? []).toString("hex");
}

/** The bytes of .text that the source assembles to. */
function text(source: string): string {
  return bytesOf(assemble(source, "test.s"));
}

function same(source: string, expected: string): void {
  assert.is(text(source), expected.replaceAll(/\s/g, ""), source);
}

/** Checks that the source is refused in this line with this reason. */
function refuses(source: string, line: number, reason: RegExp): void {
  try {
    assemble(source, "dir/bad.s");
  } catch (error) {
    assert.instance(error, AssembleError);
    const { file, line: found, message } = error as AssembleError;
    assert.is(file, "dir/bad.s");
    assert.is(found, line, message);
    assert.match(message, reason);
    assert.ok(message.startsWith(`dir/bad.s:${line}: `), message);
    return;
  }
  assert.unreachable(`accepted: ${source}`);
}

test("assembles what a kernel's entry needs", () => {
  const cases: [string, string][] = [
    ["lgdt [eax]", "0f 01 10"],
    ["lidt [ebx + 4]", "0f 01 5b 04"],
    ["ltr ax", "0f 00 d8"],
    ["mov cr0, eax", "0f 22 c0"],
    ["mov eax, cr3", "0f 20 d8"],
    ["mov cr4, ecx", "0f 22 e1"],
    ["mov ds, ax", "8e d8"],
    ["mov ax, ds", "66 8c d8"],
    ["push fs", "0f a0"],
    ["pop gs", "0f a9"],
    ["invlpg [eax]", "0f 01 38"],
    ["iretd", "cf"],
    ["iret", "cf"],
    ["PUSHAD", "60"],
    ["push 0x80", "68 80 00 00 00"],
    ["push -1", "6a ff"],
    ["rep movsd", "f3 a5"],
    ["repne scasb", "f2 ae"],
    ["lock cmpxchg [ebx], ecx", "f0 0f b1 0b"],
    ["in al, dx", "ec"],
    ["in eax, 0x60", "e5 60"],
    ["out dx, eax", "ef"],
    ["out 0xF4, al", "e6 f4"],
    ["hlt", "f4"],
    ["cli", "fa"],
    ["sti", "fb"],
    ["int 0x80", "cd 80"],
    ["ret 8", "c2 08 00"],
    ["retf", "cb"],
    ["jmp 0x08:0x12345678", "ea 78 56 34 12 08 00"],
    ["jmp eax", "ff e0"],
    ["call [eax*4 + 16]", "ff 14 85 10 00 00 00"],
    ["jmp fword ptr [esp]", "ff 2c 24"],
    ["call far [esp]", "ff 1c 24"],
  ];
  for (const [source, bytes] of cases) same(source, bytes);
});

test("reads addresses in every order", () => {
  same("mov eax, dword ptr [eax+ecx*4+8]", "8b 44 88 08");
  same("mov eax, [8 + ecx*4 + eax]", "8b 44 88 08");
  same("mov eax, [4*ecx + eax + 8]", "8b 44 88 08");
  same("mov eax, [ebx - 4 + 2*3]", "8b 43 02");
  same("mov eax, [ebx - (1 << 3)]", "8b 43 f8");
  same("mov byte ptr [esp], 1", "c6 04 24 01");
  same("mov word [esp], 1", "66 c7 04 24 01 00");
  same("mov eax, fs:[0x10]", "64 a1 10 00 00 00");
  same("mov eax, [gs:ebx]", "65 8b 03");
  same("inc dword ptr ss:[eax]", "36 ff 00");
  same("mov eax, [ebp]", "8b 45 00");
  same("mov eax, [ecx + esp]", "8b 04 0c");
  same("mov ax, [si + bx + 2]", "67 66 8b 40 02");
  same("movzx eax, byte ptr [ebx]", "0f b6 03");
  same("test [ebx], al", "84 03");
  same("test al, [ebx]", "84 03");
  same("imul eax, 10", "6b c0 0a");
  same("aam", "d4 0a");
  same("shl eax, 1", "d1 e0");
  same("shl eax, cl", "d3 e0");
  same("rep movsd dword ptr es:[edi], [esi]", "f3 a5");
});

test("leaves what it cannot know to the linker", () => {
  const object = assemble(
    `.equ BASE, 0xC0000000
    mov eax, there
    mov eax, [there + 4]
    mov ecx, [there + eax*4 - BASE]
    add ebx, there - BASE
    mov dword ptr [there], here
    push there
    call there
    jmp there + 2
    jz there
    jmp 0x10:there
  here:
    .data
    .long there, here + 4, 7, 0 - 1`,
    "test.s",
  );
  const expected = [
    "b8 00000000 | a1 00000000 | 8b0c85 00000000 | 81c3 00000000 | c705 00000000 00000000 | 68 00000000 |",
    "e8 00000000 | e9 00000000 | 0f84 00000000 | ea 00000000 1000",
  ];
  assert.is(bytesOf(object), expected.join("").replaceAll(/[\s|]/g, ""));
  assert.is(bytesOf(object, ".data"), "000000000000000007000000ffffffff");
  const relocations = object.relocations.map(({ section, offset, kind, symbol, addend }) => {
    return `${section}+${offset} ${kind} ${symbol} ${addend}`;
  });
  assert.equal(relocations, [
    ".text+1 abs32 there 0",
    ".text+6 abs32 there 4",
    ".text+13 abs32 there 1073741824",
    ".text+19 abs32 there 1073741824",
    ".text+25 abs32 there 0",
    ".text+29 abs32 here 0",
    ".text+34 abs32 there 0",
    ".text+39 rel32 there -4",
    ".text+44 rel32 there -2",
    ".text+50 rel32 there -4",
    ".text+55 abs32 there 0",
    ".data+0 abs32 there 0",
    ".data+4 abs32 here 4",
  ]);
});

test("takes differences of labels as numbers", () => {
  const object = assemble(
    `.data
    table: .word tableEnd - table - 1
    .byte tableEnd - table, (tableEnd - table) * 2 / 3
    .long table
    tableEnd:
    .text
    mov ecx, tableEnd - table
    cmp dword ptr [ebx], tableEnd - table + 1`,
    "test.s",
  );
  assert.is(bytesOf(object, ".data"), "07000805" + "00000000");
  assert.is(bytesOf(object), "b908000000" + "813b09000000");
  assert.is(object.relocations.length, 1);
});

test("relaxes jumps, each as short as it can be", () => {
  // 127 bytes is the farthest forward, 128 back.
  same(`jmp over\n.space 127\nover:`, `eb7f${"00".repeat(127)}`);
  same(`jmp over\n.space 128\nover:`, `e980000000${"00".repeat(128)}`);
  same(`back: .space 126\njz back`, `${"00".repeat(126)}7480`);
  same(`back: .space 127\njz back`, `${"00".repeat(127)}0f847bffffff`);
  // The second becomes long; with it the first does not reach any more.
  same(`jmp a\n jmp b\n .space 125\na: .space 4\nb:`, `e982000000e981000000${"00".repeat(129)}`);
  same("self: jmp self", "ebfe");
  same("call over\nover:", "e800000000");
  same("here: loop here\njecxz here", "e2fe e3fc");
  same("jmp short over\nnop\nover:", "eb0190");
});

test("a jump's length and an alignment settle together", () => {
  const object = assemble(
    `start: jmp far_away
    .align 16
    middle: jnz start
    .space 200
    far_away: jmp middle`,
    "test.s",
  );
  const symbols = Object.fromEntries(object.symbols.map(({ name, offset }) => [name, offset]));
  assert.equal(symbols, { start: 0, middle: 16, far_away: 16 + 2 + 200 });
  assert.is(object.sections[0].align, 16);
  assert.ok(bytesOf(object).startsWith(`e9d5000000${"90".repeat(11)}75ee`));
});

test("directives", () => {
  const object = assemble(
    `.equ COUNT, OTHER * 2   # a comment
    .equ OTHER, 0x8          ; another
    .rodata                  // a third
    .ascii "a#b;c//d"
    .asciz "x\\n\\"\\x41", "é"
    .align 4
    .byte 1, -1, 'A', '\\n'
    .word 0xffff, COUNT
    .space 3, 0xcc
    .section extra
    .long COUNT << 4 | 1, ~0, (2 + 3) * 4 - 10 / 3 & 0xff
    .bss
    .align 4096
    buffer: .space 8192
    .text
    .rept 2
    .rept 2
    push \\+
    .endr
    int \\+
    .endr`,
    "test.s",
  );
  const rodata = Buffer.from('a#b;c//dx\n"A\0é\0').toString("hex");
  assert.is(bytesOf(object, ".rodata"), `${rodata}01ff410affff1000cccccc`);
  assert.is(bytesOf(object, "extra"), "01010000" + "ffffffff" + "11000000");
  assert.is(bytesOf(object), "6a006a01cd006a006a01cd01");
  const bss = object.sections.find(({ name }) => name === ".bss");
  assert.equal([bss?.bytes.length, bss?.size, bss?.align], [0, 8192, 4096]);
  assert.not(object.sections.some(({ name }) => name === ".data"));
});

test("symbols: global and local, with kind and size", () => {
  const object = assemble(
    `.global first, second, datum
    first: nop
    inner: nop
    second: ret
    .data
    datum: .long 1`,
    "test.s",
  );
  assert.equal(object.symbols, [
    { name: "first", section: ".text", offset: 0, global: true, kind: "function", size: 2 },
    { name: "inner", section: ".text", offset: 1, global: false, kind: "none" },
    { name: "second", section: ".text", offset: 2, global: true, kind: "function", size: 1 },
    { name: "datum", section: ".data", offset: 0, global: true, kind: "object", size: 4 },
  ]);
});

test("quoted names reach symbols that are no plain names", () => {
  const { relocations } = assemble('call "Task#run"\nmov eax, ["Mm.count" + 4]', "test.s");
  assert.equal(
    relocations.map(({ symbol, addend }) => [symbol, addend]),
    [
      ["Task#run", -4],
      ["Mm.count", 4],
    ],
  );
});

test("line records name the line of each instruction", () => {
  const { lines } = assemble("nop\n\nlabel: nop\n.rept 2\ncli\nsti\n.endr\n.data\n.long 1", "kernel/x.s");
  assert.equal(
    lines.map(({ section, offset, file, line }) => `${section}+${offset} ${file}:${line}`),
    [
      ".text+0 kernel/x.s:1",
      ".text+1 kernel/x.s:3",
      ".text+2 kernel/x.s:5",
      ".text+3 kernel/x.s:6",
      ".text+4 kernel/x.s:5",
      ".text+5 kernel/x.s:6",
    ],
  );
});

test("mistakes get a line and a reason", () => {
  refuses("nop\nfrobnicate eax", 2, /no instruction is called 'frobnicate'/);
  refuses("mov eax, bl", 1, /no form of 'mov'/);
  refuses("nop\n\ninc [eax]", 3, /size of the memory operand/);
  refuses("a: nop\na: nop", 2, /'a' is defined twice/);
  refuses(".equ a, 1\n.equ a, 2", 2, /'a' is defined twice/);
  refuses(".equ a, b\n.equ b, a\nmov eax, a", 3, /defined by itself/);
  refuses("eax: nop", 1, /reserved/);
  refuses("far: nop", 1, /reserved/);
  refuses("loop away\n.space 200\naway: nop", 1, /too far/);
  refuses("loop elsewhere", 1, /too far/);
  refuses("jmp 0x1000", 1, /goes to a label/);
  refuses(".global nowhere", 1, /'nowhere'/);
  refuses(".byte 256", 1, /does not fit 8 bits/);
  refuses(".byte label\nlabel:", 1, /four bytes/);
  refuses("mov al, label\nlabel:", 1, /no form/);
  refuses(".long a - b\na: nop\n.data\nb: nop", 1, /neither/);
  refuses(".long 1 / 0", 1, /division by zero/);
  refuses(".rept 3\nnop", 1, /without .endr/);
  refuses(".endr", 1, /without .rept/);
  refuses(".bss\n.long 1", 2, /only .space/);
  refuses(".align 3", 1, /power of two/);
  refuses(".frob 1", 1, /'.frob'/);
  refuses("mov eax, [ebx", 1, /end of the line/);
  refuses("mov eax, [ebx*3]", 1, /1, 2, 4 or 8/);
  refuses("mov eax, [eax - ebx]", 1, /subtracted/);
  refuses("mov eax, [eax + ebx + ecx]", 1, /too many registers/);
  refuses("mov eax ebx", 1, /end of line expected, not 'ebx'/);
  refuses("mov eax, 0x", 1, /end of line|cannot read/);
  refuses('.ascii "abc', 1, /cannot read/);
  refuses("rep nop", 1, /cannot be repeated/);
  refuses("lock mov [eax], ebx", 1, /cannot be locked/);
  refuses("mov eax, @", 1, /cannot read '@'/);
});

test.run();
