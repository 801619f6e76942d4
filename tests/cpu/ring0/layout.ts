/**
 * What the image of ring-0 cases and its readers agree on: addresses, selectors, the records of a case and of its outcome.
 * May import nothing. All addresses are physical and, in the low 4 MB, linear too.
 *
 *     0x007000  END          INT 40: every gate of a case leads here
 *     0x100000  the harness  (harness.ts)
 *     0x200000  DIRECTORY, PT0 (the low 4 MB one to one, open to all), PT1 (the window at 4 MB)
 *     0x203000  TABLES       GDT, LDT, TSS with its I/O bitmap; restored from PRISTINE before each case, with PT1 and DATA
 *     0x208000  DATA         four frames, where PT1's entries lead
 *     0x220000  CASES        records and their code
 *     0x320000  LOG          outcomes
 */

export const END = 0x7000;
export const END_VECTOR = 0x40;
/** Vectors whose gates are random. */
export const FIRST_RANDOM_VECTOR = 0x50;
export const RANDOM_VECTORS = 32;
/** Behind them, vectors whose gates lead to TARGET, each with another RPL, and to no code at all. */
export const FIRST_TRANSFER_VECTOR = FIRST_RANDOM_VECTOR + RANDOM_VECTORS;
export const TRANSFER_VECTORS = 16;

export const DIRECTORY = 0x200000;
export const PT0 = 0x201000;
export const PT1 = 0x202000;
export const GDT = 0x203000;
export const GDT_ENTRIES = 64;
export const LDT = 0x203200;
export const LDT_ENTRIES = 16;
export const TSS = 0x203300;
export const IO_BITMAP_BYTES = 32;
export const TSS_LIMIT = 0x68 + IO_BITMAP_BYTES;
/** A second TSS, never entered, for LTR. */
export const SECOND_TSS = 0x203400;
/** Words of the tables' page that are restored and summed. */
export const TABLE_WORDS = 0x500 / 4;
export const PRISTINE = 0x205000;
export const PRISTINE_PT1 = 0x206000;
export const WINDOW = 0x400000;
export const WINDOW_PAGES = 16;
export const DATA = 0x208000;
export const DATA_PAGES = 4;
export const PRISTINE_DATA = 0x20c000;
export const VARIABLES = 0x210000;
export const CASES = 0x220000;
export const LOG = 0x320000;

export const CASE_STACK = 0x9e000;
export const USER_STACK = 0x9c000;
export const HARNESS_STACK = 0x98000;
/** Stacks of rings 0 to 2 in the TSS. */
export const RING_STACKS: readonly number[] = [0x96000, 0x94000, 0x92000];

/** Selectors of sound segments by ring; ring 0's come first in the GDT. */
export const CODE = [0x08, 0x39, 0x4a, 0x1b];
export const DATA_SELECTORS = [0x10, 0x41, 0x52, 0x23];
export const TSS_SELECTOR = 0x28;
export const LDT_SELECTOR = 0x30;
/** The first entry of the GDT that is random. */
export const FIRST_RANDOM_ENTRY = 11;
/**
 * Selectors of descriptors that a case makes for itself: what it transfers to or loads, the code segment of a gate there, and
 * a stack segment.
 */
export const [SUBJECT, TARGET, OWN_STACK] = [61, 62, 63].map((entry) => 8 * entry);

/** Words of a case's record: EIP, CS, SS and data segments, CR0, EFLAGS, EAX ECX EDX EBX ESP EBP ESI EDI, pokes, (address, value) * 8. */
export const CASE_WORDS = 32;
export const MAX_POKES = 8;
export const enum CaseWord {
  Entry = 0,
  Code = 1,
  Data = 2,
  Cr0 = 3,
  Eflags = 4,
  Registers = 5,
  Pokes = 13,
  PokeList = 14,
}

/** Words of an outcome, as the handler writes them. */
export const FIELDS = (
  "gs fs es ds edi esi ebp esp ebx edx ecx eax vector error eip cs eflags callerEsp callerSs " +
  "cr0 cr2 cr3 tr ldtr ss gdt tables pde pt data"
).split(" ");
export const OUTCOME_WORDS = FIELDS.length;
