/**
 * x87 control: control and status word, environment, whole state, tags and the top of the stack.
 * May import x87.ts, memory.ts, operand.ts, registers.ts, types.
 *
 *     environment   32 bits (protected)      32 bits (real)                 16 bits (protected)  16 bits (real)
 *               0   control                  control                        control              control
 *               1   status                   status                         status               status
 *               2   tags                     tags                           tags                 tags
 *               3   instruction offset       linear 15..0                   offset               linear 15..0
 *               4   opcode << 16 | CS        linear 31..16 << 12 | opcode   CS                   linear 19..16 << 12 | opcode
 *               5   operand offset           linear 15..0                   offset               linear 15..0
 *               6   operand's selector       linear 31..16 << 12            selector             linear 19..16 << 12
 *
 * The state is the environment and ST(0) to ST(7), ten bytes each. Upper halves of 32-bit fields that hold 16 bits are all
 * ones, as processors write them. Tags are worked out from the contents; of tags that are loaded only "empty" counts.
 * Source: Intel SDM volume 1, section 8.1.10 and figures 8-9 to 8-12; volume 2, under each mnemonic.
 */
import type { Cpu } from "../cpu";
import { raise, Vector } from "../faults";
import { classify, Extended, Kind } from "../fpu/extended";
import { FAULT, finishWrite, put16 } from "../memory";
import type { Handler, Operation } from "../operation";
import { Cr0, Flag, Layout, Word } from "../registers";
import { operandRead, operandReadBehind, operandWrite } from "./operand";
import {
  available,
  begin,
  clearC1,
  free,
  get,
  initialise,
  moveTop,
  nonePending,
  pop,
  ready,
  Status,
  setControl,
  summarise,
  TOP_SHIFT,
} from "./x87";

const WHOLE = 80;
const scratch = new Extended();

/** Tags by Kind: valid, zero, or special. */
function tagOf(x: Extended): number {
  const kind = classify(x);
  return kind === Kind.Zero ? 1 : kind === Kind.Normal ? 0 : 2;
}

/** The tag word: two bits a register, by their physical numbers. */
function tagWord(r: Int32Array): number {
  const top = (r[Word.FpuStatus] >> TOP_SHIFT) & 7;
  let tags = 0;
  for (let register = 0; register < 8; register++) {
    let tag = 3;
    if ((r[Word.FpuValid] & (1 << register)) !== 0) {
      get(r, register - top, scratch);
      tag = tagOf(scratch);
    }
    tags |= tag << (2 * register);
  }
  return tags;
}

function isProtected(r: Int32Array): boolean {
  return (r[Word.Cr0] & Cr0.PE) !== 0 && (r[Word.Eflags] & Flag.VM) === 0;
}

/** Writes an environment at a host offset; finishWrite is left to the caller. */
function putEnvironment(cpu: Cpu, op: Operation, at: number): void {
  const { r, view } = cpu;
  const size = op.operandSize;
  const word = (index: number, value: number): void => {
    if (size === 2) view.setUint16(at + 2 * index, value, true);
    else view.setInt32(at + 4 * index, value | 0xffff0000, true);
  };
  word(0, r[Word.FpuControl]);
  word(1, r[Word.FpuStatus]);
  word(2, tagWord(r));
  const opcode = r[Word.FpuOpcode];
  if (isProtected(r)) {
    if (size === 2) {
      word(3, r[Word.FpuIp]);
      word(4, r[Word.FpuCs]);
      word(5, r[Word.FpuDp]);
    } else {
      view.setInt32(at + 12, r[Word.FpuIp], true);
      view.setInt32(at + 16, (opcode << 16) | r[Word.FpuCs], true);
      view.setInt32(at + 20, r[Word.FpuDp], true);
    }
    word(6, r[Word.FpuDs]);
    return;
  }
  const instruction = (r[Word.FpuCs] << 4) + r[Word.FpuIp];
  const operand = (r[Word.FpuDs] << 4) + r[Word.FpuDp];
  word(3, instruction & 0xffff);
  word(5, operand & 0xffff);
  if (size === 2) {
    word(4, ((instruction >>> 4) & 0xf000) | opcode);
    word(6, (operand >>> 4) & 0xf000);
  } else {
    view.setInt32(at + 16, ((instruction >>> 4) & 0xffff000) | opcode, true);
    view.setInt32(at + 24, (operand >>> 4) & 0xffff000, true);
  }
}

/** Takes an environment from a host offset. */
function takeEnvironment(cpu: Cpu, op: Operation, at: number): void {
  const { r, view } = cpu;
  const size = op.operandSize;
  const word = (index: number): number => view.getUint16(at + size * index, true);
  const tags = word(2);
  r[Word.FpuStatus] = word(1);
  r[Word.FpuValid] = 0;
  for (let register = 0; register < 8; register++) {
    if (((tags >> (2 * register)) & 3) !== 3) r[Word.FpuValid] |= 1 << register;
  }
  if (isProtected(r)) {
    r[Word.FpuIp] = size === 2 ? word(3) : view.getInt32(at + 12, true);
    r[Word.FpuCs] = word(4);
    r[Word.FpuDp] = size === 2 ? word(5) : view.getInt32(at + 20, true);
    r[Word.FpuDs] = word(6);
    if (size === 4) r[Word.FpuOpcode] = view.getUint16(at + 18, true) & 0x7ff;
  } else {
    const upper = size === 2 ? word(4) : view.getInt32(at + 16, true);
    const operandUpper = size === 2 ? word(6) : view.getInt32(at + 24, true);
    r[Word.FpuIp] = word(3) | ((upper & 0xffff000) << 4);
    r[Word.FpuCs] = 0;
    r[Word.FpuOpcode] = upper & 0x7ff;
    r[Word.FpuDp] = word(5) | ((operandUpper & 0xffff000) << 4);
    r[Word.FpuDs] = 0;
  }
  setControl(r, word(0));
}

