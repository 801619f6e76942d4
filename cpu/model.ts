/**
 * Processor models: what each of the four has, in one table. Everything that asks "is it there?" asks here: which rows are
 * instructions, which bits of CR0, CR4 and EFLAGS can be set, what CPUID says, which model-specific registers exist.
 * May import isa.ts, instruction.ts, modelnames.ts, errors.ts and registers.ts.
 *
 * The models are a 386 DX with a 387; a first 486 DX (no CPUID, no CR4, no EFLAGS.ID: those came with its last steppings); a
 * Pentium of 75 MHz and up, without MMX; a Pentium Pro. What the real parts have beyond this list (virtual-8086 extensions, machine
 * checks, APIC, memory type ranges, performance counters, SYSENTER, 36-bit addresses) is on none of them, and CPUID says so.
 *
 * Invariant: the model is asked when an instruction is decoded or a control register is loaded, never when code runs.
 * Source: Intel application note 485 (CPUID and how to tell the models); Intel SDM volume 2, CPUID; volume 3, sections 2.5 and
 * 23 (compatibility); 80386 and i486 programmer's reference manuals (reset state, registers).
 */
import { MachineError } from "./errors";
import type { Instruction } from "./instruction";
import { ROWS, type Row } from "./isa";
import { MODEL_NAMES, type ModelName } from "./modelnames";
import { Cr0, Cr4, Flag } from "./registers";

/** Bits of CPUID leaf 1, EDX. */
export const enum Feature {
  FPU = 1 << 0,
  DE = 1 << 2,
  PSE = 1 << 3,
  TSC = 1 << 4,
  MSR = 1 << 5,
  CX8 = 1 << 8,
  PGE = 1 << 13,
  CMOV = 1 << 15,
}

/** Model-specific registers, by number. */
export const enum Msr {
  /** The time-stamp counter. */
  Tsc = 0x10,
}

export interface Model {
  readonly name: ModelName;
  /** 3 to 6: rows of a later generation are no instructions. */
  readonly generation: number;
  /** EDX after reset, and EAX of CPUID leaf 1: type, family, model, stepping. */
  readonly signature: number;
  /** Bits of CR0 and CR4 that can be set; setting another is ignored in CR0 and #GP(0) in CR4. */
  readonly cr0: number;
  readonly cr4: number;
  /** Whether there is a CR4 at all; without one, MOV to and from it is #UD. */
  readonly hasCr4: boolean;
  /** Flags of EFLAGS that cannot be set. */
  readonly absentFlags: number;
  /** EDX of CPUID leaf 1. */
  readonly features: number;
  /** The model-specific registers; reading or writing another is #GP(0). */
  readonly msrs: readonly number[];
}

const CR0_386 = Cr0.PE | Cr0.MP | Cr0.EM | Cr0.TS | Cr0.ET | Cr0.PG;
const CR0_486 = CR0_386 | Cr0.NE | Cr0.WP | Cr0.AM | Cr0.NW | Cr0.CD;
const CR4_586 = Cr4.TSD | Cr4.DE | Cr4.PSE;
const FEATURES_586 = Feature.FPU | Feature.DE | Feature.PSE | Feature.TSC | Feature.MSR | Feature.CX8;

export const MODELS: Readonly<Record<ModelName, Model>> = {
  386: {
    name: "386",
    generation: 3,
    signature: 0x308,
    cr0: CR0_386,
    cr4: 0,
    hasCr4: false,
    absentFlags: Flag.AC | Flag.ID,
    features: 0,
    msrs: [],
  },
  486: {
    name: "486",
    generation: 4,
    signature: 0x401,
    cr0: CR0_486,
    cr4: 0,
    hasCr4: false,
    absentFlags: Flag.ID,
    features: 0,
    msrs: [],
  },
  586: {
    name: "586",
    generation: 5,
    signature: 0x52c,
    cr0: CR0_486,
    cr4: CR4_586,
    hasCr4: true,
    absentFlags: 0,
    features: FEATURES_586,
    msrs: [Msr.Tsc],
  },
  686: {
    name: "686",
    generation: 6,
    signature: 0x619,
    cr0: CR0_486,
    cr4: CR4_586 | Cr4.PGE,
    hasCr4: true,
    absentFlags: 0,
    features: FEATURES_586 | Feature.PGE | Feature.CMOV,
    msrs: [Msr.Tsc],
  },
};

/** The model of a name. Throws MachineError where there is none. */
export function modelNamed(name: string): Model {
  if (Object.hasOwn(MODELS, name)) return MODELS[name as ModelName];
  throw new MachineError(`no CPU model '${name}': there are ${MODEL_NAMES.join(", ")}`);
}

/** EBX, EDX and ECX of CPUID leaf 0: "TineTineTine". */
export const VENDOR_WORD = 0x656e6954;
/** The highest leaf of CPUID; a higher one answers as it does. */
export const HIGHEST_LEAF = 1;

/** The generation that brought a row, by mnemonic; what is not named came with the 386 or before. */
const SINCE: readonly (readonly [RegExp, number])[] = [
  [/^(bswap|cmpxchg|xadd|invd|wbinvd|invlpg)$/, 4],
  [/^(cpuid|rdtsc|rdmsr|wrmsr|cmpxchg8b)$/, 5],
  [/^(f?cmov.*|fu?comip?)$/, 6],
];
const HINTS_FIRST = 0x0f18;
const HINTS_LAST = 0x0f1f;

function sinceOf({ opcode, mnemonic }: Row): number {
  if (opcode >= HINTS_FIRST && opcode <= HINTS_LAST) return 6;
  return SINCE.find(([names]) => names.test(mnemonic))?.[1] ?? 3;
}

/** The generation that brought each row: 3 for the 386 and before, to 6. */
export const ROW_SINCE: Uint8Array = Uint8Array.from(ROWS, sinceOf);

const CR4 = 4;
const MOVES_CONTROL: ReadonlySet<Row> = new Set(ROWS.filter((row) => row.operands.includes("Cd")));
const MOVES_TEST: ReadonlySet<Row> = new Set(ROWS.filter((row) => row.operands.includes("Td")));
/** The first test register by generation: TR6 on a 386, TR3 on a 486, none from the Pentium on. */
const FIRST_TEST_REGISTER: Readonly<Record<number, number>> = { 3: 6, 4: 3 };

/** Whether a decoded instruction is one on this model; where it is not, it raises #UD. */
export function hasInstruction(model: Model, insn: Instruction): boolean {
  if (ROW_SINCE[insn.row] > model.generation) return false;
  const row = ROWS[insn.row];
  if (MOVES_TEST.has(row)) return insn.reg >= (FIRST_TEST_REGISTER[model.generation] ?? 8);
  return model.hasCr4 || insn.reg !== CR4 || !MOVES_CONTROL.has(row);
}
