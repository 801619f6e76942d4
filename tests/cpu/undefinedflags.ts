/**
 * The flags that the manual leaves undefined: what our processor does with them, and whether that is what the host's
 * processor does (measured by tests/cpu/host on Intel's server cores; older members of the P6 family agree where they are
 * documented to). Only what differs is masked by the tests. May import nothing. docs/conformance.md prints this table.
 */

export const enum Undefined {
  CF = 1,
  PF = 4,
  AF = 0x10,
  ZF = 0x40,
  SF = 0x80,
  OF = 0x800,
}

export interface UndefinedFlags {
  /** Mnemonics of cpu/isa.ts. */
  readonly mnemonics: readonly string[];
  /** When they are undefined, in words; empty: always. */
  readonly when: string;
  /** The same for a count (masked to 5 bits) and an operand of so many bits, by immediate or not. */
  readonly applies: (count: number, bits: number, immediate: boolean) => boolean;
  readonly flags: number;
  readonly ours: string;
  /** Flags in which the host does otherwise: masked. */
  readonly masked: number;
}

const always = () => true;
const ARITHMETIC = Undefined.CF | Undefined.PF | Undefined.AF | Undefined.ZF | Undefined.SF | Undefined.OF;

export const UNDEFINED_FLAGS: readonly UndefinedFlags[] = [
  {
    mnemonics: ["and", "or", "xor", "test"],
    ...{ when: "", applies: always, flags: Undefined.AF, masked: 0 },
    ours: "AF = 0",
  },
  {
    mnemonics: ["shl", "shr", "sar", "shld", "shrd"],
    ...{ when: "count not 0", applies: (count) => count !== 0, flags: Undefined.AF, masked: 0 },
    ours: "AF = 0",
  },
  {
    mnemonics: ["shl", "shr", "sar", "rcl", "rcr", "shld", "shrd"],
    ...{ when: "count above 1", applies: (count) => count > 1, flags: Undefined.OF, masked: 0 },
    ours: "OF as a count of 1 would have left it",
  },
  {
    mnemonics: ["rol", "ror"],
    ...{ when: "count above 1, in CL", applies: (count, _, immediate) => count > 1 && !immediate },
    ...{ flags: Undefined.OF, masked: 0 },
    ours: "OF as a count of 1 would have left it",
  },
  {
    mnemonics: ["rol", "ror"],
    ...{ when: "count above 1, immediate", applies: (count, _, immediate) => count > 1 && immediate },
    ...{ flags: Undefined.OF, masked: Undefined.OF },
    ours: "OF as a count of 1 would have left it (the host leaves it alone)",
  },
  {
    mnemonics: ["shl", "shr"],
    ...{
      when: "count above the operand's bits",
      applies: (count, bits) => count > bits,
      flags: Undefined.CF,
      masked: 0,
    },
    ours: "CF = 0",
  },
  {
    mnemonics: ["shld", "shrd"],
    ...{ when: "16 bits, count above 16", applies: (count, bits) => count > bits, flags: ARITHMETIC, masked: 0 },
    ours: "result and flags as if the destination stood behind the source once more",
  },
  {
    mnemonics: ["mul", "imul"],
    ...{ when: "", applies: always, flags: Undefined.SF | Undefined.ZF | Undefined.AF | Undefined.PF, masked: 0 },
    ours: "SF and PF by the lower half, ZF = AF = 0",
  },
  {
    mnemonics: ["div", "idiv"],
    ...{ when: "", applies: always, flags: ARITHMETIC, masked: 0 },
    ours: "all unchanged",
  },
  {
    mnemonics: ["bsf", "bsr"],
    ...{ when: "", applies: always, masked: 0 },
    flags: Undefined.CF | Undefined.OF | Undefined.SF | Undefined.AF | Undefined.PF,
    ours: "CF = OF = SF = AF = 0, PF by the index (1 when the source is 0; the destination then stays)",
  },
  {
    mnemonics: ["bt", "bts", "btr", "btc"],
    ...{ when: "", applies: always, masked: 0 },
    flags: Undefined.OF | Undefined.SF | Undefined.AF | Undefined.PF,
    ours: "unchanged",
  },
  {
    mnemonics: ["daa", "das"],
    ...{ when: "", applies: always, flags: Undefined.OF, masked: 0 },
    ours: "OF = 0",
  },
  {
    mnemonics: ["aaa", "aas"],
    ...{ when: "", applies: always, masked: 0 },
    flags: Undefined.OF | Undefined.SF | Undefined.ZF | Undefined.PF,
    ours: "SF, ZF and PF by AL, OF = 0",
  },
  {
    mnemonics: ["aam"],
    ...{ when: "", applies: always, flags: Undefined.OF | Undefined.AF | Undefined.CF, masked: 0 },
    ours: "OF = AF = CF = 0",
  },
  {
    mnemonics: ["aad"],
    ...{ when: "", applies: always, flags: Undefined.OF | Undefined.AF | Undefined.CF, masked: 0 },
    ours: "as the addition AL + AH * base leaves them",
  },
];

/**
 * Flags not to compare after an instruction: `count` is a shift's, masked to 5 bits; `bits` the operand's; `immediate` when
 * the count stands in the instruction.
 */
export function maskedFlags(mnemonic: string, count: number, bits: number, immediate: boolean): number {
  let mask = 0;
  for (const entry of UNDEFINED_FLAGS) {
    if (entry.mnemonics.includes(mnemonic) && entry.applies(count, bits, immediate)) mask |= entry.masked;
  }
  return mask;
}
