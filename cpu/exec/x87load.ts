/**
 * x87 operands in memory, and the instructions that load and store. May import x87.ts, fpu/, memory.ts, operand.ts,
 * registers.ts, types. Memory that is written is translated before anything changes. Source: Intel SDM volume 2, under each mnemonic.
 */
import type { Cpu } from "../cpu";
import { condition } from "../eflags";
import {
  fromDecimal,
  fromDouble,
  fromExtended,
  fromInteger,
  fromSingle,
  load,
  stored,
  toDecimal,
  toDouble,
  toInteger,
  toSingle,
} from "../fpu/convert";
import { context, Exception, Extended, Kind, setIndefinite, stopped } from "../fpu/extended";
import { constant } from "../fpu/remainder";
import { finishWrite } from "../memory";
import type { Handler } from "../operation";
import { Layout, Word } from "../registers";
import { operandRead, operandWrite } from "./operand";
import {
  a,
  b,
  begin,
  clearC1,
  findStackFault,
  get,
  hasRoom,
  isEmpty,
  overflow,
  pop,
  popTimes,
  push,
  put,
  ready,
  remember,
  result,
  settle,
  underflow,
} from "./x87";

/** A format in memory that arithmetic and loads can read. */
export interface Reader {
  readonly bytes: number;
  read(cpu: Cpu, at: number, out: Extended): void;
}

export const SINGLE: Reader = { bytes: 4, read: (cpu, at, out) => fromSingle(cpu.view.getInt32(at, true), out) };
export const DOUBLE: Reader = {
  bytes: 8,
  read: (cpu, at, out) => fromDouble(cpu.view.getInt32(at, true), cpu.view.getInt32(at + 4, true), out),
};
export const INTEGER16: Reader = {
  bytes: 2,
  read: (cpu, at, out) => {
    const value = cpu.view.getInt16(at, true);
    fromInteger(value, value >> 31, out);
  },
};
export const INTEGER32: Reader = {
  bytes: 4,
  read: (cpu, at, out) => {
    const value = cpu.view.getInt32(at, true);
    fromInteger(value, value >> 31, out);
  },
};
const INTEGER64: Reader = {
  bytes: 8,
  read: (cpu, at, out) => fromInteger(cpu.view.getInt32(at, true), cpu.view.getInt32(at + 4, true), out),
};
const EXTENDED: Reader = {
  bytes: 10,
  read: ({ view }, at, out) =>
    fromExtended(view.getInt32(at, true), view.getInt32(at + 4, true), view.getUint16(at + 8, true), out),
};
const DECIMAL: Reader = { bytes: 10, read: (cpu, at, out) => fromDecimal(cpu.bytes, at, out) };

/** Pushes what memory holds. `convert`: as FLD of a single or double does, which quiets NaNs and tells of denormals. */
function loading({ bytes, read }: Reader, convert: boolean): Handler {
  return (cpu, op) => {
    if (!ready(cpu)) return;
    const at = operandRead(cpu, op, bytes);
    if (at < 0) return;
    begin(cpu, op);
    const { r } = cpu;
    if (!hasRoom(r)) {
      if (overflow(cpu)) push(r, result);
      return;
    }
    read(cpu, at, a);
    if (convert) load(a, result);
    // A denormal is loaded even where that exception is unmasked.
    const delivered = settle(cpu) || (context.flags & Exception.Invalid) === 0;
    if (delivered) push(r, convert ? result : a);
  };
}

/** Converts into `stored`; false where memory must stay as it is. */
type Writer = (from: Extended) => boolean;

const toInteger16: Writer = (from) => toInteger(from, 16);
const toInteger32: Writer = (from) => toInteger(from, 32);
const toInteger64: Writer = (from) => toInteger(from, 64);

/** Any number goes as it is. */
const toExtended: Writer = (from) => {
  stored[0] = from.low;
  stored[1] = from.high;
  stored[2] = (from.sign << 15) | from.exponent;
  return true;
};

const indefinite = new Extended();
setIndefinite(indefinite);
indefinite.kind = Kind.Quiet;

/**
 * Stores ST. What a masked stack underflow stores is the format's indefinite: the answer to a QNaN. An unmasked exception
 * that keeps ST from being stored keeps memory from being looked at: it is found first.
 */
function storing(write: Writer, bytes: number, pops = 0): Handler {
  return (cpu, op) => {
    if (!ready(cpu)) return;
    const { r } = cpu;
    context.start(r[Word.FpuControl]);
    const empty = isEmpty(r, 0);
    if (!empty) get(r, 0, a);
    const delivered = write(empty ? indefinite : a);
    if (empty) findStackFault(0);
    const stores = delivered && !stopped();
    // Ten bytes are stored as eight and two: the page of the former before the limit of the latter.
    if (stores && bytes === 10 && operandWrite(cpu, op, 8) < 0) return;
    const at = stores ? operandWrite(cpu, op, bytes) : 0;
    if (at < 0) return;
    remember(cpu, op);
    settle(cpu);
    if (!stores) return;
    putStored(cpu, at, bytes);
    popTimes(r, pops);
  };
}

function putStored(cpu: Cpu, at: number, bytes: number): void {
  const { view } = cpu;
  if (bytes === 2) view.setInt16(at, stored[0], true);
  else view.setInt32(at, stored[0], true);
  if (bytes >= 8) view.setInt32(at + 4, stored[1], true);
  if (bytes === 10) view.setInt16(at + 8, stored[2], true);
  if (at < Layout.Ram) finishWrite(cpu, at);
}

