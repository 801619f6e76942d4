/**
 * REP: how a string instruction repeats, where it stops and goes on, and which of its steps may be done many at once. May import
 * ports.ts, debug.ts, eflags.ts, faults.ts, instruction.ts, registers.ts, tlb.ts, types.
 *
 * A step is one repetition: it does everything, index registers included, or faults and changes nothing. Under REP each step
 * counts as an instruction and charges its own cycles, and between steps all that holds between instructions holds:
 * deadlines, budgets, interrupts, traps and a lost translation of the running page end the operation with EIP on it again.
 * A bulk way does many steps within pages at once; that changes nothing but the time they take. A comparison under REP sets
 * the flags when it ends: at a stop or a fault between, they are what they were before the instruction, as the manual has it
 * for faults, and as the host's processor does it for traps too.
 * Source: Intel SDM volume 2, REP.
 */
import type { Cpu } from "../cpu";
import { setResume } from "../debug";
import { zero } from "../eflags";
import { faulted } from "../faults";
import { Prefix } from "../instruction";
import type { Operation } from "../operation";
import { Attention, Flag, Register, Time, Word } from "../registers";
import { HostTlb } from "../tlb";
import { retire } from "./ports";

const ECX = Register.ECX;
const PAGE = 4096;
const OFFSET = PAGE - 1;
/** Repetitions of a comparison that are done step by step first: most end early, and looking ahead is worth more than these. */
const ALONE = 4;

/** One repetition; false when it faulted. */
export type Step = (cpu: Cpu, op: Operation, size: number) => boolean;

/**
 * Does steps at once, all but the count and their charges, and returns how many: none that could stop, fault or miss, and of a
 * comparison none that could be the last. 0 when the next one must be done step by step, or has faulted.
 */
export type Bulk = (cpu: Cpu, op: Operation, size: number) => number;

/** The repetition count: ECX or CX, unsigned. */
function countOf(cpu: Cpu, op: Operation): number {
  return op.addressSize === 4 ? cpu.r[ECX] >>> 0 : cpu.r16[ECX << 1];
}

function countDown(cpu: Cpu, op: Operation, by: number): void {
  if (op.addressSize === 4) cpu.r[ECX] -= by;
  else cpu.r16[ECX << 1] -= by;
}

/** Whether something wants to be seen to before the next repetition. */
function interrupted(cpu: Cpu): boolean {
  const { r, time } = cpu;
  if (r[Word.Event] !== 0) return true;
  const wanted =
    Attention.Stop | Attention.Trap | Attention.Nmi | ((r[Word.Eflags] & Flag.IF) !== 0 ? Attention.Interrupt : 0);
  if ((r[Word.Attention] & wanted) !== 0) return true;
  return time[Time.Cycles] >= time[Time.Deadline] || time[Time.Instret] >= time[Time.Limit];
}

/** CMPS and SCAS under REP go on while ZF is set, under REPNE while it is clear. */
export function goesOnWhileZero(op: Operation): boolean {
  return (op.prefixes & Prefix.Rep) !== 0;
}

/** Makes the flags what they were before a comparison, which leaves all of them lazy and those in Word.Eflags alone. */
function restoreFlags(r: Int32Array, lazy: number, a: number, b: number, result: number): void {
  r[Word.Lazy] = lazy;
  r[Word.LazyA] = a;
  r[Word.LazyB] = b;
  r[Word.LazyResult] = result;
}

/** Repeats a step, `compares` when ZF can end it early. */
export function repeat(cpu: Cpu, op: Operation, size: number, step: Step, bulk: Bulk | null, compares: boolean): void {
  const { r, time } = cpu;
  if (countOf(cpu, op) === 0) {
    retire(cpu, op);
    return;
  }
  const whileZero = goesOnWhileZero(op);
  const [lazy, lazyA, lazyB, lazyResult] = [r[Word.Lazy], r[Word.LazyA], r[Word.LazyB], r[Word.LazyResult]];
  let alone = compares ? ALONE : 0;
  for (;;) {
    // Compiled code may have lost the running page's translation on the way here: then one step, and out.
    const many = alone > 0 || bulk === null || r[Word.Event] !== 0 ? 0 : bulk(cpu, op, size);
    if (many > 0) {
      // Behind them comes the one that ends it, or another page.
      if (compares) alone = 1;
      countDown(cpu, op, many);
      time[Time.Instret] += many;
      time[Time.Cycles] += many * op.repetition;
    } else {
      if (faulted(cpu) || !step(cpu, op, size)) {
        if (compares) restoreFlags(r, lazy, lazyA, lazyB, lazyResult);
        return;
      }
      alone--;
      countDown(cpu, op, 1);
      time[Time.Instret] += 1;
      time[Time.Cycles] += op.repetition;
    }
    if (countOf(cpu, op) === 0 || (compares && zero(r) !== whileZero)) {
      time[Time.Cycles] += op.cycles;
      return;
    }
    if (interrupted(cpu)) {
      r[Word.Eip] -= op.length;
      // Breakpoints on it do not count again, and what interrupts it pushes RF.
      setResume(cpu);
      if (compares) restoreFlags(r, lazy, lazyA, lazyB, lazyResult);
      return;
    }
  }
}

/** Whether steps may be done at once at all: only flat and upward, and without a trap behind each. */
export function mayBulk({ r }: Cpu, op: Operation): boolean {
  return op.checked === 0 && (r[Word.Eflags] & Flag.DF) === 0 && (r[Word.Attention] & Attention.Trap) === 0;
}

/** How many steps stay within so many bytes, the count, the deadline and the budget; 0 or less for none. */
export function stepsWithin(cpu: Cpu, op: Operation, size: number, bytes: number): number {
  const { time } = cpu;
  return Math.min(
    Math.floor(bytes / size),
    countOf(cpu, op),
    Math.ceil((time[Time.Deadline] - time[Time.Cycles]) / op.repetition),
    time[Time.Limit] - time[Time.Instret],
  );
}

/** Bytes that are left in the page of an address, or 0 when the host TLB does not grant the access. */
export function room(cpu: Cpu, linear: number, bit: number): number {
  return (cpu.hostTlb[linear >>> 12] & bit) !== 0 ? PAGE - (linear & OFFSET) : 0;
}

/** Host offset of a linear address that the host TLB grants. */
export function hostOffset(cpu: Cpu, linear: number): number {
  return (cpu.hostTlb[linear >>> 12] & HostTlb.Frame) | (linear & OFFSET);
}
