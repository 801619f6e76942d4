/**
 * Guests that do what a kernel that forks much does most: page faults, directory switches, system calls. May import frame
 * and the assembler of the processor's tests.
 */
import { mem } from "../../../cpu/encoder";
import { absolute, at, CR, DATA, EAX, EBP, EBX, ECX, EDI, EDX, ESI, ESP, type Program, SEGMENT } from "../../cpu/guest";
import { DIRECTORY, FREE, type Shape, WINDOW, WINDOW_TABLE } from "./frame";

const REP = { prefixes: 4 };
/** Frames that the fault handler hands out in turn. */
const POOL = 256;
const SYSCALL = 0x80;

/**
 * Ring 3 writes to one page of the window after the other; each write faults, and the handler maps a frame of a pool and
 * returns to the write. After 1,024 pages a system call empties the table and reloads CR3.
 */
export const pageFaults: Shape = {
  user: true,
  work: (p) => {
    p.op("xor", EBX, EBX).op("mov", ESI, ECX).label("window");
    p.op("int", SYSCALL).op("mov", EDI, WINDOW).label("touch");
    p.op("mov", at(EDI), ESI).op("add", EBX, at(EDI)).op("dec", ESI).jump("jz", "touched");
    p.op("add", EDI, 4096)
      .op("cmp", EDI, WINDOW + 0x400000)
      .jump("jb", "touch")
      .jump("jmp", "window");
    p.label("touched").op("mov", EAX, { label: "faults" }).op("mov", EAX, at(EAX)).op("xor", EAX, EBX).op("ret");
  },
  rest: (p) => {
    p.align(16).label("fault").op("pushad").op("mov", EBX, CR[2]);
    p.op("mov", EDX, { label: "faults" }).op("mov", EAX, at(EDX)).op("inc", EAX).op("mov", at(EDX), EAX);
    p.op("and", EAX, POOL - 1)
      .op("shl", EAX, 12)
      .op("add", EAX, FREE | 7);
    p.op("shr", EBX, 12).op("and", EBX, 1023);
    p.op("mov", mem(4, { index: 3, scale: 2, displacement: WINDOW_TABLE }), EAX);
    p.op("popad").op("add", ESP, 4).op("iretd");
    p.align(16).label("empty").op("pushad").op("cld").op("mov", EDI, WINDOW_TABLE).op("mov", ECX, 1024);
    p.op("xor", EAX, EAX).opWith(REP, "stosd").op("mov", EAX, CR[3]).op("mov", CR[3], EAX).op("popad").op("iretd");
    p.align(4).label("faults").word(0);
  },
  gates: { 14: "fault", [SYSCALL]: "empty" },
};

/** Each operation loads CR3 with the other directory and adds to a word in each of 16 pages that it maps its own way. */
export const switches: Shape = {
  prepare: (p) => {
    for (let page = 0; page < 16; page++) {
      p.op("mov", absolute(WINDOW_TABLE + 4 * page), (FREE + 4096 * page) | 7);
      p.op("mov", absolute(WINDOW_TABLE + 4096 + 4 * page), (FREE + 0x10000 + 4096 * page) | 7);
    }
  },
  work: (p) => {
    p.op("mov", EBX, DIRECTORY).label("switch").op("xor", EBX, 0x1000).op("mov", CR[3], EBX);
    for (let page = 0; page < 16; page++) p.op("add", absolute(WINDOW + 4100 * page), ECX);
    p.op("dec", ECX).jump("jnz", "switch");
    p.op("mov", EAX, absolute(FREE))
      .op("xor", EAX, absolute(FREE + 0x10000 + 4100 * 15))
      .op("ret");
  },
};

function calls(p: Program): void {
  p.op("mov", EBX, ECX).op("xor", ESI, ESI).label("call");
  p.op("mov", EAX, 20).op("int", SYSCALL).op("add", ESI, EAX).op("dec", EBX).jump("jnz", "call");
  p.op("mov", EAX, ESI).op("ret");
}

/** Ring 3 to ring 0 and back; the handler is one instruction and IRET. */
export const bareCalls: Shape = {
  user: true,
  work: calls,
  rest: (p) => p.align(16).label("gate").op("inc", EAX).op("iretd"),
  gates: { [SYSCALL]: "gate" },
};

/** The same with a Unix kernel's entry: all registers and segments saved and kernel segments loaded, a call by a table, all restored. */
export const framedCalls: Shape = {
  user: true,
  work: calls,
  rest: (p) => {
    p.align(16).label("gate").op("push", EAX);
    for (const segment of ["gs", "fs", "es", "ds"] as const) p.op("push", SEGMENT[segment]);
    p.op("pushad").op("mov", EDX, DATA).op("mov", SEGMENT.ds, EDX).op("mov", SEGMENT.es, EDX).op("cld");
    p.op("cmp", EAX, 32).jump("jae", "wrong");
    p.op("mov", EDX, { label: "calls" })
      .op("mov", EDX, mem(4, { base: 2, index: 0, scale: 2 }))
      .op("call", EDX);
    p.label("done").op("mov", at(ESP, 28), EAX).op("popad");
    for (const segment of ["ds", "es", "fs", "gs"] as const) p.op("pop", SEGMENT[segment]);
    p.op("add", ESP, 4).op("iretd");
    p.label("wrong").op("mov", EAX, -38).jump("jmp", "done");
    p.align(16).label("getpid").op("push", EBP).op("mov", EBP, ESP).op("mov", EDX, { label: "pid" });
    p.op("mov", EAX, at(EDX)).op("pop", EBP).op("ret");
    p.align(4).label("pid").word(77).label("calls");
    for (let number = 0; number < 32; number++) p.word({ label: "getpid" });
  },
  gates: { [SYSCALL]: "gate" },
};
