/**
 * Our decoder and iced-x86 over the same bytes: both say what the instruction is called and how long it is, or that it is
 * none. What iced knows and we do not claim is in one table, with the reason. May import cpu/ and oracle.ts.
 */
import { CpuidFeature } from "iced-x86";
import { DecodeResult, decode } from "../../cpu/decoder";
import { Instruction } from "../../cpu/instruction";
import { mnemonicOf, ROWS } from "../../cpu/isa";
import { icedName, Oracle, RECORD, randomFrom } from "./oracle";

/** The processors and extensions whose instructions we claim, by iced's names. */
const OUR_FEATURES = new Set([
  CpuidFeature.INTEL8086,
  CpuidFeature.INTEL8086_ONLY,
  CpuidFeature.INTEL186,
  CpuidFeature.INTEL286,
  CpuidFeature.INTEL386,
  CpuidFeature.INTEL486,
  CpuidFeature.CPUID,
  CpuidFeature.TSC,
  CpuidFeature.MULTIBYTENOP,
  CpuidFeature.MSR,
  CpuidFeature.CX8,
  CpuidFeature.CMOV,
  CpuidFeature.FPU,
  CpuidFeature.FPU287,
  CpuidFeature.FPU387,
]);

export interface Unclaimed {
  readonly matches: (oracle: Oracle) => boolean;
  readonly reason: string;
}

/** What iced decodes and we do not. */
export const UNCLAIMED: readonly Unclaimed[] = [
  {
    matches: ({ features }) => !features.every((feature) => OUR_FEATURES.has(feature)),
    reason: "of an extension that CPUID does not report: MMX, SSE, AVX, VMX, SMM, SYSENTER and all that came later",
  },
  { matches: ({ form }) => /_0F0D$/.test(form), reason: "0F 0D, which the Pentium Pro does not have" },
];

/** What a comparison found. */
export interface Tally {
  /** Instructions in both. */
  same: number;
  /** None with us. */
  invalid: number;
  /** How many each entry of UNCLAIMED explained. */
  unclaimed: number[];
  /** One case of each kind of difference: what, and its bytes. */
  differences: Map<string, string>;
}

export function emptyTally(): Tally {
  return { same: 0, invalid: 0, unclaimed: UNCLAIMED.map(() => 0), differences: new Map() };
}

const insn = new Instruction();

/** Compares all records of RECORD bytes in code of a size, and adds to the tally. */
export function compareDecoders(records: Uint8Array, defaultSize: 2 | 4, tally: Tally): void {
  const oracle = new Oracle(defaultSize, records);
  const differ = (index: number, ours: string): void => {
    const iced = oracle.valid ? `${oracle.form} of ${oracle.length} bytes` : "none";
    const what = `iced ${iced}, ours ${ours}, ${8 * defaultSize}-bit code`;
    const bytes = records.subarray(index * RECORD, (index + 1) * RECORD);
    if (!tally.differences.has(what)) tally.differences.set(what, Buffer.from(bytes).toString("hex"));
  };
  for (let i = 0; i * RECORD < records.length; i++) {
    const result = decode(records, i * RECORD, RECORD, defaultSize, insn);
    oracle.decode(i);
    if (result !== DecodeResult.Ok) {
      tally.invalid++;
      if (!oracle.valid) continue;
      const entry = UNCLAIMED.findIndex(({ matches }) => matches(oracle));
      if (entry < 0) differ(i, `result ${result}`);
      else tally.unclaimed[entry]++;
      continue;
    }
    tally.same++;
    const row = ROWS[insn.row];
    const ours = icedName(mnemonicOf(row, insn.operandSize, insn.addressSize));
    if (!oracle.valid || oracle.mnemonic !== ours || oracle.length !== insn.length)
      differ(i, `${ours}, ${insn.length}`);
  }
  oracle.free();
}

/** Records that begin with `heads`, each followed by bytes that are neither prefixes nor all alike. */
export function recordsOf(heads: readonly (readonly number[])[]): Uint8Array {
  const records = new Uint8Array(heads.length * RECORD);
  for (const [i, head] of heads.entries()) {
    for (let at = 0; at < RECORD; at++) records[i * RECORD + at] = head[at] ?? 0x81 + at * 7;
  }
  return records;
}

/** Records of random bytes from a seed. */
export function randomRecords(count: number, seed: number): Uint8Array {
  const random = randomFrom(seed);
  const records = new Uint8Array(count * RECORD);
  for (let i = 0; i < records.length; i++) records[i] = random() >>> 24;
  return records;
}

/** All opcodes of one and two bytes. */
export const OPCODES: readonly (readonly number[])[] = Array.from({ length: 512 }, (_, i) =>
  i < 256 ? [i] : [0x0f, i - 256],
);

/** Each prefix alone, none, and what prefixes do to each other. */
export const PREFIXES: readonly (readonly number[])[] = [
  ...[[], [0x66], [0x67], [0x66, 0x67], [0xf0], [0xf2], [0xf3], [0x26], [0x2e], [0x36], [0x3e], [0x64], [0x65]],
  ...[
    [0x66, 0xf3],
    [0xf0, 0x66],
    [0xf0, 0xf3, 0x67],
    [0x36, 0x26, 0x67],
    [0xf2, 0xf3],
    [0x66, 0x66],
  ],
];

/** Every opcode with every ModRM byte behind some prefixes. */
export function everyModrm(prefix: readonly number[]): Uint8Array {
  return recordsOf(
    OPCODES.flatMap((opcode) => Array.from({ length: 256 }, (_, modrm) => [...prefix, ...opcode, modrm])),
  );
}

/** An opcode with every ModRM byte that takes a SIB byte, with every SIB byte. */
export function everySib(opcode: readonly number[]): Uint8Array {
  const modrms = Array.from({ length: 24 }, (_, i) => ((i >> 3) << 6) | ((i & 7) << 3) | 4);
  return recordsOf(modrms.flatMap((modrm) => Array.from({ length: 256 }, (_, sib) => [...opcode, modrm, sib])));
}