/** FNSTENV: afterwards all exceptions are masked. */
const storeEnvironment: Handler = (cpu, op) => {
  if (!available(cpu)) return;
  const at = operandWrite(cpu, op, 7 * op.operandSize);
  if (at < 0) return;
  putEnvironment(cpu, op, at);
  if (at < Layout.Ram) finishWrite(cpu, at);
  setControl(cpu.r, cpu.r[Word.FpuControl] | 0x3f);
};

/**
 * operandRead for an environment or a state of `bytes` bytes. Its first word is asked for before its end, and its last byte
 * before the rest: where a page is missing and the segment's limit is passed, that decides which of the two is told.
 */
function savedRead(cpu: Cpu, op: Operation, bytes: number): number {
  if (operandRead(cpu, op, op.operandSize) < 0 || operandReadBehind(cpu, op, bytes - 1, 1) < 0) return FAULT;
  return operandRead(cpu, op, bytes);
}

const loadEnvironment: Handler = (cpu, op) => {
  if (!ready(cpu)) return;
  const at = savedRead(cpu, op, 7 * op.operandSize);
  if (at >= 0) takeEnvironment(cpu, op, at);
};

/** FNSAVE: afterwards all is as FNINIT leaves it. */
const saveState: Handler = (cpu, op) => {
  if (!available(cpu)) return;
  const { r, view } = cpu;
  const at = operandWrite(cpu, op, 7 * op.operandSize + WHOLE);
  if (at < 0) return;
  putEnvironment(cpu, op, at);
  const top = (r[Word.FpuStatus] >> TOP_SHIFT) & 7;
  for (let i = 0; i < 8; i++) {
    const register = Word.FpuRegisters + 3 * ((top + i) & 7);
    const to = at + 7 * op.operandSize + 10 * i;
    view.setInt32(to, r[register], true);
    view.setInt32(to + 4, r[register + 1], true);
    view.setInt16(to + 8, r[register + 2], true);
  }
  if (at < Layout.Ram) finishWrite(cpu, at);
  initialise(r);
};

const restoreState: Handler = (cpu, op) => {
  if (!ready(cpu)) return;
  const { r, view } = cpu;
  const at = savedRead(cpu, op, 7 * op.operandSize + WHOLE);
  if (at < 0) return;
  takeEnvironment(cpu, op, at);
  const top = (r[Word.FpuStatus] >> TOP_SHIFT) & 7;
  for (let i = 0; i < 8; i++) {
    const register = Word.FpuRegisters + 3 * ((top + i) & 7);
    const from = at + 7 * op.operandSize + 10 * i;
    r[register] = view.getInt32(from, true);
    r[register + 1] = view.getInt32(from + 4, true);
    r[register + 2] = view.getUint16(from + 8, true);
  }
};

/** Stores a 16-bit word of the x87 without waiting. */
function storeWord(word: Word): Handler {
  return (cpu, op) => {
    if (!available(cpu)) return;
    const at = operandWrite(cpu, op, 2);
    if (at >= 0) put16(cpu, at, cpu.r[word]);
  };
}

/** The 8087's and 287's leftovers. */
const nothing: Handler = (cpu) => {
  available(cpu);
};

function turn(by: number): Handler {
  return (cpu, op) => {
    if (!ready(cpu)) return;
    begin(cpu, op);
    moveTop(cpu.r, by);
    clearC1(cpu.r);
  };
}

export const X87_CONTROL: Readonly<Record<string, Handler>> = {
  "fnstenv m14": storeEnvironment,
  "fnstenv m28": storeEnvironment,
  "fldenv m14": loadEnvironment,
  "fldenv m28": loadEnvironment,
  "fnsave m94": saveState,
  "fnsave m108": saveState,
  "frstor m94": restoreState,
  "frstor m108": restoreState,
  "fnstcw m2": storeWord(Word.FpuControl),
  "fnstsw m2": storeWord(Word.FpuStatus),
  "fnstsw r2"(cpu) {
    if (available(cpu)) cpu.r16[0] = cpu.r[Word.FpuStatus];
  },
  "fldcw m2"(cpu, op) {
    if (!ready(cpu)) return;
    const at = operandRead(cpu, op, 2);
    if (at >= 0) setControl(cpu.r, cpu.view.getUint16(at, true));
  },
  fnclex(cpu) {
    if (!available(cpu)) return;
    cpu.r[Word.FpuStatus] &= ~Status.Exceptions;
    summarise(cpu.r);
  },
  fninit(cpu) {
    if (available(cpu)) initialise(cpu.r);
  },
  fneni: nothing,
  fndisi: nothing,
  fnsetpm: nothing,
  fnop(cpu, op) {
    if (ready(cpu)) begin(cpu, op);
  },
  fincstp: turn(1),
  fdecstp: turn(-1),
  "ffree f"(cpu, op) {
    if (!ready(cpu)) return;
    begin(cpu, op);
    free(cpu.r, op.rm);
    clearC1(cpu.r);
  },
  "ffreep f"(cpu, op) {
    if (!ready(cpu)) return;
    begin(cpu, op);
    free(cpu.r, op.rm);
    clearC1(cpu.r);
    pop(cpu.r);
  },
  fwait(cpu) {
    const monitored = Cr0.MP | Cr0.TS;
    if ((cpu.r[Word.Cr0] & monitored) === monitored) raise(cpu, Vector.DeviceNotAvailable);
    else nonePending(cpu);
  },
};
