/**
 * ls [-l] [PATHS...]: names in directories, one a line, in the order of their bytes; with -l type, permissions and size too.
 * Names that begin with a dot are left out. May import lib.
 */
import {
  argument,
  close,
  complain,
  cstr,
  DIRENT64_NAME,
  Dirent64,
  failure,
  getdents,
  malloc,
  O_DIRECTORY,
  O_RDONLY,
  open,
  printChar,
  printf,
  printLine,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFMT,
  Stat64,
  stat,
  stpcpy,
  strcmp,
  streq,
  strlen,
} from "../lib/index";

const BYTES: i32 = 2048;
const CAPACITY: i32 = 512;
const PATH_BYTES: i32 = 512;
const buffer: usize = memory.data(2048, 8);
const names: usize = memory.data(512 * 4, 4);
const path: usize = memory.data(512);
const information: usize = memory.data(96, 4);

let long: bool = false;

/** The letter that begins a long line. */
function typeLetter(type: u32): u32 {
  if (type == S_IFDIR) return 0x64;
  if (type == S_IFCHR) return 0x63;
  return type == S_IFBLK ? 0x62 : 0x2d;
}

function printEntry(name: usize, file: usize): i32 {
  if (!long) {
    printLine(name);
    return 0;
  }
  const status = changetype<Stat64>(information);
  const result = stat(file, status);
  if (result < 0) return failure(cstr("ls"), file, result);
  printChar(typeLetter(status.mode & S_IFMT));
  for (let bit: i32 = 8; bit >= 0; bit--) {
    const letter: u32 = bit % 3 == 2 ? 0x72 : bit % 3 == 1 ? 0x77 : 0x78;
    printChar(((status.mode >> bit) & 1) != 0 ? letter : 0x2d);
  }
  printf(cstr(" %8u %s\n"), status.size, name);
  return 0;
}

/** Puts a copy of the name in its place among the first `count` names. False when there is no memory. */
function insert(count: i32, name: usize): bool {
  const copy = malloc(strlen(name) + 1);
  if (copy == 0) return false;
  stpcpy(copy, name);
  let at = count;
  while (at > 0 && strcmp(argument(names, at - 1), copy) > 0) {
    store<usize>(names + at * 4, argument(names, at - 1));
    at--;
  }
  store<usize>(names + at * 4, copy);
  return true;
}

/** Collects the names in an open directory: how many, or -errno. */
function collect(fd: i32): i32 {
  let count: i32 = 0;
  while (true) {
    const got = getdents(fd, buffer, BYTES);
    if (got <= 0) return got < 0 ? got : count;
    for (let at: i32 = 0; at < got; at += changetype<Dirent64>(buffer + at).recordBytes) {
      const name = buffer + at + DIRENT64_NAME;
      if (load<u8>(name) == 0x2e) continue;
      if (count == CAPACITY || !insert(count, name)) return count;
      count++;
    }
  }
}

function list(directory: usize): i32 {
  const result = stat(directory, changetype<Stat64>(information));
  if (result < 0) return failure(cstr("ls"), directory, result);
  if ((changetype<Stat64>(information).mode & S_IFMT) != S_IFDIR) return printEntry(directory, directory);
  const fd = open(directory, O_RDONLY | O_DIRECTORY);
  if (fd < 0) return failure(cstr("ls"), directory, fd);
  const count = collect(fd);
  close(fd);
  if (count < 0) return failure(cstr("ls"), directory, count);
  let status: i32 = 0;
  for (let i = 0; i < count; i++) {
    const name = argument(names, i);
    if (strlen(directory) + strlen(name) + 2 > PATH_BYTES) continue;
    const end = stpcpy(path, directory);
    store<u8>(end, 0x2f);
    stpcpy(end + 1, name);
    status |= printEntry(name, path);
  }
  return status;
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  let first: i32 = 1;
  if (argc > 1 && load<u8>(argument(argv, 1)) == 0x2d) {
    long = streq(argument(argv, 1), cstr("-l"));
    if (!long) {
      complain(argument(argv, 1), cstr("unknown option"));
      return 2;
    }
    first = 2;
  }
  if (first >= argc) return list(cstr("."));
  let status: i32 = 0;
  for (let i = first; i < argc; i++) {
    if (argc > first + 1) printf(cstr("%s:\n"), argument(argv, i));
    status |= list(argument(argv, i));
  }
  return status;
}
