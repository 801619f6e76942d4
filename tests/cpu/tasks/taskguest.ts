/**
 * A guest that switches tasks in every way and records after each switch what it finds: registers, flags, selectors, TR, TS,
 * the descriptors and all task state segments. At its end it prints the records on COM1 as hexadecimal words.
 *
 *     200000 GDT   201000 IDT   201800 LDT   202000 task state segments, 256 bytes each
 *     203000 variables   210000 stacks, 4 KB each   240000 records   8000 the code for virtual-8086 mode
 */
import { far, mem, sreg } from "../../../cpu/encoder";
import { AL, AX, absolute, DL, DX, EAX, EBP, EBX, ECX, EDI, EDX, ESI, ESP, Program } from "../guest";

const [GDT, IDT, LDT, TASKS] = [0x200000, 0x201000, 0x201800, 0x202000];
const [RECORD_END, RESUME_AT] = [0x203000, 0x203004];
const STACKS = 0x210000;
const RECORDS = 0x240000;
const VIRTUAL = 0x8000;
const ORIGIN = 0x100000;

const NT = 0x4000;
const VM = 0x20000;

/** Selectors: code and data of both rings, code as a 16-bit TSS can reach it, LDT, a task gate, bad ones. */
const [CODE, DATA, CODE3, DATA3, NEAR_CODE] = [0x08, 0x10, 0x1b, 0x23, 0x28];
const [LDT_SELECTOR, GATE, ABSENT_CODE, ABSENT_DATA] = [0x30, 0x38, 0x40, 0x48];

/** The tasks in the order of their TSSs; their selectors follow the ones above. */
const NAMES = ["main", "wide", "narrow", "user", "virtual", "watch", "bad", "last"] as const;
type Name = (typeof NAMES)[number];
const selectorOf = (name: Name): number => 0x50 + 8 * NAMES.indexOf(name);
const tssOf = (name: Name): number => TASKS + 0x100 * NAMES.indexOf(name);
const stackOf = (name: Name): number => STACKS + 0x1000 * (NAMES.indexOf(name) + 1);

class TaskProgram extends Program {
  poke(address: number, value: number): this {
    return this.op("mov", absolute(address), value | 0);
  }

  descriptor(table: number, selector: number, base: number, limit: number, attributes: number): this {
    const at = table + (selector & ~7);
    this.poke(at, (base << 16) | (limit & 0xffff));
    const high = (base & 0xff000000) | ((attributes & 0xf000) << 8) | (limit & 0xf0000);
    return this.poke(at + 4, high | ((attributes & 0xff) << 8) | ((base >>> 16) & 0xff));
  }

  /** Makes a task's descriptor free again and fit. */
  task(name: Name, limit = 0x67, access = name === "narrow" ? 0x81 : 0x89): this {
    return this.descriptor(GDT, selectorOf(name), tssOf(name), limit, access);
  }

  taskGate(vector: number, name: Name): this {
    return this.poke(IDT + 8 * vector, selectorOf(name) << 16).poke(IDT + 8 * vector + 4, 0xe500);
  }

  /** A 32-bit interrupt gate of DPL 3 to a label. */
  gate(vector: number, label: string): this {
    this.op("mov", EAX, { label }).op("mov", EDX, EAX);
    this.op("and", EAX, 0xffff)
      .op("or", EAX, CODE << 16)
      .op("mov", absolute(IDT + 8 * vector), EAX);
    return this.op("and", EDX, 0xffff0000 | 0)
      .op("or", EDX, 0xee00)
      .op("mov", absolute(IDT + 8 * vector + 4), EDX);
  }

  /** Fields of a 32-bit TSS, with the flat segments of a ring; EIP is a label's. */
  wide(name: Name, label: string, eflags: number, code = CODE, data = DATA): this {
    const tss = tssOf(name);
    const fields: [number, number][] = [
      [0x04, stackOf(name) - 0x800],
      [0x08, DATA],
      [0x24, eflags],
      [0x38, stackOf(name)],
      [0x48, data],
      [0x4c, code],
      [0x50, data],
      [0x54, data],
      [0x58, data],
      [0x5c, 0],
      [0x60, LDT_SELECTOR],
    ];
    for (const [offset, value] of fields) this.poke(tss + offset, value);
    for (const [i, offset] of [0x28, 0x2c, 0x30, 0x34, 0x3c, 0x40, 0x44].entries()) {
      this.poke(tss + offset, 0x01010101 * (i + 1 + 16 * NAMES.indexOf(name)));
    }
    return this.op("mov", EAX, { label }).op("mov", absolute(tss + 0x20), EAX);
  }

