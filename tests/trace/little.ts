/**
 * A kernel in a few lines of assembly, for tests of what a trace shows of single instructions, and a run of it under a trace. May import
 * cpu, tools/compiler, tools/trace.
 */
import * as assert from "uvu/assert";
import { Machine } from "../../cpu/index";
import { assemble } from "../../tools/compiler/assembler";
import { buildDwarf } from "../../tools/compiler/dwarf";
import { writeElf } from "../../tools/compiler/elf";
import { link } from "../../tools/compiler/link";
import { FIELDS, type Field, NO_FILTER, type TraceFilter } from "../../tools/trace/filter";
import { TextSink } from "../../tools/trace/textsink";
import { Tracer } from "../../tools/trace/tracer";

/** A kernel in little: own GDT and IDT, 4 MB pages with one hole, handlers that skip what faulted, then `body`. */
export const frame = (body: string) => `
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

export function littleKernel(body: string): Uint8Array {
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

export interface Shown {
  filter?: Partial<TraceFilter>;
  fields?: readonly Field[];
  syntax?: "intel" | "att";
}

/** A tracer whose lines are gathered, blanks made one. */
export function tracerOf(
  machine: Machine,
  kernel: Uint8Array,
  modules: readonly Uint8Array[],
  shown: Shown,
): { tracer: Tracer; lines: string[] } {
  const { fields = FIELDS, syntax = "intel" } = shown;
  const filter = { ...NO_FILTER, ...shown.filter };
  const lines: string[] = [];
  const sink = new TextSink({ filter, fields, syntax }, (line) => lines.push(line.trim().replaceAll(/ +/g, " ")));
  const tracer = new Tracer(machine, { kernel, modules, filter, sink, memory: fields.includes("memory") });
  return { tracer, lines };
}

/** Runs `body` under a trace; the lines, and the machine as the run left it. */
export function traced(body: string, shown: Shown = {}): { lines: string[]; machine: Machine } {
  const elf = littleKernel(body);
  const machine = new Machine({ memoryMB: 16 });
  machine.loadMultiboot(elf);
  const { tracer, lines } = tracerOf(machine, elf, [], shown);
  const stop = machine.run({ maxInstructions: 100_000 });
  assert.equal(stop, { reason: "exit", value: 0 });
  tracer.end();
  return { lines, machine };
}

/** The lines from the first that contains `text` on. */
export function from(lines: readonly string[], text: string): string[] {
  const start = lines.findIndex((line) => line.includes(text));
  assert.ok(start >= 0, `${text} is not in\n${lines.join("\n")}`);
  return lines.slice(start);
}
