/**
 * The host's own processor: builds host.c and runs steps with it. Format of both pipes, in little-endian words:
 *
 *     step    control limit seed codeAt codeBytes pokes registers[8] eip eflags selectors[6] | code | (address value)*
 *             | FXSAVE image when FpuSet
 *     result  signal code address eip eflags registers[8] selectors[6] changes | (address value)* | FXSAVE when FpuGet
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Control, FXSAVE_BYTES, type Outcome, type Step } from "./layout";

const HEADER_WORDS = 22;
const RESULT_WORDS = 20;
const TIME_LIMIT_MS = 120_000;
const SIGTRAP = 5;
const SIGFPE = 8;
const SIGBUS = 7;
const SIGILL = 4;
const SIGSEGV = 11;
/** si_code: from the kernel without detail; a single-step trap. */
export const SI_KERNEL = 0x80;
const TRAP_TRACE = 2;
const FPE_INTDIV = 1;
const SEGV_ACCERR = 2;

export interface NativeOutcome extends Outcome {
  signal: number;
  code: number;
  /** si_addr: CR2 of a page fault. */
  address: number;
}

/** The signals by which Linux tells of each vector; what the handler's si_code must be, where it says more. */
const SIGNAL_OF: Readonly<Record<number, number>> = {
  0: SIGFPE,
  1: SIGTRAP,
  3: SIGTRAP,
  4: SIGSEGV,
  5: SIGSEGV,
  6: SIGILL,
  10: SIGSEGV,
  11: SIGBUS,
  12: SIGBUS,
  13: SIGSEGV,
  14: SIGSEGV,
  16: SIGFPE,
  17: SIGBUS,
};

/** Whether a single-stepped instruction did not fault. */
export function ranThrough({ signal, code }: NativeOutcome): boolean {
  return signal === SIGTRAP && code === TRAP_TRACE;
}

/** Whether a signal is what Linux makes of a vector (-1: the instruction ran); a page fault's address is part of it. */
export function tellsOf(native: NativeOutcome, vector: number, cr2: number): boolean {
  const { signal, code } = native;
  if (vector < 0) return ranThrough(native);
  if (SIGNAL_OF[vector] !== signal) return false;
  if (vector === 14) return (code === 1 || code === SEGV_ACCERR) && native.address === cr2;
  if (vector === 13) return code === SI_KERNEL;
  if (vector === 0) return code === FPE_INTDIV;
  if (vector === 16) return code !== FPE_INTDIV;
  if (vector === 3) return code === SI_KERNEL;
  return true;
}

export class Native {
  private constructor(
    private readonly directory: string,
    private readonly program: string,
  ) {}

  /** Builds the helper and tries it; a string says why this host is no oracle. */
  static build(source = resolve("tests/cpu/host/host.c")): Native | string {
    if (process.platform !== "linux" || process.arch !== "x64") return `needs x86-64 Linux, not ${process.platform}`;
    const directory = mkdtempSync(join(tmpdir(), "tine-host-"));
    const program = join(directory, "host");
    const gcc = spawnSync("gcc", ["-O2", "-Wall", "-Werror", "-o", program, source], { encoding: "utf8" });
    const tried = gcc.status === 0 ? spawnSync(program, { input: "", encoding: "utf8" }) : gcc;
    if (tried.status === 0) return new Native(directory, program);
    rmSync(directory, { recursive: true });
    if (gcc.error) return "gcc is not installed";
    return `${gcc.status === 0 ? "" : "gcc: "}${tried.stderr.trim().split("\n")[0] || `status ${tried.status}`}`;
  }

  /** Runs the steps in order; x87 state and memory go from one to the next. Throws when the helper fails. */
  run(steps: readonly Step[]): NativeOutcome[] {
    const ran = spawnSync(this.program, { input: encodeSteps(steps), maxBuffer: 1 << 30, timeout: TIME_LIMIT_MS });
    if (ran.status !== 0) throw new Error(`host: ${ran.stderr.toString().trim() || ran.signal || ran.status}`);
    return decodeResults(ran.stdout, steps);
  }

  /** Removes what build() made. */
  remove(): void {
    rmSync(this.directory, { recursive: true });
  }
}

function encodeSteps(steps: readonly Step[]): Uint8Array {
  const size = ({ code, pokes, fpu }: Step) => HEADER_WORDS * 4 + code.length + 8 * pokes.length + (fpu?.length ?? 0);
  const bytes = new Uint8Array(steps.reduce((sum, step) => sum + size(step), 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  const word = (value: number): void => {
    view.setUint32(at, value >>> 0, true);
    at += 4;
  };
  for (const step of steps) {
    const { code, pokes, fpu } = step;
    for (const value of [step.control, step.limit, step.seed, step.codeAt, code.length, pokes.length]) word(value);
    for (const value of step.registers) word(value);
    word(step.eip);
    word(step.eflags);
    for (const value of step.selectors) word(value);
    bytes.set(code, at);
    at += code.length;
    for (const [address, value] of pokes) {
      word(address);
      word(value);
    }
    if (fpu !== undefined) {
      bytes.set(fpu, at);
      at += fpu.length;
    }
  }
  return bytes;
}

function decodeResults(bytes: Buffer, steps: readonly Step[]): NativeOutcome[] {
  let at = 0;
  const words = (count: number): number[] => {
    const list = Array.from({ length: count }, (_, i) => bytes.readUInt32LE(at + 4 * i));
    at += 4 * count;
    return list;
  };
  return steps.map(({ control }) => {
    const [signal, code, address, eip, eflags, ...rest] = words(RESULT_WORDS);
    const outcome: NativeOutcome = {
      signal,
      code,
      address,
      eip,
      eflags,
      registers: rest.slice(0, 8),
      selectors: rest.slice(8, 14),
      changes: words(2 * rest[14]),
    };
    if (control & Control.FpuGet) {
      outcome.fpu = bytes.subarray(at, at + FXSAVE_BYTES);
      at += FXSAVE_BYTES;
    }
    return outcome;
  });
}
