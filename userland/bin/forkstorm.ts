/**
 * forkstorm [COUNT]: forks COUNT tiny processes (1,000 unless told) one after another, each of which executes /bin/true, and
 * waits for each. Marks measure the whole as one region. Prints the count; the exit status is 0 only if every child ended
 * well. What it costs is the figure that shared page tables once failed on (shpte, December 2002: 3.2 % slower).
 * May import lib.
 */
import {
  argument,
  cstr,
  execve,
  exit,
  fork,
  isNumber,
  parseDec,
  printf,
  printLine,
  Region,
  regionBegin,
  regionEnd,
  waitpid,
} from "../lib/index";

const childArguments: usize = memory.data(8, 4);
const noEnvironment: usize = memory.data(4, 4);
const statusWord: usize = memory.data(4, 4);

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  if (argc > 2 || (argc == 2 && !isNumber(argument(argv, 1)))) {
    printLine(cstr("usage: forkstorm [COUNT]"));
    return 1;
  }
  const count: u32 = argc == 2 ? parseDec(argument(argv, 1)) : 1000;
  const path = cstr("/bin/true");
  store<usize>(childArguments, path);
  regionBegin(Region.Storm, 0);
  for (let i: u32 = 0; i < count; i++) {
    const pid = fork();
    if (pid == 0) {
      execve(path, childArguments, noEnvironment);
      exit(1);
    }
    if (pid < 0 || waitpid(pid, statusWord) != pid || load<u32>(statusWord) != 0) {
      printf(cstr("forkstorm: FAILED at child %u\n"), i + 1);
      return 1;
    }
  }
  regionEnd(Region.Storm, 0);
  printf(cstr("forkstorm: %u processes\n"), count);
  return 0;
}
