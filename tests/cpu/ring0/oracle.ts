/**
 * Ring-0 cases on QEMU and on our machine: one multiboot image, the same on both; outcomes are compared word by word.
 * May import cpu/, this folder.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Machine } from "../../../cpu/index";
import { Random } from "../../fuzz/random";
import { elfImage } from "../images";
import type { Ring0Case, Tables } from "./builder";
import { directedCases, randomCase, randomTables } from "./generate";
import { harness } from "./harness";
import * as l from "./layout";

export const QEMU = "qemu-system-i386";
const TIME_LIMIT_MS = 120_000;
const MEMORY_MB = 16;
const ENTRY = 0x100010;
const RF = 0x10000;
const [INVALID_TSS, NOT_PRESENT, STACK_FAULT, GENERAL_PROTECTION, PAGE_FAULT] = [10, 11, 12, 13, 14];
const ACCESSED = 0x20;
const WRITE = 2;
const CODE_BYTES = 128;

interface Suite {
  cases: readonly Ring0Case[];
  /** The vectors that the first cases end by. */
  directed: readonly number[];
  tables: Tables;
  image: Uint8Array;
}

/** The image with `count` cases of a seed: the directed ones, and random ones behind them. */
function makeSuite(seed: number, count: number): Suite {
  const random = new Random(seed);
  const tables = randomTables(random);
  const directed = directedCases(random, tables);
  const cases = directed.map(({ made }) => made).slice(0, count);
  while (cases.length < count) cases.push(randomCase(random, tables));
  const codeAt = l.CASES + 4 * l.CASE_WORDS * count;
  const records = new Uint8Array(4 * l.CASE_WORDS * count + CODE_BYTES * count);
  const words = new Uint32Array(records.buffer, 0, l.CASE_WORDS * count);
  for (const [index, one] of cases.entries()) {
    const at = index * l.CASE_WORDS;
    words[at + l.CaseWord.Entry] = codeAt + CODE_BYTES * index;
    words[at + l.CaseWord.Code] = l.CODE[one.ring];
    words[at + l.CaseWord.Data] = l.DATA_SELECTORS[one.ring];
    words[at + l.CaseWord.Cr0] = one.cr0;
    words[at + l.CaseWord.Eflags] = one.eflags;
    words.set(one.registers, at + l.CaseWord.Registers);
    words[at + l.CaseWord.Pokes] = one.pokes.length;
    words.set(one.pokes.flat(), at + l.CaseWord.PokeList);
    if (one.code.length > CODE_BYTES) throw new Error("a case's code is too long");
    records.set(one.code, codeAt - l.CASES + CODE_BYTES * index);
  }
  const data = new Uint8Array(4096 * l.DATA_PAGES);
  for (let i = 0; i < data.length; i += 4) new DataView(data.buffer).setUint32(i, random.next(), true);
  const bytesOf = (array: Uint32Array) => new Uint8Array(array.buffer);
  const segment = (physical: number, contents: Uint8Array) => ({ physical, data: contents, bytes: contents.length });
  const segments = [
    segment(0x100000, harness(count, tables.gates).finish()),
    segment(l.PRISTINE, bytesOf(tables.page)),
    segment(l.PRISTINE_PT1, bytesOf(tables.pt)),
    segment(l.PRISTINE_DATA, data),
    segment(l.CASES, records),
  ];
  return { cases, directed: directed.map(({ vector }) => vector), tables, image: elfImage(segments, ENTRY) };
}

function outcomesOf(bytes: Uint8Array, count: number): Uint32Array[] {
  // A copy, since a Buffer's own slice is a view of a larger one.
  const words = new Uint32Array(Uint8Array.from(bytes).buffer, 0, bytes.length >> 2);
  return Array.from({ length: Math.min(count, Math.floor(words.length / l.OUTCOME_WORDS)) }, (_, i) =>
    words.subarray(i * l.OUTCOME_WORDS, (i + 1) * l.OUTCOME_WORDS),
  );
}