/** Copies ST to ST(i). */
function storingRegister(pops: number): Handler {
  return (cpu, op) => {
    if (!ready(cpu)) return;
    begin(cpu, op);
    const { r } = cpu;
    if (isEmpty(r, 0)) {
      if (!underflow(cpu)) return;
    } else {
      get(r, 0, result);
      clearC1(r);
    }
    put(r, op.rm, result);
    popTimes(r, pops);
  };
}

/** FSTPNCE: as FSTP, but an empty ST is no stack fault: then only the pop happens. */
const storingUnchecked: Handler = (cpu, op) => {
  if (!ready(cpu)) return;
  begin(cpu, op);
  const { r } = cpu;
  if (!isEmpty(r, 0)) {
    get(r, 0, result);
    put(r, op.rm, result);
  }
  clearC1(r);
  pop(r);
};

/** Pushes a constant: its significand cut off, and whether it is nearer to that than to the next. */
function loadingConstant(exponent: number, high: number, low: number, below: boolean): Handler {
  return (cpu, op) => {
    if (!ready(cpu)) return;
    begin(cpu, op);
    const { r } = cpu;
    if (!hasRoom(r)) {
      if (overflow(cpu)) push(r, result);
      return;
    }
    constant(exponent, high, low, below, result);
    clearC1(r);
    push(r, result);
  };
}

/** FLD1 and FLDZ. */
function loadingExact(exponent: number, high: number): Handler {
  return (cpu, op) => {
    if (!ready(cpu)) return;
    begin(cpu, op);
    const { r } = cpu;
    if (!hasRoom(r)) {
      if (!overflow(cpu)) return;
    } else {
      result.set(0, exponent, high, 0);
      clearC1(r);
    }
    push(r, result);
  };
}

/** FCMOVcc by the number of its condition (eflags.ts). */
const MOVE_CONDITIONS: readonly (readonly [string, number])[] = [
  ["b", 2],
  ["nb", 3],
  ["e", 4],
  ["ne", 5],
  ["be", 6],
  ["nbe", 7],
  ["u", 10],
  ["nu", 11],
];

/** An empty register is a stack fault whether the condition holds or not. */
function movingIf(code: number): Handler {
  return (cpu, op) => {
    if (!ready(cpu)) return;
    begin(cpu, op);
    const { r } = cpu;
    if (isEmpty(r, 0) || isEmpty(r, op.source)) {
      if (underflow(cpu)) put(r, 0, result);
      return;
    }
    if (!condition(r, code)) return;
    get(r, op.source, result);
    put(r, 0, result);
  };
}

export const X87_LOADS: Readonly<Record<string, Handler>> = {
  "fld m4": loading(SINGLE, true),
  "fld m8": loading(DOUBLE, true),
  "fld m10": loading(EXTENDED, false),
  "fild m2": loading(INTEGER16, false),
  "fild m4": loading(INTEGER32, false),
  "fild m8": loading(INTEGER64, false),
  "fbld m10": loading(DECIMAL, false),
  "fst m4": storing(toSingle, 4),
  "fst m8": storing(toDouble, 8),
  "fstp m4": storing(toSingle, 4, 1),
  "fstp m8": storing(toDouble, 8, 1),
  "fstp m10": storing(toExtended, 10, 1),
  "fist m2": storing(toInteger16, 2),
  "fist m4": storing(toInteger32, 4),
  "fistp m2": storing(toInteger16, 2, 1),
  "fistp m4": storing(toInteger32, 4, 1),
  "fistp m8": storing(toInteger64, 8, 1),
  "fbstp m10": storing(toDecimal, 10, 1),
  "fst f": storingRegister(0),
  "fstp f": storingRegister(1),
  "fstpnce f": storingUnchecked,
  "fld f"(cpu, op) {
    if (!ready(cpu)) return;
    begin(cpu, op);
    const { r } = cpu;
    if (isEmpty(r, op.rm)) {
      if (!underflow(cpu)) return;
    } else if (!hasRoom(r)) {
      if (!overflow(cpu)) return;
    } else {
      get(r, op.rm, result);
      clearC1(r);
    }
    push(r, result);
  },
  "fxch f"(cpu, op) {
    if (!ready(cpu)) return;
    begin(cpu, op);
    const { r } = cpu;
    if (isEmpty(r, 0) || isEmpty(r, op.rm)) {
      if (!underflow(cpu)) return;
      // What is empty becomes the indefinite, and the exchange goes on.
      if (isEmpty(r, 0)) put(r, 0, result);
      if (isEmpty(r, op.rm)) put(r, op.rm, result);
    } else clearC1(r);
    get(r, 0, a);
    get(r, op.rm, b);
    put(r, 0, b);
    put(r, op.rm, a);
  },
  fld1: loadingExact(0x3fff, 0x80000000),
  fldz: loadingExact(0, 0),
  fldl2t: loadingConstant(0x4000, 0xd49a784b, 0xcd1b8afe, true),
  fldl2e: loadingConstant(0x3fff, 0xb8aa3b29, 0x5c17f0bb, false),
  fldpi: loadingConstant(0x4000, 0xc90fdaa2, 0x2168c234, false),
  fldlg2: loadingConstant(0x3ffd, 0x9a209a84, 0xfbcff798, false),
  fldln2: loadingConstant(0x3ffe, 0xb17217f7, 0xd1cf79ab, false),
  ...Object.fromEntries(MOVE_CONDITIONS.map(([name, code]) => [`fcmov${name} f f`, movingIf(code)])),
};
