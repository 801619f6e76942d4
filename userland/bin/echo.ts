/** echo [-n] WORDS...: prints its arguments, one space between two, and a newline unless -n. May import lib. */
import { argument, cstr, print, printChar, streq } from "../lib/index";

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  const quiet = argc > 1 && streq(argument(argv, 1), cstr("-n"));
  const first = quiet ? 2 : 1;
  for (let i = first; i < argc; i++) {
    if (i != first) printChar(0x20);
    print(argument(argv, i));
  }
  if (!quiet) printChar(0x0a);
  return 0;
}
