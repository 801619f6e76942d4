/**
 * The end of a program: what crt0.s calls with main's result. The compiler makes this file an entry of each program.
 * May import clone, print, signals and syscalls. dispatchSignal is for signals.s, runClone for clone.s.
 */
export { runClone } from "./clone";
export { dispatchSignal } from "./signals";

import { flush } from "./print";
import { exit } from "./syscalls";

/** Sends out pending output and ends the process with `status`. Does not return. */
export function programExit(status: i32): void {
  flush();
  exit(status);
}
