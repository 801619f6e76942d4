/**
 * DAA DAS AAA AAS AAM AAD. May import arith.ts, eflags.ts, faults.ts, registers.ts, types.
 * Flags that the manual leaves undefined: OF is cleared; AAA and AAS set SF, ZF and PF by AL, AAM clears CF and AF,
 * AAD leaves the flags of its addition.
 * Source: Intel SDM volume 2, under each mnemonic (the pseudo-code that includes the old AL and CF).
 */
import type { Cpu } from "../cpu";
import { adjust, carry, evenParity, setArithmeticFlags } from "../eflags";
import { raise, Vector } from "../faults";
import type { Handler } from "../operation";
import { Flag } from "../registers";
import { add8 } from "./arith";

const AL = 0;
const AH = 1;
const AX = 0;

/** Sets SF, ZF and PF by AL and the two carries as told; OF = 0. */
function setDecimalFlags(cpu: Cpu, carryOut: boolean, adjustOut: boolean): void {
  const al = cpu.r8[AL];
  setArithmeticFlags(
    cpu.r,
    (carryOut ? Flag.CF : 0) |
      (adjustOut ? Flag.AF : 0) |
      (al === 0 ? Flag.ZF : 0) |
      (al & Flag.SF) |
      (evenParity(al) ? Flag.PF : 0),
  );
}

/** DAA (direction 1) and DAS (-1). */
function adjustPacked(cpu: Cpu, direction: 1 | -1): void {
  const { r, r8 } = cpu;
  const old = r8[AL];
  const oldCarry = carry(r) !== 0;
  const low = (old & 15) > 9 || adjust(r);
  let carryOut = false;
  if (low) {
    const sum = old + 6 * direction;
    carryOut = oldCarry || sum > 0xff || sum < 0;
    r8[AL] = sum;
  }
  if (old > 0x99 || oldCarry) {
    r8[AL] += 0x60 * direction;
    carryOut = true;
  } else if (direction === 1) carryOut = false;
  setDecimalFlags(cpu, carryOut, low);
}

/** AAA (direction 1) and AAS (-1). */
function adjustUnpacked(cpu: Cpu, direction: 1 | -1): void {
  const { r, r8, r16 } = cpu;
  const adjusts = (r8[AL] & 15) > 9 || adjust(r);
  if (adjusts) r16[AX] += 0x106 * direction;
  r8[AL] &= 15;
  setDecimalFlags(cpu, adjusts, adjusts);
}

export const DECIMAL: Readonly<Record<string, Handler>> = {
  daa(cpu) {
    adjustPacked(cpu, 1);
  },
  das(cpu) {
    adjustPacked(cpu, -1);
  },
  aaa(cpu) {
    adjustUnpacked(cpu, 1);
  },
  aas(cpu) {
    adjustUnpacked(cpu, -1);
  },
  "aam i"(cpu, op) {
    const { r8 } = cpu;
    if (op.immediate === 0) return raise(cpu, Vector.DivideError);
    const al = r8[AL];
    r8[AH] = al / op.immediate;
    r8[AL] = al % op.immediate;
    setDecimalFlags(cpu, false, false);
  },
  "aad i"(cpu, op) {
    const { r, r8, r16 } = cpu;
    r16[AX] = add8(r, r8[AL], r8[AH] * op.immediate) & 0xff;
  },
};
