/** swapon DISK: puts the swap area on a disk to use. May import lib. */
import { argument, complain, cstr, failure, swapon } from "../lib/index";

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  if (argc != 2) {
    complain(cstr("swapon"), cstr("which disk?"));
    return 2;
  }
  const result = swapon(argument(argv, 1));
  return result < 0 ? failure(cstr("swapon"), argument(argv, 1), result) : 0;
}
