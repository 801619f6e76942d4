/** cat [FILES...]: writes files, or its standard input, to its standard output. "-" is standard input. May import lib. */
import { argument, close, cstr, failure, O_RDONLY, open, read, streq, writeAll } from "../lib/index";

const BYTES: usize = 4096;
const buffer: usize = memory.data(4096);

function copy(fd: i32, name: usize): i32 {
  while (true) {
    const got = read(fd, buffer, BYTES);
    if (got == 0) return 0;
    if (got < 0) return failure(cstr("cat"), name, got);
    const result = writeAll(1, buffer, got);
    if (result < 0) return failure(cstr("cat"), cstr("output"), result);
  }
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  if (argc == 1) return copy(0, cstr("-"));
  let status: i32 = 0;
  for (let i = 1; i < argc; i++) {
    const name = argument(argv, i);
    if (streq(name, cstr("-"))) {
      status |= copy(0, name);
      continue;
    }
    const fd = open(name, O_RDONLY);
    if (fd < 0) {
      status = failure(cstr("cat"), name, fd);
      continue;
    }
    status |= copy(fd, name);
    close(fd);
  }
  return status;
}
