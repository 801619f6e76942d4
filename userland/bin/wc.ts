/** wc [FILES...]: lines, words and bytes of files, or of its standard input. May import lib. */
import { argument, close, cstr, failure, O_RDONLY, open, printf, read } from "../lib/index";

const BYTES: usize = 4096;
const buffer: usize = memory.data(4096);

function count(fd: i32, name: usize): i32 {
  let lines: u32 = 0;
  let words: u32 = 0;
  let bytes: u32 = 0;
  let inWord = false;
  while (true) {
    const got = read(fd, buffer, BYTES);
    if (got < 0) return failure(cstr("wc"), name, got);
    if (got == 0) break;
    bytes += got;
    for (let i: i32 = 0; i < got; i++) {
      const byte: u32 = load<u8>(buffer + i);
      const isSpace = byte == 0x20 || byte - 0x09 < 5;
      if (byte == 0x0a) lines++;
      if (!isSpace && !inWord) words++;
      inWord = !isSpace;
    }
  }
  printf(cstr("%u %u %u %s\n"), lines, words, bytes, name);
  return 0;
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  if (argc == 1) return count(0, cstr(""));
  let status: i32 = 0;
  for (let i = 1; i < argc; i++) {
    const name = argument(argv, i);
    const fd = open(name, O_RDONLY);
    if (fd < 0) {
      status = failure(cstr("wc"), name, fd);
      continue;
    }
    status |= count(fd, name);
    close(fd);
  }
  return status;
}
