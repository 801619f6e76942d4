/**
 * The flags register. The six arithmetic flags are lazy: an operation leaves its operands and result in state words and a
 * mask of the flags that follow from them; whoever needs a flag works it out.
 *
 *     Lazy        bits of Flag.Arithmetic that are lazy, and Lazy.Subtract: they follow a - b (or a - b - borrow)
 *     LazyA, B    the operands, LazyResult the result, all sign-extended from the operation's size to 32 bits
 *
 * Sign extension keeps the order of unsigned values and the place of the sign, so that no size is needed: carry and
 * overflow are read off the sign bits, also where a carry or borrow came in. A logical operation is result + 0.
 * May import registers.ts. Source: Intel SDM volume 1, section 3.4.3.1 and appendix A (EFLAGS cross-reference).
 */
import { Attention, Flag, Word } from "./registers";

export const enum Lazy {
  Subtract = 1 << 16,
  /** All six follow an addition. */
  Add = 0x8d5,
  /** All six follow a subtraction. */
  Sub = 0x108d5,
}

/** Flags that exist. Whoever writes them keeps VM as it is, but for the ways into and out of virtual-8086 mode. */
export const CHANGEABLE_FLAGS =
  Flag.Arithmetic | Flag.TF | Flag.IF | Flag.DF | Flag.IOPL | Flag.NT | Flag.RF | Flag.VM | Flag.AC | Flag.ID;

/** The carry flag: 0 or 1. */
export function carry(r: Int32Array): number {
  const lazy = r[Word.Lazy];
  if ((lazy & Flag.CF) === 0) return r[Word.Eflags] & Flag.CF;
  const a = r[Word.LazyA];
  const b = r[Word.LazyB];
  const result = r[Word.LazyResult];
  if ((lazy & Lazy.Subtract) !== 0) return ((~a & b) | ((~a | b) & result)) >>> 31;
  return ((a & b) | ((a | b) & ~result)) >>> 31;
}

/** Whether ZF is set. */
export function zero(r: Int32Array): boolean {
  if ((r[Word.Lazy] & Flag.ZF) !== 0) return r[Word.LazyResult] === 0;
  return (r[Word.Eflags] & Flag.ZF) !== 0;
}

/** Whether SF is set. */
export function sign(r: Int32Array): boolean {
  if ((r[Word.Lazy] & Flag.SF) !== 0) return r[Word.LazyResult] < 0;
  return (r[Word.Eflags] & Flag.SF) !== 0;
}

/** Whether OF is set. */
export function overflow(r: Int32Array): boolean {
  const lazy = r[Word.Lazy];
  if ((lazy & Flag.OF) === 0) return (r[Word.Eflags] & Flag.OF) !== 0;
  const a = r[Word.LazyA];
  const b = (lazy & Lazy.Subtract) !== 0 ? ~r[Word.LazyB] : r[Word.LazyB];
  const result = r[Word.LazyResult];
  return ((a ^ result) & (b ^ result)) < 0;
}

/** Whether PF is set: the result's low byte has an even number of ones. */
export function parity(r: Int32Array): boolean {
  if ((r[Word.Lazy] & Flag.PF) === 0) return (r[Word.Eflags] & Flag.PF) !== 0;
  return evenParity(r[Word.LazyResult]);
}

/** Whether AF is set: a carry or borrow between bits 3 and 4. */
export function adjust(r: Int32Array): boolean {
  if ((r[Word.Lazy] & Flag.AF) === 0) return (r[Word.Eflags] & Flag.AF) !== 0;
  return ((r[Word.LazyA] ^ r[Word.LazyB] ^ r[Word.LazyResult]) & Flag.AF) !== 0;
}

/** Whether SF differs from OF: "less" after a comparison. */
export function less(r: Int32Array): boolean {
  if (r[Word.Lazy] === Lazy.Sub) {
    const a = r[Word.LazyA];
    const result = r[Word.LazyResult];
    return (result ^ ((a ^ r[Word.LazyB]) & (a ^ result))) < 0;
  }
  return sign(r) !== overflow(r);
}

