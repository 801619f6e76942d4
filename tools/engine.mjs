/**
 * How V8 is to treat the code that cpu/compile makes. Plain JavaScript, for whatever starts a process in which machines run. May import Node.
 *
 * A region is one WebAssembly function, a loop around a table of its pieces. V8 counts what runs by the bytes that a jump goes back over, so
 * that each turn of the loop counts as if the whole region had run, and would give every region to its optimizing compiler after some hundred
 * turns: 2 s of processor time in the first 3 of a run that forks, for code that is often made anew by then. With this budget a region is
 * compiled so once it has run for some tenths of a second.
 */
import { setFlagsFromString } from "node:v8";

/** For Node's command line. The number is of bytes of code that a function may run, as V8 counts them, before its optimizing compiler gets it. */
export const ENGINE_OPTIONS = ["--wasm-tiering-budget=1000000000"];

/**
 * To be called before the first machine is made, and after what Node loads at its start: V8 takes code that was compiled with other options for
 * none, which costs a start some 50 ms. It holds for the whole process; another V8 that knows no such option goes on as it is.
 */
export function setEngineOptions() {
  for (const option of ENGINE_OPTIONS) setFlagsFromString(option);
}