/** Outcomes on QEMU; fewer than there are cases when it stopped before. */
function onQemu({ image, cases }: Suite): Uint32Array[] {
  const folder = mkdtempSync(join(tmpdir(), "tine-ring0-"));
  try {
    const [kernel, log] = [join(folder, "guest.elf"), join(folder, "log")];
    writeFileSync(kernel, image);
    writeFileSync(log, "");
    const devices = `-device isa-debug-exit,iobase=0xf4,iosize=4 -debugcon file:${log} -display none -monitor none -serial none -no-reboot`;
    const args = ["-cpu", "pentium", "-m", String(MEMORY_MB), "-kernel", kernel, ...devices.split(" ")];
    spawnSync(QEMU, args, { timeout: TIME_LIMIT_MS, stdio: "ignore" });
    return outcomesOf(readFileSync(log), cases.length);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Outcomes on ours. */
function onOurs({ image, cases }: Suite, compileAfter: number): Uint32Array[] {
  const machine = new Machine({ memoryMB: MEMORY_MB, compileAfter });
  machine.loadMultiboot(image);
  machine.run({ maxInstructions: 100_000 * cases.length });
  const written = machine.cpu.view.getUint32(machine.cpu.ram.byteOffset + l.VARIABLES + 4, true) - l.LOG;
  return outcomesOf(machine.cpu.ram.slice(l.LOG, l.LOG + Math.max(0, written)), cases.length);
}

/** Whether a case ended behind a call gate that leads to a conforming segment (deviations.ts). */
function enteredConforming(one: Ring0Case, theirs: Uint32Array, ours: Uint32Array, { page }: Tables): boolean {
  const at = l.FIELDS.indexOf("cs");
  if (!one.callsGate || ((theirs[at] ^ ours[at]) & 0xfffc) !== 0) return false;
  const high = (ours[at] & 4 ? l.LDT : l.GDT) + (ours[at] & 0xfff8) + 4;
  const word = one.pokes.find(([address]) => address === high)?.[1] ?? page[(high - l.GDT) / 4];
  return ((word >>> 8) & 0x1c) === 0x1c;
}

/** Bits of an outcome's word that count. */
function maskOf(field: string, outcome: Uint32Array, one: Ring0Case): number {
  const cs = outcome[l.FIELDS.indexOf("cs")];
  if (/^(gs|fs|es|ds|ss|callerSs|cs|tr|ldtr)$/.test(field)) {
    if (field === "callerSs" && (cs & 3) === 0) return 0;
    return 0xffff;
  }
  // Without a change of ring there is nothing of the frame there.
  if (field === "callerEsp" && (cs & 3) === 0) return 0;
  if (outcome[l.FIELDS.indexOf("vector")] === PAGE_FAULT) {
    if (field === "pde") return ~ACCESSED;
    if (field === "pt") return 0;
    if (field === "error" && one.readsFirst) return ~WRITE;
  }
  if (field === "eflags") return ~(RF | one.undefinedFlags);
  return -1;
}

/** Whether QEMU has its own vector for the segment that was absent: behind a jump through a gate, or of a stack (deviations.ts). */
function ownVector(one: Ring0Case, theirs: number, ours: Uint32Array): boolean {
  const [vector, error] = ["vector", "error"].map((name) => ours[l.FIELDS.indexOf(name)]);
  if (vector === NOT_PRESENT) return one.jumps && theirs === GENERAL_PROTECTION;
  return vector === STACK_FAULT && error !== 0 && (theirs === NOT_PRESENT || theirs === INVALID_TSS);
}

/** The first difference of a case, or undefined. */
function difference(one: Ring0Case, theirs: Uint32Array, ours: Uint32Array): string | undefined {
  for (const [i, field] of l.FIELDS.entries()) {
    if (((theirs[i] ^ ours[i]) & maskOf(field, theirs, one)) === 0) continue;
    if (field === "vector" && ownVector(one, theirs[i], ours)) continue;
    const word = (outcome: Uint32Array, index: number) => outcome[index].toString(16);
    const where = ["vector", "error", "eip", "cs"].map((name) => {
      const at = l.FIELDS.indexOf(name);
      return `${name} ${word(theirs, at)}/${word(ours, at)}`;
    });
    return `${field}: QEMU ${word(theirs, i)}, ours ${word(ours, i)}; ${where.join(", ")}`;
  }
  return undefined;
}

export interface Comparison {
  compared: number;
  mismatches: string[];
  /** How many cases ended by each vector. */
  vectors: Map<number, number>;
}

/** Most cases of one image. */
export const MOST_CASES = 4000;

/**
 * Runs `count` cases of a seed on both and compares them. Throws when either did not come to the end. `compileAfter` is
 * CpuOptions'.
 */
export function compareRing0(seed: number, count: number, compileAfter: number): Comparison {
  const suite = makeSuite(seed, count);
  const [theirs, ours] = [onQemu(suite), onOurs(suite, compileAfter)];
  if (theirs.length !== count || ours.length !== count) {
    const reached = Math.min(theirs.length, ours.length);
    const last = reached < count ? `\n${describe(suite.cases[reached])}` : "";
    throw new Error(`seed ${seed}: QEMU ended ${theirs.length} of ${count} cases, ours ${ours.length}${last}`);
  }
  const comparison: Comparison = { compared: count, mismatches: [], vectors: new Map() };
  for (const [i, one] of suite.cases.entries()) {
    const vector = ours[i][l.FIELDS.indexOf("vector")];
    comparison.vectors.set(vector, (comparison.vectors.get(vector) ?? 0) + 1);
    if (i < suite.directed.length && vector !== suite.directed[i])
      comparison.mismatches.push(
        `case ${i} of seed ${seed} ends by ${vector}, not ${suite.directed[i]}\n${describe(one)}`,
      );
    if (enteredConforming(one, theirs[i], ours[i], suite.tables)) continue;
    const what = difference(one, theirs[i], ours[i]);
    if (what !== undefined) comparison.mismatches.push(`case ${i} of seed ${seed}: ${what}\n${describe(one)}`);
  }
  return comparison;
}

function describe(one: Ring0Case): string {
  const lines = one.text.map((line) => `    ${line}`);
  const registers = one.registers.map((register) => register.toString(16)).join(" ");
  const pokes = one.pokes.map(([address, value]) => `${address.toString(16)}=${value.toString(16)}`).join(" ");
  return [
    ...lines,
    `  ring ${one.ring}, cr0 ${one.cr0.toString(16)}, eflags ${one.eflags.toString(16)}, ${registers}, pokes ${pokes}`,
  ].join("\n");
}
