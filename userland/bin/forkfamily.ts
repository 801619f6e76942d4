/**
 * forkfamily CHILDREN MEGABYTES: what page tables and reverse map of a family take: a process that has written MEGABYTES of private
 * memory and so many children of it, all alive. One line says it, in frames of 4 KB and, of chains, in bytes:
 *
 *     forkfamily: children 50 directories 50 tables 3 chain-frames 0 chain-bytes 64
 *
 * each what the children came to. The exit status is 0 only if every child found its memory as it was and ended well.
 * May import lib.
 */
import {
  argument,
  close,
  counted,
  cstr,
  exit,
  flush,
  fork,
  isError,
  isNumber,
  MAP_PRIVATE,
  makeResident,
  mmapAnonymous,
  PROT_READ,
  PROT_WRITE,
  parseDec,
  pipe,
  printf,
  printLine,
  read,
  takeSnapshot,
  waitpid,
  write,
} from "../lib/index";

const PAGE: usize = 4096;
/** The beginning of a 4 MB slot. */
const PLACE: usize = 0x60000000;
/** A child looks at every so many pages. */
const STEP: u32 = 509;
const before: usize = memory.data(4096);
const after: usize = memory.data(4096);
/** Pipe ends: children to parent, and a gate that opens for all when the parent closes it. */
const ready: usize = memory.data(8, 4);
const gate: usize = memory.data(8, 4);
const token: usize = memory.data(4, 4);
const statusWord: usize = memory.data(4, 4);

/** A child's life: says that it is there, waits for the gate. */
function child(pages: u32): void {
  close(argument(gate, 1));
  write(argument(ready, 1), token, 1);
  read(argument(gate, 0), token, 1);
  for (let page: u32 = 0; page < pages; page += STEP) if (load<u32>(PLACE + page * PAGE) != page) exit(1);
  exit(0);
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  if (argc != 3 || !isNumber(argument(argv, 1)) || !isNumber(argument(argv, 2))) {
    printLine(cstr("usage: forkfamily CHILDREN MEGABYTES"));
    return 1;
  }
  const children: u32 = parseDec(argument(argv, 1));
  const pages: u32 = parseDec(argument(argv, 2)) * 256;
  const start = mmapAnonymous(PLACE, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  if (isError(start) || start != PLACE) {
    printLine(cstr("forkfamily: FAILED: no memory"));
    return 1;
  }
  for (let page: u32 = 0; page < pages; page++) store<u32>(PLACE + page * PAGE, page);
  makeResident();
  pipe(ready);
  pipe(gate);
  takeSnapshot(before);
  takeSnapshot(before);
  for (let i: u32 = 0; i < children; i++) {
    const pid = fork();
    if (pid == 0) child(pages);
    if (pid < 0 || read(argument(ready, 0), token, 1) != 1) {
      printf(cstr("forkfamily: FAILED at child %u\n"), i + 1);
      return 1;
    }
  }
  takeSnapshot(after);
  const directories = counted(before, after, cstr("frames_directory"));
  const tables = counted(before, after, cstr("frames_table"));
  printf(cstr("forkfamily: children %u directories %u tables %u "), children, directories, tables);
  const frames = counted(before, after, cstr("frames_chain"));
  printf(cstr("chain-frames %u chain-bytes %u\n"), frames, counted(before, after, cstr("rmap_chain_bytes")));
  flush();
  close(argument(gate, 1));
  let right = true;
  for (let i: u32 = 0; i < children; i++) right = waitpid(-1, statusWord) > 0 && load<u32>(statusWord) == 0 && right;
  return right ? 0 : 1;
}
