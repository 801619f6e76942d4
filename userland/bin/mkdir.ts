/** mkdir DIRECTORIES...: makes directories. May import lib. */
import { argument, complain, cstr, failure, mkdir } from "../lib/index";

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  if (argc == 1) {
    complain(cstr("mkdir"), cstr("which directory?"));
    return 2;
  }
  let status: i32 = 0;
  for (let i = 1; i < argc; i++) {
    const result = mkdir(argument(argv, i), 0o777);
    if (result < 0) status = failure(cstr("mkdir"), argument(argv, i), result);
  }
  return status;
}
