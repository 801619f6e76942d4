/**
 * Arguments of a program of the laboratory: words and numbers in a fixed order. One that is missing or wrong ends the program with its
 * usage and status 1. May import lib.
 */
import { argument, cstr, exit, isNumber, parseDec, print, printLine, streq } from "../../lib/index";

let vector: usize = 0;
let count: i32 = 0;
let next: i32 = 1;
let usage: usize = 0;

/** Takes main's arguments, and what they should be: "NAME WORD NUMBER". Comes first. */
export function parameters(argc: i32, argv: usize, names: usize): void {
  count = argc;
  vector = argv;
  usage = names;
}

function wrong(): void {
  print(cstr("usage: "));
  printLine(usage);
  exit(1);
}

/** The next argument, a number from `least` to `most`. */
export function numberParameter(least: u32, most: u32): u32 {
  if (next >= count || !isNumber(argument(vector, next))) wrong();
  const value = parseDec(argument(vector, next));
  if (value < least || value > most) wrong();
  next++;
  return value;
}

/** The next argument, one of two words: whether it is the second. */
export function choiceParameter(first: usize, second: usize): bool {
  if (next >= count) wrong();
  const word = argument(vector, next);
  next++;
  if (!streq(word, first) && !streq(word, second)) wrong();
  return streq(word, second);
}

/** The next argument, a word as it is. */
export function wordParameter(): usize {
  if (next >= count) wrong();
  next++;
  return argument(vector, next - 1);
}

/** Nothing may follow. */
export function lastParameter(): void {
  if (next != count) wrong();
}
