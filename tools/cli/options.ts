/** Option values that several commands take, checked once. May import commander. */
import { InvalidArgumentError, Option } from "commander";

/** A whole number in a range, for commander; the message says what was wanted. */
export function wholeNumber(least: number, most: number, unit: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It wants a whole number of ${unit} from ${least} to ${most}.`);
  };
}

/** Megabytes of RAM: the kernel maps at most 896, and boots in 4. */
export const memoryOption = (initial: number): Option =>
  new Option("--mem <MB>", "guest memory in megabytes").argParser(wholeNumber(4, 896, "megabytes")).default(initial);

export const forkOption = (): Option =>
  new Option("--fork <mode>", "how fork treats page tables").choices(["copy", "share", "auto"]).default("auto");

/** A bound on the run; Infinity when it is not given. */
export const budgetOption = (): Option =>
  new Option("--budget <N>", "stop after N guest instructions (exit code 4)")
    .argParser(wholeNumber(1, Number.MAX_SAFE_INTEGER, "instructions"))
    .default(Number.POSITIVE_INFINITY, "no limit");

/** How many instructions a trace shows. */
export const lastOption = (initial: number): Option =>
  new Option("--last <N>", "how many instructions to show")
    .argParser(wholeNumber(1, 10_000_000, "instructions"))
    .default(initial);