  record(): this {
    return this.jump("call", "record");
  }

  /**
   * After a switch to the 16-bit task: the upper halves of its registers are nobody's. (They are set here, and stay what they
   * were on QEMU.) Its stack needs all of ESP.
   */
  lowHalves(): this {
    for (const register of [EAX, ECX, EDX, EBX, EBP, ESI, EDI]) this.op("and", register, 0xffff);
    return this.op("mov", ESP, stackOf("narrow"));
  }

  /** A transfer that a fault ends: the watching task goes on behind it. */
  attempt(name: string, ...transfer: Parameters<Program["op"]>): this {
    this.op("mov", absolute(RESUME_AT), { label: name } as never);
    return this.op(...transfer).label(name);
  }
}

function setUp(p: TaskProgram): void {
  p.op("mov", EDI, GDT).op("xor", EAX, EAX).op("mov", ECX, 0x1000).opWith({ prefixes: 4 }, "stosd");
  p.op("mov", absolute(RECORD_END), RECORDS);
  p.descriptor(GDT, CODE, 0, 0xfffff, 0xc09b).descriptor(GDT, DATA, 0, 0xfffff, 0xc093);
  p.descriptor(GDT, CODE3, 0, 0xfffff, 0xc0fb).descriptor(GDT, DATA3, 0, 0xfffff, 0xc0f3);
  p.descriptor(GDT, NEAR_CODE, ORIGIN, 0xffff, 0x409b).descriptor(GDT, LDT_SELECTOR, LDT, 0xff, 0x82);
  p.descriptor(GDT, ABSENT_CODE, 0, 0xfffff, 0xc01b).descriptor(GDT, ABSENT_DATA, 0, 0xfffff, 0xc013);
  p.poke(GDT + GATE, selectorOf("wide") << 16).poke(GDT + GATE + 4, 0xe500);
  p.poke(LDT + 8, selectorOf("wide") << 16).poke(LDT + 12, 0xe500);
  for (const name of NAMES) p.task(name);
  p.wide("main", "never", 2).wide("wide", "wide", 2).wide("user", "user", 0x3002, CODE3, DATA3);
  p.wide("watch", "watch", 2).wide("bad", "never", 2).wide("last", "last", 2);
  p.wide("virtual", "never", VM | 0x3002);
  for (const [offset, value] of [
    [0x20, 0x100],
    [0x38, 0x1000],
    [0x48, 0x900],
    [0x4c, VIRTUAL >> 4],
    [0x50, 0xa00],
    [0x54, 0xb00],
    [0x58, 0xc03],
    [0x5c, 0xd01],
  ]) {
    p.poke(tssOf("virtual") + offset, value);
  }
  // The 16-bit TSS: IP and FLAGS, SP, ES CS, SS DS, LDT. Its stack segment is flat, so ESP's upper half must be right.
  const narrow = tssOf("narrow");
  for (let at = 0; at < 0x2c; at += 4) p.poke(narrow + at, 0);
  p.op("mov", EAX, { label: "narrow" })
    .op("sub", EAX, ORIGIN)
    .op("mov", absolute(narrow + 0x0e, 2), AX);
  p.op("mov", absolute(narrow + 0x10, 2), 2);
  for (let i = 0; i < 8; i++) p.op("mov", absolute(narrow + 0x12 + 2 * i, 2), 0x1110 * (i + 1));
  for (const [i, selector] of [DATA, NEAR_CODE, DATA, DATA, LDT_SELECTOR].entries()) {
    p.op("mov", absolute(narrow + 0x22 + 2 * i, 2), selector);
  }
  for (const vector of [10, 11, 12, 13]) p.taskGate(vector, "watch");
  p.taskGate(0x40, "wide").taskGate(0x43, "last").gate(0x42, "fromVirtual");
  // In virtual-8086 mode: mov ax, ds; push fs; int 0x42; mov bx, 0x1234; int 0x43
  for (const [i, word] of [0xa00fd88c, 0x34bb42cd, 0xf443cd12].entries()) p.poke(VIRTUAL + 0x100 + 4 * i, word);
}

