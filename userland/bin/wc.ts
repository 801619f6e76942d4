/** wc [-lwc] [FILES...]: lines, words and bytes, or those of them that are asked for, of files or standard input. May import lib. */
import {
  argument,
  close,
  complain,
  cstr,
  failure,
  O_RDONLY,
  open,
  print,
  printChar,
  printUnsigned,
  read,
} from "../lib/index";

const BYTES: usize = 4096;
const LINES: u32 = 1;
const WORDS: u32 = 2;
const SIZE: u32 = 4;
const buffer: usize = memory.data(4096);

/** What is wanted: LINES, WORDS, SIZE. */
let wanted: u32 = 0;

/** Prints a figure if it is wanted, apart from the one before. Whether there is one on the line now. */
function printFigure(figure: u32, value: u32, follows: bool): bool {
  if ((wanted & figure) == 0) return follows;
  if (follows) printChar(0x20);
  printUnsigned(value);
  return true;
}

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
  printFigure(SIZE, bytes, printFigure(WORDS, words, printFigure(LINES, lines, false)));
  if (load<u8>(name) != 0) {
    printChar(0x20);
    print(name);
  }
  printChar(0x0a);
  return 0;
}

/** Takes the letters of an option. False when one is none of its letters. */
function takeOption(letters: usize): bool {
  for (let at = letters; load<u8>(at) != 0; at++) {
    const letter: u32 = load<u8>(at);
    if (letter == 0x6c) wanted |= LINES;
    else if (letter == 0x77) wanted |= WORDS;
    else if (letter == 0x63) wanted |= SIZE;
    else return false;
  }
  return true;
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  let first: i32 = 1;
  while (first < argc && load<u8>(argument(argv, first)) == 0x2d) {
    if (!takeOption(argument(argv, first) + 1)) {
      complain(argument(argv, first), cstr("unknown option"));
      return 2;
    }
    first++;
  }
  if (wanted == 0) wanted = LINES | WORDS | SIZE;
  if (first == argc) return count(0, cstr(""));
  let status: i32 = 0;
  for (let i = first; i < argc; i++) {
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
