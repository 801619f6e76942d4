/**
 * How a program of the laboratory tells what it found: `name=value` alone on a line, in decimal; and how it ends when something is
 * wrong: a line that says so, and exit status 1. May import lib.
 */
import { cstr, exit, print, printChar, printLine, printUnsigned } from "../../lib/index";

/** `name=value`. */
export function say(name: usize, value: u32): void {
  print(name);
  printChar(0x3d);
  printUnsigned(value);
  printChar(0x0a);
}

/** Ends the process with status 1, after `FAILED: what`. Does not return. */
export function fail(what: usize): void {
  print(cstr("FAILED: "));
  printLine(what);
  exit(1);
}

/** Fails with `what` unless `holds`. */
export function must(holds: bool, what: usize): void {
  if (!holds) fail(what);
}
