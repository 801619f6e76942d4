import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Machine } from "../../cpu/index";
import { assemble } from "../../tools/compiler/assembler";
import { buildDwarf } from "../../tools/compiler/dwarf";
import { writeElf } from "../../tools/compiler/elf";
import { link } from "../../tools/compiler/link";
import { Symbols } from "../../tools/image/symbols";
import { LastInstructions, type LastOptions } from "../../tools/trace/last";

const test = suite("trace/last");

/** A kernel in little: own GDT and IDT, 4 MB pages with one hole, handlers that skip what faulted, then `body`. */
const frame = (body: string) => `
.equ EXIT_PORT, 0xF4
.equ MARK_PORT, 0x7E0
.text
.long 0x1BADB002, 0, 0 - 0x1BADB002
.global _start
_start:
    mov esp, stackTop
    lgdt [gdtPointer]
    jmp 8:flat
flat:
    mov eax, 16
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov edi, 6*8
    mov eax, undefined
    call setGate
    mov edi, 14*8
    mov eax, pageFault
    call setGate
    mov edi, 0x80*8
    mov eax, systemCall
    call setGate
    lidt [idtPointer]
    mov dword ptr [directory], 0x83
    mov eax, directory
    mov cr3, eax
    mov eax, 0x10
    mov cr4, eax
    mov eax, cr0
    or eax, 0x80010000
    mov cr0, eax
    xor eax, eax
    jmp body
setGate:
    mov [idt + edi], ax
    mov word ptr [idt + edi + 2], 8
    shr eax, 16
    mov word ptr [idt + edi + 4], 0x8E00
    mov [idt + edi + 6], ax
    ret
.global undefined
undefined:
    add dword ptr [esp], 3
    iretd
pageFault:
    add esp, 4
    add dword ptr [esp], 5
    iretd
systemCall:
    inc ebx
    iretd
.global body
body:
${body}
    mov al, 0
    out EXIT_PORT, al
.data
.align 8
gdt: .long 0, 0, 0x0000FFFF, 0x00CF9B00, 0x0000FFFF, 0x00CF9300
gdtEnd:
gdtPointer: .word gdtEnd - gdt - 1
    .long gdt
idtPointer: .word 0x81*8 - 1
    .long idt
.bss
.align 4096
directory: .space 4096
idt: .space 2048
.space 1024
stackTop:
.global spare
spare: .space 64
`;

function kernel(body: string): Uint8Array {
  const image = link({
    objects: [assemble(frame(body), "kernel/little.s")],
    textBase: 0x100000,
    dataBase: 0x110000,
    staticBase: 0x120000,
    staticEnd: 0x120000,
    entry: "_start",
    kernelSymbols: false,
  });
  return writeElf(image, { physicalOffset: 0, debug: buildDwarf(image.units, "/tine") });
}

/** Runs `body` under the trace; the lines, and the machine as the run left it. */
function traced(body: string, options: Partial<LastOptions> = {}): { lines: string[]; machine: Machine } {
  const elf = kernel(body);
  const machine = new Machine({ memoryMB: 16 });
  machine.loadMultiboot(elf);
  const symbols = new Symbols(elf);
  const trace = new LastInstructions(machine, { count: 30, resolver: () => symbols, ...options });
  const stop = machine.run({ maxInstructions: 100_000 });
  assert.equal(stop, { reason: "exit", value: 0 });
  trace.stop();
  return { lines: [...trace.lines()], machine };
}

/** The lines from the first that contains `text` on, blanks made one. */
function from(lines: string[], text: string): string[] {
  const start = lines.findIndex((line) => line.includes(text));
  assert.ok(start >= 0, `${text} is not in\n${lines.join("\n")}`);
  return lines.slice(start).map((line) => line.trim().replaceAll(/ +/g, " "));
}

test("a line has count, ring, process, address, symbol, source line, bytes, text and changes", () => {
  const { lines } = traced("mov eax, 5\nadd eax, -5\nmov [spare], eax\npush 7");
  const [first, second, third, fourth, ...rest] = from(lines, "mov eax, 5");
  const line = frame("").split("\n").indexOf("body:") + 2;
  assert.match(
    first,
    new RegExp(`^\\d+ r0 - 0008:0010[0-9a-f]{4} body kernel/little.s:${line} b8 05 00 00 00 mov eax, 5 eax=0>5$`),
  );
  assert.match(second, new RegExp(`body\\+0x5 kernel/little.s:${line + 1} 83 c0 fb add eax, -5 eax=5>0 `));
  assert.match(second, /cf=1/);
  assert.match(third, /mov \[0x[0-9a-f]+\] <spare>, eax$/);
  assert.match(fourth, /push 7 esp=[0-9a-f]+>[0-9a-f]+$/);
  assert.is(rest.length, 3, "two instructions leave the run");
  assert.match(rest[0], /mov al, 0/);
  assert.match(rest[1], /out 0xf4, al/);
  const counts = lines.filter((text) => !text.includes("--")).map((text) => Number.parseInt(text, 10));
  assert.equal(
    counts,
    counts.map((_, i) => counts[0] + i),
  );
});

