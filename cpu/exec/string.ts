/**
 * MOVS STOS LODS CMPS SCAS INS OUTS, alone and under REP: the table of handlers, and the steps of those that move between
 * memory and registers. May import arith.ts, ports.ts, repeat.ts, stringbulk.ts, stringelement.ts, stringports.ts, registers.ts, types.
 * What a step is, and what holds between two of them, is in repeat.ts.
 * Source: Intel SDM volume 2, under each mnemonic.
 */
import type { Cpu } from "../cpu";
import type { Handler, Operation } from "../operation";
import { Register } from "../registers";
import { compare } from "./arith";
import { portAllowed, retire } from "./ports";
import { type Bulk, repeat, type Step } from "./repeat";
import { COMPARE, COPY, FILL, SCAN } from "./stringbulk";
import {
  accumulator,
  advance,
  destinationRead,
  destinationWrite,
  load,
  setAccumulator,
  sourceAt,
  store,
} from "./stringelement";
import { ins, insBlock, outs, outsBlock } from "./stringports";

const ESI = Register.ESI;
const EDI = Register.EDI;
const DX = Register.EDX << 1;

function movs(cpu: Cpu, op: Operation, size: number): boolean {
  const from = sourceAt(cpu, op, size);
  if (from < 0) return false;
  const value = load(cpu, from, size);
  const to = destinationWrite(cpu, op, size);
  if (to < 0) return false;
  store(cpu, to, size, value);
  advance(cpu, op, ESI, size);
  advance(cpu, op, EDI, size);
  return true;
}

function stos(cpu: Cpu, op: Operation, size: number): boolean {
  const to = destinationWrite(cpu, op, size);
  if (to < 0) return false;
  store(cpu, to, size, accumulator(cpu, size));
  advance(cpu, op, EDI, size);
  return true;
}

function lods(cpu: Cpu, op: Operation, size: number): boolean {
  const from = sourceAt(cpu, op, size);
  if (from < 0) return false;
  setAccumulator(cpu, size, load(cpu, from, size));
  advance(cpu, op, ESI, size);
  return true;
}

function cmps(cpu: Cpu, op: Operation, size: number): boolean {
  const first = sourceAt(cpu, op, size);
  if (first < 0) return false;
  const a = load(cpu, first, size);
  const second = destinationRead(cpu, op, size);
  if (second < 0) return false;
  compare(cpu.r, a, load(cpu, second, size), 32 - 8 * size);
  advance(cpu, op, ESI, size);
  advance(cpu, op, EDI, size);
  return true;
}

function scas(cpu: Cpu, op: Operation, size: number): boolean {
  const at = destinationRead(cpu, op, size);
  if (at < 0) return false;
  compare(cpu.r, accumulator(cpu, size), load(cpu, at, size), 32 - 8 * size);
  advance(cpu, op, EDI, size);
  return true;
}

/** The handlers of a string instruction: bytes, words and doublewords, alone and repeated. */
function forms(
  name: string,
  operands: (size: number) => string,
  step: Step,
  {
    bulk = null,
    compares = false,
    charges = false,
  }: { bulk?: Bulk | null; compares?: boolean; charges?: boolean } = {},
): [string, Handler][] {
  return [1, 2, 4].flatMap((size): [string, Handler][] => {
    const key = `${name}${size === 1 ? "b" : size === 2 ? "w" : "d"} ${operands(size)}`;
    return [
      [
        key,
        (cpu, op) => {
          if (step(cpu, op, size) && charges) retire(cpu, op);
        },
      ],
      [
        `rep ${key}`,
        (cpu, op) => {
          // INS and OUTS need their port even when they do nothing.
          if (!charges || portAllowed(cpu, cpu.r16[DX], size)) repeat(cpu, op, size, step, bulk, compares);
        },
      ],
    ];
  });
}

export const STRINGS: Readonly<Record<string, Handler>> = Object.fromEntries([
  ...forms("movs", (size) => `y${size} x${size}`, movs, { bulk: COPY }),
  ...forms("stos", (size) => `y${size} r${size}`, stos, { bulk: FILL }),
  ...forms("lods", (size) => `r${size} x${size}`, lods),
  ...forms("cmps", (size) => `x${size} y${size}`, cmps, { bulk: COMPARE, compares: true }),
  ...forms("scas", (size) => `r${size} y${size}`, scas, { bulk: SCAN, compares: true }),
  ...forms("ins", (size) => `y${size} r2`, ins, { bulk: insBlock, charges: true }),
  ...forms("outs", (size) => `r2 x${size}`, outs, { bulk: outsBlock, charges: true }),
]);
