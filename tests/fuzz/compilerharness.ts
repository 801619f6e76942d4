/**
 * A bare program around compiled functions: boots by multiboot, calls what a table lists, and notes what each call
 * returned, whether it kept the callee-saved registers and the stack pointer, or which exception ended it. May import
 * tools/compiler.
 *
 *     calls    count x { u32 function; u32 number of arguments; u32 arguments[8] }
 *     results  count x { u32 outcome; u32 value }
 */
import { assemble } from "../../tools/compiler/assembler";
import { writeElf } from "../../tools/compiler/elf";
import { link } from "../../tools/compiler/link";
import type { ObjectFile } from "../../tools/compiler/object";

/** One call: the function's symbol and its arguments, at most eight. */
export interface Call {
  symbol: string;
  inputs: readonly number[];
}

/** What a call did: its result, or how it failed. */
export type Outcome =
  | { kind: "result"; value: number }
  | { kind: "trap"; trap: string }
  | { kind: "broken"; what: string };

const CALL_WORDS = 10;
/** Bytes of one record of `results`. */
export const RESULT_BYTES = 8;
const TEXT_BASE = 0x00100000;
const DATA_BASE = 0x00300000;
export const STATIC_BASE = 0x00340000;

const OUTCOME_RETURNED = 1;
const OUTCOME_REGISTERS = 2;
const OUTCOME_TRAP = 0x100;
const TRAPS: Readonly<Record<number, string>> = { 0: "divide", 6: "unreachable" };

const SOURCE = `
.equ MAGIC, 0x1badb002
.equ GUARD_EBX, 0x0b0b0b0b
.equ GUARD_ESI, 0x51515151
.equ GUARD_EDI, 0x0d1d1d1d
.equ GUARD_EBP, 0x0eb0eb0e
.text
.align 4
    .long MAGIC, 0, -MAGIC
.global _start
_start:
    mov esp, stackTop
    lgdt [gdtPointer]
    push 8
    push inFlatCode
    retf
inFlatCode:
    mov eax, 16
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov esi, stubs          # fill 32 gates
    mov edi, idt
    mov ecx, 32
nextGate:
    mov eax, esi
    mov [edi], ax
    mov word ptr [edi + 2], 8
    mov word ptr [edi + 4], 0x8e00
    shr eax, 16
    mov [edi + 6], ax
    add edi, 8
    add esi, 16
    dec ecx
    jnz nextGate
    lidt [idtPointer]
    mov dword ptr [index], 0
nextCall:
    mov eax, [index]
    cmp eax, [callCount]
    jae finished
    mov esp, stackTop
    imul eax, eax, 40
    lea ebx, [eax + calls]
    mov eax, [ebx]
    mov [target], eax
    mov ecx, [ebx + 4]
pushArgument:
    cmp ecx, 3
    jbe pushed
    push dword ptr [ebx + ecx*4 + 4]
    dec ecx
    jmp pushArgument
pushed:
    mov [expectedEsp], esp
    mov eax, [ebx + 8]
    mov edx, [ebx + 12]
    mov ecx, [ebx + 16]
    mov ebx, GUARD_EBX
    mov esi, GUARD_ESI
    mov edi, GUARD_EDI
    mov ebp, GUARD_EBP
    call dword ptr [target]
    mov edx, ${OUTCOME_REGISTERS}
    cmp esp, [expectedEsp]
    jne record
    cmp ebx, GUARD_EBX
    jne record
    cmp esi, GUARD_ESI
    jne record
    cmp edi, GUARD_EDI
    jne record
    cmp ebp, GUARD_EBP
    jne record
    mov edx, ${OUTCOME_RETURNED}
record:
    mov ecx, [index]
    mov [results + ecx*8], edx
    mov [results + ecx*8 + 4], eax
    inc ecx
    mov [index], ecx
    jmp nextCall
finished:
    mov edx, 0xf4
    mov al, 0
    out dx, al
stopped:
    hlt
    jmp stopped
trap:
    pop edx
    or edx, ${OUTCOME_TRAP}
    mov eax, [esp]
    cld
    jmp record
.align 16
stubs:
.rept 32
    push \\+
    jmp trap
    .align 16
.endr
.data
.align 8
gdt:
    .long 0, 0
    .long 0x0000ffff, 0x00cf9a00
    .long 0x0000ffff, 0x00cf9200
gdtPointer:
    .word 23
    .long gdt
    .align 4
idtPointer:
    .word 255
    .long idt
.bss
.align 16
idt:
    .space 256
index:
    .space 4
target:
    .space 4
expectedEsp:
    .space 4
    .align 16
    .space 65536
stackTop:
    .space 16
`;

let harness: ObjectFile | undefined;

/** The whole program: harness, compiled module and the list of calls. */
export function linkHarness(module: ObjectFile, calls: readonly Call[], staticEnd: number): Uint8Array {
  harness ??= assemble(SOURCE, "harness.s");
  const image = link({
    objects: [harness, listCalls(calls), module],
    textBase: TEXT_BASE,
    dataBase: DATA_BASE,
    staticBase: STATIC_BASE,
    staticEnd,
    entry: "_start",
    kernelSymbols: false,
  });
  return writeElf(image, { physicalOffset: 0, debug: [] });
}

/** The tables as an object: the linker fills in the functions' addresses. */
function listCalls(calls: readonly Call[]): ObjectFile {
  const words = new Int32Array(calls.length * CALL_WORDS + 1);
  words[0] = calls.length;
  calls.forEach(({ inputs }, i) => {
    words.set([0, inputs.length, ...inputs], 1 + i * CALL_WORDS);
  });
  const size = calls.length * RESULT_BYTES;
  const symbol = (name: string, section: string, offset: number) => ({ name, section, offset, global: true });
  return {
    name: "calls",
    sections: [
      { name: ".data", bytes: new Uint8Array(words.buffer), size: words.byteLength, align: 4 },
      { name: ".bss", bytes: new Uint8Array(0), size, align: 4 },
    ],
    symbols: [symbol("callCount", ".data", 0), symbol("calls", ".data", 4), symbol("results", ".bss", 0)],
    relocations: calls.map(({ symbol: name }, i) => {
      return { section: ".data", offset: 4 + 4 * i * CALL_WORDS, kind: "abs32", symbol: name, addend: 0 };
    }),
    lines: [],
    frames: [],
    variables: new Map(),
  };
}

/** The results as the harness wrote them; those of calls that never came are left away. */
export function readOutcomes(raw: Uint8Array, count: number): Outcome[] {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const outcomes: Outcome[] = [];
  for (let i = 0; i < count; i++) {
    const outcome = view.getUint32(RESULT_BYTES * i, true);
    const value = view.getInt32(RESULT_BYTES * i + 4, true);
    if (outcome === 0) break;
    if (outcome === OUTCOME_RETURNED) outcomes.push({ kind: "result", value });
    else if (outcome === OUTCOME_REGISTERS) outcomes.push({ kind: "broken", what: "callee-saved registers or ESP" });
    else outcomes.push({ kind: "trap", trap: TRAPS[outcome & 0xff] ?? `exception ${outcome & 0xff}` });
  }
  return outcomes;
}