/** Records: pushes of all registers, flags; segment registers, TR, low bits of CR0; descriptors and task state segments. */
function recorder(p: TaskProgram): void {
  p.label("record").op("pushfd").op("pushad").op("cld");
  p.op("mov", EDI, absolute(RECORD_END)).op("mov", ESI, ESP).op("mov", ECX, 9).opWith({ prefixes: 4 }, "movsd");
  for (const number of [0, 1, 2, 3, 4, 5]) p.op("mov", EAX, sreg(number)).op("stosd");
  p.op("str", EAX).op("stosd").op("sldt", EAX).op("stosd").op("smsw", EAX).op("and", EAX, 15).op("stosd");
  p.op("mov", ESI, GDT)
    .op("mov", ECX, 0x90 / 4)
    .opWith({ prefixes: 4 }, "movsd");
  for (const name of NAMES)
    p.op("mov", ESI, tssOf(name))
      .op("mov", ECX, 0x68 / 4)
      .opWith({ prefixes: 4 }, "movsd");
  p.op("mov", absolute(RECORD_END), EDI).op("popad").op("popfd").op("ret");
}

/** Prints the records as hexadecimal digits, by polling. */
function printer(p: TaskProgram): void {
  p.outb(0x3f9, 0).outb(0x3fb, 3).op("mov", ESI, RECORDS);
  p.label("print").op("lodsd").op("mov", EBX, EAX).op("mov", ECX, 8);
  p.label("digit").op("rol", EBX, 4).op("mov", EAX, EBX).op("and", EAX, 15).op("add", EAX, 0x30);
  p.op("cmp", EAX, 0x3a).jump("jb", "put").op("add", EAX, 0x27);
  p.label("put")
    .op("mov", { ...EDI }, EAX)
    .op("mov", EDX, 0x3fd);
  p.label("full").op("in", AL, DX).op("test", AL, 0x20).jump("jz", "full");
  p.op("mov", DL, 0xf8).op("mov", EAX, EDI).op("out", DX, AL).op("dec", ECX).jump("jnz", "digit");
  p.op("cmp", ESI, absolute(RECORD_END)).jump("jb", "print").exit(0);
}

