/**
 * Guests for the benchmark: each does one kind of work a given number of times, then exits. May import the assembler of
 * the processor's tests.
 */
import { absolute, at, CR, DL, EAX, EBP, EBX, ECX, EDI, EDX, ESI, ESP, Program } from "../cpu/guest";

/** A guest, and what one operation of it is. */
export interface Guest {
  name: string;
  operation: string;
  operations: number;
  program: Program;
}

const REP = { prefixes: 4 };
const DIRECTORY = 0x200000;
const TABLE = 0x210000;
const FREE_PAGE = 0x300000;

/** Code: `body` so many times, with ECX as the counter, then the exit. */
function loop(p: Program, count: number, body: () => void): Program {
  p.op("mov", ECX, count).label("loop");
  body();
  return p.op("dec", ECX).jump("jnz", "loop").exit(0);
}

/** Code: identity-maps the first 4 MB by 4 KB pages in `directories` directories of one table, and turns paging on. */
function paging(p: Program, directories: number): Program {
  p.op("mov", EDI, TABLE).op("mov", EAX, 7).op("mov", ECX, 1024);
  p.label("fill").op("mov", at(EDI), EAX).op("add", EDI, 4).op("add", EAX, 4096).op("dec", ECX).jump("jnz", "fill");
  for (let i = 0; i < directories; i++) {
    p.op("mov", EAX, TABLE | 7)
      .op("mov", EDI, DIRECTORY + 4096 * i)
      .op("mov", at(EDI), EAX);
  }
  p.op("mov", EAX, DIRECTORY).op("mov", CR[3], EAX);
  return p.op("mov", EAX, CR[0]).op("or", EAX, 0x80010000).op("mov", CR[0], EAX);
}

function arithmetic(operations: number): Program {
  const p = new Program();
  p.op("mov", EAX, 1).op("mov", EBX, 2).op("xor", ESI, ESI);
  return loop(p, operations, () => {
    p.op("add", EAX, EBX).op("xor", EBX, EAX).op("lea", ESI, at(EAX, 3)).op("shl", ESI, 3).op("sub", EDI, ESI);
    p.op("and", EDI, 0xffffff).op("or", EAX, 1).op("cmp", EAX, EBX).op("setb", DL);
    p.op("mov", EBP, EAX).op("inc", EBP).op("test", EBP, EBP);
  });
}

function branches(operations: number): Program {
  const p = new Program();
  p.op("mov", EAX, 12345).op("mov", ESP, 0x90000);
  loop(p, operations, () => {
    p.op("imul", EAX, EAX, 1664525).op("add", EAX, 1013904223).op("test", EAX, 0x10000).jump("jz", "even");
    p.op("inc", EBX).jump("call", "leaf").label("even").op("test", EAX, 0x20000).jump("jnz", "odd");
    p.op("dec", EBX).jump("call", "leaf").label("odd");
  });
  return p.label("leaf").op("push", EBP).op("mov", EBP, ESP).op("add", ESI, EBX).op("pop", EBP).op("ret");
}

function loadStore(operations: number): Program {
  const p = new Program();
  paging(p.enter(), 1).op("xor", EBX, EBX);
  const here = { base: 3 };
  loop(p, operations, () => {
    p.op("mov", EAX, absolute(FREE_PAGE, 4, here)).op("add", EAX, ECX);
    p.op("mov", absolute(FREE_PAGE + 0x40000, 4, here), EAX).op("add", absolute(FREE_PAGE, 4, here), EAX);
    p.op("movzx", EDX, absolute(FREE_PAGE + 1, 1, here))
      .op("push", EDX)
      .op("pop", ESI);
    p.op("add", EBX, 68).op("and", EBX, 0x3fffc);
  });
  return p.tables({});
}

function copy(operations: number): Program {
  const p = new Program();
  paging(p.enter(), 1).op("cld");
  loop(p, operations, () => {
    p.op("mov", EBX, ECX)
      .op("mov", ESI, FREE_PAGE)
      .op("mov", EDI, FREE_PAGE + 4096)
      .op("mov", ECX, 1024);
    p.opWith(REP, "movsd").op("mov", ECX, EBX);
  });
  return p.tables({});
}

function pageFaults(operations: number): Program {
  const p = new Program();
  paging(p.enter(), 1);
  const entry = TABLE + 4 * (FREE_PAGE >> 12);
  loop(p, operations, () => {
    p.op("mov", absolute(entry), 0).op("invlpg", absolute(FREE_PAGE, 0)).op("mov", absolute(FREE_PAGE), ECX);
  });
  p.label("fault")
    .op("push", EAX)
    .op("mov", EAX, CR[2])
    .op("mov", absolute(entry), FREE_PAGE | 7);
  return p.op("pop", EAX).op("add", ESP, 4).op("iretd").tables({ 14: "fault" });
}

function switches(operations: number): Program {
  const p = new Program();
  paging(p.enter(), 2);
  loop(p, operations, () => {
    p.op("mov", EAX, ECX).op("and", EAX, 1).op("shl", EAX, 12).op("add", EAX, DIRECTORY).op("mov", CR[3], EAX);
    for (let page = 0; page < 8; page++) p.op("add", absolute(FREE_PAGE + 4096 * page), EAX);
  });
  return p.tables({});
}

/** In ring 3 with I/O privilege, for the exit port. */
function systemCalls(operations: number): Program {
  const p = new Program();
  paging(p.enter(), 1).enterUser(0x3002);
  loop(p, operations, () => {
    p.op("mov", EAX, 20).op("int", 0x80);
  });
  return p.label("gate").op("pushad").op("inc", at(ESP, 28)).op("popad").op("iretd").tables({ 128: "gate" });
}

type Row = [name: string, operation: string, operations: number, make: (operations: number) => Program];

const TABLE_OF_GUESTS: readonly Row[] = [
  ["alu", "loop of 14", 2_000_000, arithmetic],
  ["branch and call", "loop of about 15", 1_000_000, branches],
  ["load and store", "loop of 11", 2_000_000, loadStore],
  ["rep movsd", "4 KB copied", 20_000, copy],
  ["page fault", "fault, map, retry", 200_000, pageFaults],
  ["cr3 switch", "switch, 8 pages touched", 200_000, switches],
  ["int 0x80", "ring 3 to 0 and back", 300_000, systemCalls],
];

/** All guests, in the order of the table. */
export function guests(): Guest[] {
  return TABLE_OF_GUESTS.map(([name, operation, operations, make]) => ({
    name,
    operation,
    operations,
    program: make(operations),
  }));
}