/** Whether the low byte of a value has an even number of ones. */
export function evenParity(value: number): boolean {
  const folded = value ^ (value >> 4);
  return ((0x9669 >> (folded & 15)) & 1) !== 0;
}

/** Whether condition 0 to 15 (o no b ae z nz be a s ns p np l ge le g) holds. */
export function condition(r: Int32Array, code: number): boolean {
  let holds: boolean;
  switch (code >> 1) {
    case 0:
      holds = overflow(r);
      break;
    case 1:
      holds = carry(r) !== 0;
      break;
    case 2:
      holds = zero(r);
      break;
    case 3:
      holds = carry(r) !== 0 || zero(r);
      break;
    case 4:
      holds = sign(r);
      break;
    case 5:
      holds = parity(r);
      break;
    case 6:
      holds = less(r);
      break;
    default:
      holds = zero(r) || less(r);
  }
  return holds === ((code & 1) === 0);
}

/** The six arithmetic flags as bits. */
export function arithmeticFlags(r: Int32Array): number {
  if ((r[Word.Lazy] & Flag.Arithmetic) === 0) return r[Word.Eflags] & Flag.Arithmetic;
  return (
    carry(r) |
    (parity(r) ? Flag.PF : 0) |
    (adjust(r) ? Flag.AF : 0) |
    (zero(r) ? Flag.ZF : 0) |
    (sign(r) ? Flag.SF : 0) |
    (overflow(r) ? Flag.OF : 0)
  );
}

/** The whole register as uint32. */
export function readEflags(r: Int32Array): number {
  return ((r[Word.Eflags] & ~Flag.Arithmetic) | arithmeticFlags(r)) >>> 0;
}

/** Sets the six arithmetic flags from bits; none stays lazy. */
export function setArithmeticFlags(r: Int32Array, flags: number): void {
  r[Word.Lazy] = 0;
  r[Word.Eflags] = (r[Word.Eflags] & ~Flag.Arithmetic) | (flags & Flag.Arithmetic);
}

/** Sets the flags of an operation whose CF and OF are known and whose SF, ZF, PF follow `result`; AF is cleared. */
export function setShiftFlags(r: Int32Array, result: number, carryOut: number, overflowOut: boolean): void {
  r[Word.Lazy] = Flag.SF | Flag.ZF | Flag.PF;
  r[Word.LazyResult] = result;
  r[Word.Eflags] =
    (r[Word.Eflags] & ~(Flag.CF | Flag.OF | Flag.AF)) | (carryOut & Flag.CF) | (overflowOut ? Flag.OF : 0);
}

/** Sets CF by the lowest bit of `carryOut`; the other flags stay, lazy or not. */
export function setCarry(r: Int32Array, carryOut: number): void {
  r[Word.Lazy] &= ~Flag.CF;
  r[Word.Eflags] = (r[Word.Eflags] & ~Flag.CF) | (carryOut & Flag.CF);
}

/** Sets CF and OF by the lowest bits of two numbers; the other flags stay, lazy or not. */
export function setRotateFlags(r: Int32Array, carryOut: number, overflowOut: number): void {
  r[Word.Lazy] &= ~(Flag.CF | Flag.OF);
  r[Word.Eflags] = (r[Word.Eflags] & ~(Flag.CF | Flag.OF)) | (carryOut & Flag.CF) | ((overflowOut & 1) << 11);
}

/** Sets ZF; the other flags stay, lazy or not. */
export function setZero(r: Int32Array, isZero: boolean): void {
  r[Word.Lazy] &= ~Flag.ZF;
  r[Word.Eflags] = (r[Word.Eflags] & ~Flag.ZF) | (isZero ? Flag.ZF : 0);
}

/** Sets the whole register (bits that do not exist are dropped). Attention.Trap follows TF. */
export function writeEflags(r: Int32Array, value: number): void {
  r[Word.Lazy] = 0;
  r[Word.Eflags] = (value & CHANGEABLE_FLAGS & r[Word.FlagsMask]) | Flag.Always;
  if ((value & Flag.TF) !== 0) r[Word.Attention] |= Attention.Trap;
  else r[Word.Attention] &= ~Attention.Trap;
}