export function taskGuest(): Program {
  const p = new TaskProgram();
  p.op("mov", ESP, stackOf("main"));
  setUp(p);
  p.op("sub", ESP, 8).op("mov", mem(4, { base: 4 }), 0xff);
  p.op("mov", mem(4, { base: 4, displacement: 2 }), GDT).op("lgdt", mem(6, { base: 4 }));
  p.op("mov", mem(4, { base: 4 }), 0x7ff).op("mov", mem(4, { base: 4, displacement: 2 }), IDT);
  p.op("lidt", mem(6, { base: 4 })).op("add", ESP, 8);
  p.op("push", CODE).op("push", { label: "flat" }).op("retf").label("flat").op("mov", EAX, DATA);
  for (const number of [0, 2, 3, 4, 5]) p.op("mov", sreg(number), EAX);
  p.op("mov", EAX, LDT_SELECTOR).op("lldt", AX).op("mov", EAX, selectorOf("main")).op("ltr", AX);
  p.op("clts").op("xor", EBX, EBX).record();

  // To and from the 32-bit task by each way.
  const wide = far(selectorOf("wide"), 0);
  p.op("mov", EBX, 0x11223344).op("stc").op("call", wide).record();
  p.op("call", far(GATE, 0)).record().op("call", far(0xc, 0)).record().op("int", 0x40).record();
  p.op("clts").op("jmp", wide).record();
  // The 16-bit task, and the 32-bit one under it.
  p.op("call", far(selectorOf("narrow"), 0))
    .record()
    .op("jmp", far(selectorOf("narrow"), 0))
    .record();
  // Ring 3.
  p.op("call", far(selectorOf("user"), 0)).record();
  // Virtual-8086 mode: out through a gate and back, and out through a task gate.
  p.op("jmp", far(selectorOf("virtual"), 0)).record();

  // Refusals before the commit point.
  const bad = far(selectorOf("bad"), 0);
  p.task("bad", 0x67, 0x8b).attempt("busy", "call", bad).record();
  p.task("bad", 0x67, 0x09).attempt("absent", "call", bad).record();
  p.task("bad", 0x66).attempt("small", "call", bad).record();
  p.task("bad", 0x2a, 0x81).attempt("small16", "jmp", bad).record();
  p.attempt("self", "jmp", far(selectorOf("main"), 0)).record();
  p.attempt("rpl", "call", far(selectorOf("wide") | 3, 0))
    .op("nop")
    .record();
  // IRET to a task that is not busy, to no task at all, and to one that is too small.
  for (const [name, link] of [
    ["free", selectorOf("wide")],
    ["none", DATA],
    ["outside", 0x1000],
  ] as const) {
    p.poke(tssOf("main"), link)
      .op("pushfd")
      .op("or", mem(4, { base: 4 }), NT)
      .op("popfd");
    p.attempt(name, "iretd")
      .op("pushfd")
      .op("and", mem(4, { base: 4 }), ~NT)
      .op("popfd")
      .record();
  }
  // Behind it: one bad field at a time.
  for (const [name, offset, value] of [
    ["ldt", 0x60, DATA],
    ["csNull", 0x4c, 0],
    ["csData", 0x4c, DATA],
    ["csRing", 0x4c, CODE | 3],
    ["csAbsent", 0x4c, ABSENT_CODE],
    ["ssNull", 0x50, 0],
    ["ssCode", 0x50, CODE],
    ["ssRing", 0x50, DATA3],
    ["ssAbsent", 0x50, ABSENT_DATA],
    ["dsOutside", 0x54, 0x1000],
    ["esAbsent", 0x48, ABSENT_DATA],
    ["gsSystem", 0x5c, LDT_SELECTOR],
  ] as const) {
    p.task("bad")
      .wide("bad", "never", 2)
      .poke(tssOf("bad") + offset, value);
    p.attempt(name, "call", bad).record();
  }
  printer(p);
  recorder(p);

  p.label("never").op("ud2");
  p.label("wide").record().op("inc", EBX).op("iretd").record().op("iretd").record().op("iretd").record().op("iretd");
  p.record()
    .op("jmp", far(selectorOf("main"), 0))
    .record()
    .op("iretd");
  p.label("narrow").lowHalves().record().op("call", wide);
  p.lowHalves().record().op("mov", EAX, 0x12345678).bytes(0x66).op("iretd");
  p.lowHalves()
    .record()
    .op("jmp", far(selectorOf("main"), 0));
  p.label("user").record().op("iretd");
  // What the interrupt out of virtual-8086 mode pushed is a record too.
  p.label("fromVirtual").op("push", DATA).op("pop", sreg(3)).op("push", DATA).op("pop", sreg(0)).record();
  p.op("cld").op("mov", EDI, absolute(RECORD_END)).op("mov", ESI, ESP).op("mov", ECX, 9);
  p.opWith({ prefixes: 4 }, "movsd").op("mov", absolute(RECORD_END), EDI);
  p.op("iretd");
  p.label("last")
    .record()
    .op("jmp", far(selectorOf("main"), 0));
  // Takes the error code, makes the main task go on behind its attempt, and returns there.
  // (QEMU has no RF in images, and a fault of the new task saves an EIP of the old one.)
  p.label("watch")
    .op("pop", EAX)
    .op("mov", absolute(tssOf("bad") + 0x20), 0);
  for (const name of ["main", "bad"] as const) p.op("and", absolute(tssOf(name) + 0x24), ~0x10000);
  p.record().op("mov", absolute(tssOf("watch"), 2), selectorOf("main"));
  p.op("mov", EAX, absolute(RESUME_AT)).op("mov", absolute(tssOf("main") + 0x20), EAX);
  p.op("iretd").jump("jmp", "watch");
  return p;
}
