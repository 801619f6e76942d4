/**
 * Seeds tried one after the other; what fails is made small. May import generate, compare, shrink, check.
 */
import { Comparer } from "./compare";
import { generate } from "./generate";
import type { GuestImages } from "./guest";
import type { Program } from "./program";
import { shrink } from "./shrink";

export interface Finding {
  seed: number;
  /** What is wrong with the seed's program, and with the small one. */
  text: string;
  smallText: string;
  small: Program;
}

/** Runs of a program that making it small may take. */
const SHRINK_TRIALS = 700;

export class Fuzzer {
  private readonly comparer: Comparer;

  constructor(images: GuestImages) {
    this.comparer = new Comparer(images);
  }

  /** What is wrong with a seed's program; undefined if nothing is. */
  try(seed: number): string | undefined {
    return this.comparer.difference(generate(seed));
  }

  /** The same of any program. */
  tryProgram(program: Program): string | undefined {
    return this.comparer.difference(program);
  }

  /** A smaller program with which something is wrong as well; `trials` runs at most. */
  shrink(seed: number, text: string, trials = SHRINK_TRIALS): Finding {
    const small = shrink(generate(seed), (program) => this.tryProgram(program) !== undefined, trials);
    return { seed, text, small, smallText: this.tryProgram(small) ?? text };
  }
}
