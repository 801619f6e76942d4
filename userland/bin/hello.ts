/** hello: the smallest program there is; says its name and how many arguments it got. */
import { cstr, printf } from "tine";

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  printf(cstr("hello, world from %s with %d argument(s)\n"), load<usize>(argv), argc - 1);
  return 0;
}
