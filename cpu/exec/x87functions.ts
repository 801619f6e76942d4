/**
 * The x87's transcendental instructions: what they do to the stack. May import x87.ts, x87arith.ts, fpu/,
 * registers.ts, types.
 * Source: Intel SDM volume 2, under each mnemonic; volume 1, section 8.1.3.3 (C2).
 */
import { Extended } from "../fpu/extended";
import {
  angle,
  cosineOf,
  powerMinusOne,
  sineAndCosine,
  sineOf,
  tangent,
  timesLogarithm,
  timesLogarithmPlusOne,
  tooLarge,
} from "../fpu/transcendental";
import type { Handler } from "../operation";
import { Word } from "../registers";
import {
  a,
  b,
  begin,
  get,
  hasRoom,
  isEmpty,
  overflow,
  pop,
  push,
  put,
  ready,
  result,
  Status,
  settle,
  underflow,
} from "./x87";
import { ofTop } from "./x87arith";

const second = new Extended();

/** ST(1) = a function of ST and ST(1), and a pop. */
function ofTwoPopping(operate: (a: Extended, b: Extended, out: Extended) => void): Handler {
  return (cpu, op) => {
    if (!ready(cpu)) return;
    begin(cpu, op);
    const { r } = cpu;
    if (isEmpty(r, 0) || isEmpty(r, 1)) {
      if (!underflow(cpu)) return;
    } else {
      get(r, 0, a);
      get(r, 1, b);
      operate(a, b, result);
      if (!settle(cpu)) return;
    }
    put(r, 1, result);
    pop(r);
  };
}

/** ST = a function of the angle ST; too large an angle stays, and C2 says so. */
function ofAngle(operate: (a: Extended, out: Extended) => void): Handler {
  return (cpu, op) => {
    if (!ready(cpu)) return;
    begin(cpu, op);
    const { r } = cpu;
    r[Word.FpuStatus] &= ~Status.C2;
    if (isEmpty(r, 0)) {
      if (!underflow(cpu)) return;
    } else {
      get(r, 0, a);
      operate(a, result);
      if (!settle(cpu)) return;
      if (tooLarge) {
        r[Word.FpuStatus] |= Status.C2;
        return;
      }
    }
    put(r, 0, result);
  };
}

/** ST = one function of the angle ST, and another is pushed. */
function ofAnglePushing(operate: (a: Extended, out: Extended, second: Extended) => void): Handler {
  return (cpu, op) => {
    if (!ready(cpu)) return;
    begin(cpu, op);
    const { r } = cpu;
    r[Word.FpuStatus] &= ~Status.C2;
    if (isEmpty(r, 0) || !hasRoom(r)) {
      if (!(isEmpty(r, 0) ? underflow(cpu) : overflow(cpu))) return;
      second.copy(result);
    } else {
      get(r, 0, a);
      operate(a, result, second);
      if (!settle(cpu)) return;
      if (tooLarge) {
        r[Word.FpuStatus] |= Status.C2;
        return;
      }
    }
    put(r, 0, result);
    push(r, second);
  };
}

export const X87_FUNCTIONS: Readonly<Record<string, Handler>> = {
  f2xm1: ofTop(powerMinusOne),
  fyl2x: ofTwoPopping(timesLogarithm),
  fyl2xp1: ofTwoPopping(timesLogarithmPlusOne),
  fpatan: ofTwoPopping(angle),
  fsin: ofAngle(sineOf),
  fcos: ofAngle(cosineOf),
  fsincos: ofAnglePushing(sineAndCosine),
  fptan: ofAnglePushing(tangent),
};
