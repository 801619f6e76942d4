/** swapoff DISK: brings back all that is swapped out, and gives the swap area up. May import lib. */
import { argument, complain, cstr, failure, swapoff } from "../lib/index";

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  if (argc != 2) {
    complain(cstr("swapoff"), cstr("which disk?"));
    return 2;
  }
  const result = swapoff(argument(argv, 1));
  return result < 0 ? failure(cstr("swapoff"), argument(argv, 1), result) : 0;
}
