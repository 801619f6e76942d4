/**
 * forkread CHILDREN MEGABYTES PASSES: children that read what they share with their parent, in lockstep: none reads a page of the
 * next CHUNK before all have read those of this one. On a machine with less memory than that and a swap area, every page goes out
 * while all of them map it. One line says how many sectors were written from the program's beginning on, and what the region of the
 * reading came to, in sectors and pages:
 *
 *     forkread: children 8 written 131072 read 262144 evicted 32768
 *
 * The exit status is 0 only if every child read what its parent had written. May import lib.
 */
import {
  argument,
  counted,
  cstr,
  exit,
  flush,
  fork,
  isError,
  isNumber,
  MAP_PRIVATE,
  mmapAnonymous,
  PROT_READ,
  PROT_WRITE,
  parseDec,
  pipe,
  printf,
  printLine,
  Region,
  read,
  regionBegin,
  regionEnd,
  takeSnapshot,
  waitpid,
  write,
} from "../lib/index";

const PAGE: usize = 4096;
/** The beginning of a 4 MB slot. */
const PLACE: usize = 0x60000000;
/** Pages between two meetings. */
const CHUNK: u32 = 32;
const MOST_CHILDREN: u32 = 16;
const atStart: usize = memory.data(4096);
const before: usize = memory.data(4096);
const after: usize = memory.data(4096);
/** Pipe ends: all children to the parent; the parent to each child, eight bytes a child. */
const done: usize = memory.data(8, 4);
const turns: usize = memory.data(128, 4);
const tokens: usize = memory.data(16, 4);
const statusWord: usize = memory.data(4, 4);

/** Reads all pages, a chunk at each turn, so many times; never returns. */
function child(turn: usize, pages: u32, passes: u32): void {
  let right = true;
  for (let pass: u32 = 0; pass < passes; pass++) {
    for (let first: u32 = 0; first < pages; first += CHUNK) {
      if (read(argument(turn, 0), tokens, 1) != 1) exit(2);
      for (let page = first; page < first + CHUNK; page++) right = load<u32>(PLACE + page * PAGE) == page && right;
      write(argument(done, 1), tokens, 1);
    }
  }
  exit(right ? 0 : 1);
}

/** One turn for each child; back when all have had it. */
function meet(children: u32): void {
  for (let i: u32 = 0; i < children; i++) write(argument(turns + i * 8, 1), tokens, 1);
  let had: i32 = 0;
  while (had < i32(children)) had += read(argument(done, 0), tokens, children - had);
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  let usable = argc == 4;
  for (let i = 1; i < argc; i++) usable = usable && isNumber(argument(argv, i));
  if (!usable || parseDec(argument(argv, 1)) > MOST_CHILDREN) {
    printLine(cstr("usage: forkread CHILDREN MEGABYTES PASSES"));
    return 1;
  }
  const children: u32 = parseDec(argument(argv, 1));
  const pages: u32 = parseDec(argument(argv, 2)) * 256;
  const passes: u32 = parseDec(argument(argv, 3));
  const start = mmapAnonymous(PLACE, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  if (isError(start) || start != PLACE) {
    printLine(cstr("forkread: FAILED: no memory"));
    return 1;
  }
  takeSnapshot(atStart);
  for (let page: u32 = 0; page < pages; page++) store<u32>(PLACE + page * PAGE, page);
  pipe(done);
  for (let i: u32 = 0; i < children; i++) {
    pipe(turns + i * 8);
    const pid = fork();
    if (pid == 0) child(turns + i * 8, pages, passes);
    if (pid < 0) {
      printf(cstr("forkread: FAILED at child %u\n"), i + 1);
      return 1;
    }
  }
  takeSnapshot(before);
  regionBegin(Region.Read, 0);
  for (let turn: u32 = 0; turn < passes * (pages / CHUNK); turn++) meet(children);
  regionEnd(Region.Read, 0);
  takeSnapshot(after);
  const written = counted(atStart, after, cstr("disk_writes"));
  printf(cstr("forkread: children %u written %u "), children, written);
  const evicted = counted(before, after, cstr("pages_reclaimed"));
  printf(cstr("read %u evicted %u\n"), counted(before, after, cstr("disk_reads")), evicted);
  flush();
  let right = true;
  for (let i: u32 = 0; i < children; i++) right = waitpid(-1, statusWord) > 0 && load<u32>(statusWord) == 0 && right;
  return right ? 0 : 1;
}
