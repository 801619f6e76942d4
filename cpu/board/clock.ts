/**
 * The machine's time base: guest cycles against seconds, and the fixed oscillators of a PC derived from it. May import
 * nothing. All arithmetic is exact in doubles: no intermediate exceeds 2^53 for any cycle count below 2^53 / 84.
 * Source: Intel 8254 data sheet; IBM PC/AT technical reference (14.31818 MHz / 12); National PC16550D (1.8432 MHz);
 * Motorola MC146818A (32.768 kHz).
 */

/** Nominal clock: cycles in a second of guest time. Nothing else in the machine says how long a cycle is. */
export const NOMINAL_HZ = 100_000_000;
/** The 8254's input clock in Hz. */
export const PIT_HZ = 1_193_182;

// PIT_HZ / NOMINAL_HZ in lowest terms.
const PIT_TICKS = PIT_HZ / 2;
const PIT_CYCLES = NOMINAL_HZ / 2;

/** PIT ticks that have completed at cycle `cycles`. */
export function pitTickAt(cycles: number): number {
  const whole = Math.floor(cycles / PIT_CYCLES);
  return whole * PIT_TICKS + Math.floor(((cycles - whole * PIT_CYCLES) * PIT_TICKS) / PIT_CYCLES);
}

/** First cycle at which PIT tick `tick` has completed: the inverse of pitTickAt. */
export function cycleOfPitTick(tick: number): number {
  const whole = Math.floor(tick / PIT_TICKS);
  return whole * PIT_CYCLES + Math.ceil(((tick - whole * PIT_TICKS) * PIT_CYCLES) / PIT_TICKS);
}

/** The real-time clock's crystal in Hz. */
export const CRYSTAL_HZ = 32_768;

// CRYSTAL_HZ / NOMINAL_HZ in lowest terms.
const CRYSTAL_TICKS = CRYSTAL_HZ / 256;
const CRYSTAL_CYCLES = NOMINAL_HZ / 256;

/** Crystal ticks that have completed at cycle `cycles`. */
export function crystalTickAt(cycles: number): number {
  const whole = Math.floor(cycles / CRYSTAL_CYCLES);
  return whole * CRYSTAL_TICKS + Math.floor(((cycles - whole * CRYSTAL_CYCLES) * CRYSTAL_TICKS) / CRYSTAL_CYCLES);
}

/** First cycle at which crystal tick `tick` has completed: the inverse of crystalTickAt. */
export function cycleOfCrystalTick(tick: number): number {
  const whole = Math.floor(tick / CRYSTAL_TICKS);
  return whole * CRYSTAL_CYCLES + Math.ceil(((tick - whole * CRYSTAL_TICKS) * CRYSTAL_CYCLES) / CRYSTAL_TICKS);
}

/** Cycles that the serial line takes for `bits` bit times at `divisor` (1 is 115,200 baud), rounded up. */
export function serialCycles(bits: number, divisor: number): number {
  // bits * divisor * 16 / 1.8432 MHz seconds of NOMINAL_HZ each: 15625 / 18 cycles a bit at divisor 1.
  return Math.ceil((bits * divisor * (NOMINAL_HZ / 6400)) / 18);
}

/** What devices see of the CPU: its counters, exact at the start of the instruction that touches the device. */
export interface Clock {
  readonly cycles: number;
  readonly instret: number;
}
