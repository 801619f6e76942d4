/**
 * Jumps, calls and returns within the code segment, loops, conditions. May import operand.ts, stack.ts, memory.ts, eflags.ts,
 * segmentation.ts, faults.ts, isa.ts, registers.ts, types.
 * These operations end their block: Word.Eip is already the address behind them. A target outside the limit of CS is
 * #GP(0), raised before anything changes.
 * Source: Intel SDM volume 2, under each mnemonic.
 */
import type { Cpu } from "../cpu";
import { carry, condition, less, sign, zero } from "../eflags";
import { generalProtection } from "../faults";
import { Segment } from "../instruction";
import { CONDITIONS } from "../isa";
import type { Handler, Operation } from "../operation";
import { Mode, Register, Time, Word } from "../registers";
import { withinLimit } from "../segmentation";
import { operandRead } from "./operand";
import { moveStack, push16, push32, stackRead } from "./stack";

const ECX = Register.ECX;

/** Whether a jump's target, cut to the operand size, is within CS; #GP(0) is raised where it is not. */
function reachable(cpu: Cpu, op: Operation, target: number): boolean {
  const { r } = cpu;
  if ((r[Word.Mode] & Mode.Flat) !== 0) return true;
  if (withinLimit(r[Word.Limit + Segment.CS], r[Word.Attributes + Segment.CS], cut(op, target), 1)) return true;
  generalProtection(cpu, 0);
  return false;
}

function cut(op: Operation, target: number): number {
  return op.operandSize === 2 ? target & 0xffff : target | 0;
}

function jump(cpu: Cpu, op: Operation, target: number): void {
  if (reachable(cpu, op, target)) cpu.r[Word.Eip] = cut(op, target);
}

function call(cpu: Cpu, op: Operation, target: number): void {
  const { r } = cpu;
  if (!reachable(cpu, op, target)) return;
  const pushed = op.operandSize === 4 ? push32(cpu, op, r[Word.Eip]) : push16(cpu, op, r[Word.Eip]);
  if (pushed) r[Word.Eip] = cut(op, target);
}

/** Near return that drops `extra` bytes of arguments. */
function ret(cpu: Cpu, op: Operation, extra: number): void {
  const size = op.operandSize;
  const at = stackRead(cpu, op, 0, size);
  if (at < 0) return;
  const target = size === 4 ? cpu.view.getInt32(at, true) : cpu.view.getUint16(at, true);
  if (!reachable(cpu, op, target)) return;
  moveStack(cpu, op, size + extra);
  cpu.r[Word.Eip] = target;
}

/** Takes a conditional branch. */
function take(cpu: Cpu, op: Operation): void {
  const { r } = cpu;
  const target = (r[Word.Eip] + op.immediate) | 0;
  if (op.checked !== 0 || op.operandSize === 2) {
    if (!reachable(cpu, op, target)) return;
    r[Word.Eip] = cut(op, target);
  } else r[Word.Eip] = target;
  cpu.time[Time.Cycles] += cpu.costs.takenBranch;
}

/** Counts (E)CX down and branches while it is not zero and the condition holds. A branch that faults does not count. */
function loopWhile(cpu: Cpu, op: Operation, holds: boolean): void {
  const { r, r16 } = cpu;
  const count = op.addressSize === 4 ? (r[ECX] - 1) | 0 : (r16[ECX << 1] - 1) & 0xffff;
  if (count !== 0 && holds) {
    if (!reachable(cpu, op, r[Word.Eip] + op.immediate)) return;
    take(cpu, op);
  }
  if (op.addressSize === 4) r[ECX] = count;
  else r16[ECX << 1] = count;
}

const conditional = CONDITIONS.map((name, code): [string, Handler] => [
  `j${name} j`,
  (cpu, op) => {
    if (condition(cpu.r, code)) take(cpu, op);
  },
]);

/** The commonest conditions, each a function of its own. */
const hot: Readonly<Record<string, Handler>> = {
  "jz j"(cpu, op) {
    if (zero(cpu.r)) take(cpu, op);
  },
  "jnz j"(cpu, op) {
    if (!zero(cpu.r)) take(cpu, op);
  },
  "jb j"(cpu, op) {
    if (carry(cpu.r) !== 0) take(cpu, op);
  },
  "jae j"(cpu, op) {
    if (carry(cpu.r) === 0) take(cpu, op);
  },
  "jbe j"(cpu, op) {
    if (carry(cpu.r) !== 0 || zero(cpu.r)) take(cpu, op);
  },
  "ja j"(cpu, op) {
    if (carry(cpu.r) === 0 && !zero(cpu.r)) take(cpu, op);
  },
  "jl j"(cpu, op) {
    if (less(cpu.r)) take(cpu, op);
  },
  "jge j"(cpu, op) {
    if (!less(cpu.r)) take(cpu, op);
  },
  "jle j"(cpu, op) {
    if (zero(cpu.r) || less(cpu.r)) take(cpu, op);
  },
  "jg j"(cpu, op) {
    if (!zero(cpu.r) && !less(cpu.r)) take(cpu, op);
  },
  "js j"(cpu, op) {
    if (sign(cpu.r)) take(cpu, op);
  },
  "jns j"(cpu, op) {
    if (!sign(cpu.r)) take(cpu, op);
  },
};

export const CONTROL: Readonly<Record<string, Handler>> = {
  ...Object.fromEntries(conditional),
  ...hot,
  "jmp j"(cpu, op) {
    jump(cpu, op, cpu.r[Word.Eip] + op.immediate);
  },
  "jmp r4"(cpu, op) {
    jump(cpu, op, cpu.r[op.destination]);
  },
  "jmp r2"(cpu, op) {
    jump(cpu, op, cpu.r16[op.destination]);
  },
  "jmp m4"(cpu, op) {
    const at = operandRead(cpu, op, 4);
    if (at >= 0) jump(cpu, op, cpu.view.getInt32(at, true));
  },
  "jmp m2"(cpu, op) {
    const at = operandRead(cpu, op, 2);
    if (at >= 0) jump(cpu, op, cpu.view.getUint16(at, true));
  },
  "call j"(cpu, op) {
    call(cpu, op, cpu.r[Word.Eip] + op.immediate);
  },
  "call r4"(cpu, op) {
    call(cpu, op, cpu.r[op.destination]);
  },
  "call r2"(cpu, op) {
    call(cpu, op, cpu.r16[op.destination]);
  },
  "call m4"(cpu, op) {
    const at = operandRead(cpu, op, 4);
    if (at >= 0) call(cpu, op, cpu.view.getInt32(at, true));
  },
  "call m2"(cpu, op) {
    const at = operandRead(cpu, op, 2);
    if (at >= 0) call(cpu, op, cpu.view.getUint16(at, true));
  },
  ret(cpu, op) {
    ret(cpu, op, 0);
  },
  "ret i"(cpu, op) {
    ret(cpu, op, op.immediate);
  },
  "loop j"(cpu, op) {
    loopWhile(cpu, op, true);
  },
  "loope j"(cpu, op) {
    loopWhile(cpu, op, zero(cpu.r));
  },
  "loopne j"(cpu, op) {
    loopWhile(cpu, op, !zero(cpu.r));
  },
  "jecxz j"(cpu, op) {
    if (cpu.r[ECX] === 0) take(cpu, op);
  },
  "jcxz j"(cpu, op) {
    if (cpu.r16[ECX << 1] === 0) take(cpu, op);
  },
};
