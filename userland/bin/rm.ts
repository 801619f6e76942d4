/** rm FILES...: removes files, and directories that are empty. May import lib. */
import { argument, complain, cstr, Errno, failure, rmdir, unlink } from "../lib/index";

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  if (argc == 1) {
    complain(cstr("rm"), cstr("which file?"));
    return 2;
  }
  let status: i32 = 0;
  for (let i = 1; i < argc; i++) {
    let result = unlink(argument(argv, i));
    if (result == -Errno.EISDIR) result = rmdir(argument(argv, i));
    if (result < 0) status = failure(cstr("rm"), argument(argv, i), result);
  }
  return status;
}
