/**
 * The guest that runs ring-0 cases one after the other: restores tables and data, enters the case by IRET, and in the handler
 * of whatever ends it writes an outcome to the log. At the end the log goes to QEMU's debug port (ours has none there; it
 * is read from memory). May import guest.ts, layout.ts.
 */
import { Prefix } from "../../../cpu/instruction";
import { AL, AX, absolute, at, CR, DX, EAX, EBX, ECX, EDI, EDX, ESI, ESP, Program } from "../guest";
import * as l from "./layout";

const DEBUG_PORT = 0xe9;
/** Variables: the case's record, the log's end, cases left. */
const CURRENT = l.VARIABLES;
const LOG_END = l.VARIABLES + 4;
const LEFT = l.VARIABLES + 8;
const GDTR = l.VARIABLES + 12;
const HARNESS_CR0 = 0x11;
const WITH_ERROR_CODE = [8, 10, 11, 12, 13, 14, 17];
const REP = { prefixes: Prefix.Rep };
const [ES, SS, DS, FS, GS] = [0, 2, 3, 4, 5].map((number) => ({ kind: "sreg" as const, number }));

/** The harness for so many cases. `gates` are IDT entries of the random vectors, two words each. */
export function harness(cases: number, gates: readonly number[]): Program {
  const p = new Program();
  const copy = (from: number, to: number, words: number) =>
    p.op("mov", ESI, from).op("mov", EDI, to).op("mov", ECX, words).opWith(REP, "movsd");
  p.enter().pics(0xff).op("cld");
  p.op("mov", absolute(CURRENT), l.CASES).op("mov", absolute(LOG_END), l.LOG).op("mov", absolute(LEFT), cases);
  p.op("mov", absolute(GDTR, 2), l.GDT_ENTRIES * 8 - 1).op("mov", absolute(GDTR + 2), l.GDT);
  p.op("mov", absolute(l.END, 2), 0xcd | (l.END_VECTOR << 8));
  // PT0: one to one, present, writable, user.
  p.op("mov", EDI, l.PT0).op("mov", EAX, 7).op("mov", ECX, 1024);
  p.label("identity").op("stosd").op("add", EAX, 4096).op("dec", ECX).jump("jnz", "identity");

  p.label("restore").op("mov", EAX, HARNESS_CR0).op("mov", CR[0], EAX).op("mov", ESP, l.HARNESS_STACK);
  copy(l.PRISTINE, l.GDT, l.TABLE_WORDS);
  copy(l.PRISTINE_PT1, l.PT1, l.WINDOW_PAGES);
  copy(l.PRISTINE_DATA, l.DATA, l.DATA_PAGES * 1024);
  p.op("mov", absolute(l.DIRECTORY), l.PT0 | 7).op("mov", absolute(l.DIRECTORY + 4), l.PT1 | 7);
  p.op("lgdt", absolute(GDTR, 6))
    .op("mov", EAX, { label: "idtr" })
    .op("lidt", at(EAX, 0, 6));
  p.op("push", l.CODE[0]).op("push", { label: "sound" }).op("retf").label("sound");
  p.op("mov", EAX, l.LDT_SELECTOR).op("lldt", AX).op("mov", EAX, l.TSS_SELECTOR).op("ltr", AX);
  p.op("mov", EAX, l.DIRECTORY).op("mov", CR[3], EAX).op("xor", EAX, EAX).op("mov", CR[2], EAX);

  // EBX is the case's record. Its pokes:
  p.op("mov", EBX, absolute(CURRENT)).op("mov", ECX, at(EBX, 4 * l.CaseWord.Pokes));
  p.op("lea", ESI, at(EBX, 4 * l.CaseWord.PokeList, 0));
  p.label("poke").op("test", ECX, ECX).jump("jz", "poked").op("lodsd").op("mov", EDI, EAX).op("movsd");
  p.op("dec", ECX).jump("jmp", "poke").label("poked");
  p.op("mov", EAX, at(EBX, 4 * l.CaseWord.Cr0))
    .op("mov", CR[0], EAX)
    .op("mov", ESP, l.CASE_STACK);
  p.op("mov", ECX, at(EBX, 4 * l.CaseWord.Code))
    .op("mov", EAX, at(EBX, 4 * l.CaseWord.Data))
    .op("cmp", ECX, l.CODE[0])
    .jump("jz", "ring0");
  p.op("push", EAX).op("push", l.USER_STACK);
  for (const segment of [DS, ES, FS, GS]) p.op("mov", segment, EAX);
  p.label("ring0")
    .op("push", at(EBX, 4 * l.CaseWord.Eflags))
    .op("push", ECX)
    .op("push", at(EBX, 4 * l.CaseWord.Entry));
  for (let i = 0; i < 8; i++) p.op("push", at(EBX, 4 * (l.CaseWord.Registers + i)));
  p.op("popad").op("iretd");

  p.label("common").op("pushad");
  for (const segment of [DS, ES, FS, GS]) p.op("push", segment);
  p.op("mov", EAX, l.DATA_SELECTORS[0]);
  for (const segment of [DS, ES, FS, GS]) p.op("mov", segment, EAX);
  p.op("cld").op("mov", EDI, absolute(LOG_END)).op("mov", ESI, ESP).op("mov", ECX, 19).opWith(REP, "movsd");
  for (const register of [0, 2, 3]) p.op("mov", EAX, CR[register]).op("stosd");
  p.op("xor", EAX, EAX).op("str", AX).op("stosd").op("sldt", AX).op("stosd").op("mov", AX, SS).op("stosd");
  const sum = (name: string, from: number, words: number): void => {
    p.op("mov", ESI, from).op("mov", ECX, words).op("xor", EDX, EDX);
    p.label(name).op("lodsd").op("rol", EDX, 1).op("add", EDX, EAX).op("dec", ECX).jump("jnz", name);
    p.op("mov", EAX, EDX).op("stosd");
  };
  sum("sumGdt", l.GDT, l.GDT_ENTRIES * 2);
  sum("sumTables", l.LDT, l.TABLE_WORDS - l.GDT_ENTRIES * 2);
  p.op("mov", EAX, absolute(l.DIRECTORY + 4)).op("stosd");
  sum("sumPt", l.PT1, l.WINDOW_PAGES);
  sum("sumData", l.DATA, l.DATA_PAGES * 1024);
  p.op("mov", absolute(LOG_END), EDI).op("add", absolute(CURRENT), 4 * l.CASE_WORDS);
  p.op("dec", absolute(LEFT)).jump("jnz", "restore");
  p.op("mov", EAX, HARNESS_CR0).op("mov", CR[0], EAX).op("mov", ECX, absolute(LOG_END)).op("mov", ESI, l.LOG);
  p.op("sub", ECX, ESI).op("mov", EDX, DEBUG_PORT);
  p.label("send").op("lodsb").op("out", DX, AL).op("dec", ECX).jump("jnz", "send").exit(0);

  const entries: Record<number, string> = {};
  for (const vector of [...Array.from({ length: 32 }, (_, i) => i), l.END_VECTOR]) {
    entries[vector] = `vector${vector}`;
    p.label(entries[vector]);
    if (!WITH_ERROR_CODE.includes(vector)) p.op("push", 0);
    p.op("push", vector).jump("jmp", "common");
  }
  p.tables(entries);
  return p.patchIdt(l.FIRST_RANDOM_VECTOR, gates);
}