test("what is no instruction gets a clear line", () => {
  const { lines } = traced(".byte 0x0f, 0x58, 0xc0\nud2\nnop");
  const [bad, why, handler] = from(lines, "(no instruction)");
  assert.match(bad, /body .* 0f 58 \(no instruction\)$/);
  assert.match(why, /^-- #UD invalid opcode: no instruction of this CPU begins with 0f 58 c0/);
  assert.match(handler, /undefined .*add dword ptr \[esp\], 3/);
  assert.is(from(lines, " ud2")[1], "-- #UD invalid opcode: ud2");
});

test("a page fault is told with its address, between the fault and its handler", () => {
  const { lines } = traced("mov eax, [0x800000]\nmov ebx, 1");
  const [access, fault, handler] = from(lines, "mov eax, [0x800000]");
  assert.match(access, /mov eax, \[0x800000\]$/, "it changed nothing");
  assert.is(fault, "-- #PF page fault: kernel read at 0x00800000, not present (error code 0x0)");
  assert.match(handler, /pageFault .*add esp, 4/);
});

test("software interrupts, marks and the process", () => {
  const { lines } = traced("xor ebx, ebx\nint 0x80\nmov edx, MARK_PORT\nmov eax, 0x03000007\nout dx, eax\nnop");
  const [int, trap, handler] = from(lines, " int 0x80");
  assert.match(int, /r0 - .*int 0x80$/);
  assert.is(trap, "-- interrupt 0x80");
  assert.match(handler, /inc ebx ebx=0>1/);
  const [out, mark, next] = from(lines, "out dx, eax");
  assert.match(out, /r0 - /);
  assert.is(mark, "-- mark: switch to process 7");
  assert.match(next, /r0 p7 .*nop$/);
  assert.is(lines.at(-1)?.trim(), "-- exit port: 0");
});

test("repetitions of a string instruction are one line", () => {
  const { lines } = traced("mov ecx, 5\nmov edi, spare\nrep stosb\nnop");
  assert.match(from(lines, "rep stosb")[0], /f3 aa rep stosb \(5 times\) ecx=5>0 edi=[0-9a-f]+>[0-9a-f]+$/);
});

test("keeps the last ones only", () => {
  const { lines } = traced(`mov ecx, 1000\nagain: dec ecx\njnz again`, { count: 10 });
  const instructions = lines.filter((line) => !line.includes("--"));
  assert.is(instructions.length, 10);
  assert.match(instructions[9], /out 0xf4, al/);
  assert.match(instructions[7], /jnz 0x[0-9a-f]+ <again>/);
});

test("tracing changes neither counts nor memory", () => {
  const body =
    "mov ecx, 300\nagain: add eax, ecx\nmov [spare], eax\nint 0x80\nloop again\nmov ecx, 40\nmov edi, spare\nrep stosb";
  const { machine } = traced(body);
  const plain = new Machine({ memoryMB: 16 });
  plain.loadMultiboot(kernel(body));
  plain.run({ maxInstructions: 100_000 });
  assert.equal([machine.instret, machine.cycles], [plain.instret, plain.cycles]);
  assert.equal(machine.registers, plain.registers);
});

test("recording can begin late, with the process known", () => {
  const elf = kernel("mov edx, MARK_PORT\nmov eax, 0x03000007\nout dx, eax\nagain: inc ebx\ncmp ebx, 1000\njnz again");
  const machine = new Machine({ memoryMB: 16 });
  machine.loadMultiboot(elf);
  const trace = new LastInstructions(machine, { count: 5, record: false });
  machine.run({ maxInstructions: 2_000 });
  trace.start();
  machine.run({ maxInstructions: 3 });
  const lines = [...trace.lines()];
  assert.is(lines.length, 3, `three instructions, and no event from before them:\n${lines.join("\n")}`);
  for (const line of lines) assert.match(line, / p7 /);
});

test("AT&T syntax", () => {
  const { lines } = traced("mov eax, 5", { syntax: "att" });
  assert.match(from(lines, "$5")[0], /mov \$5, %eax eax=0>5$/);
});

test.run();
