/**
 * forkdemo [MEGABYTES...]: what a fork costs at each size of private memory (4, 16, 64 and 256 MB unless arguments say
 * otherwise), with every page written.
 *
 * A child checks a checksum of all that it inherited, writes one page, and sees only its own writes; the parent sees only
 * its own. Marks measure three regions: the fork call in the parent, the child's first write, the child's exit. One line a
 * size says the rest, with no figures of time, so that every machine prints the same:
 *
 *     forkdemo 256 MB: frames 1 rmap 0 copied 0 unshared 4 leaked 0
 *
 * frames and rmap entries that the fork itself allocated, page tables that it copied, page tables unshared until the child was waited for, frames of
 * memory missing at the end. The exit status is 0 only if all contents were right and nothing leaked.
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
  freeFrames,
  isError,
  isNumber,
  MAP_PRIVATE,
  makeResident,
  mmapAnonymous,
  munmap,
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
/** Where the memory is asked for: the beginning of a 4 MB slot, so that a size has the same page tables on every kernel. */
const PLACE: usize = 0x60000000;
/** What child and parent write over the first word of their page. */
const CHILD_WORD: u32 = 0xc0ffee01;
const PARENT_WORD: u32 = 0xc0ffee02;

const beforeFork: usize = memory.data(4096);
const afterFork: usize = memory.data(4096);
const afterWait: usize = memory.data(4096);
/** Pipe ends: child to parent, parent to child. */
const toParent: usize = memory.data(8, 4);
const toChild: usize = memory.data(8, 4);
const token: usize = memory.data(4, 4);
const statusWord: usize = memory.data(4, 4);

/** First and last word of page `index`: no two pages are alike. The other words stay zero. */
function firstWord(index: u32): u32 {
  return index * 0x9e3779b1 + 1;
}
function lastWord(index: u32): u32 {
  return ~(index * 0x85ebca77);
}

function fill(start: usize, pages: u32): void {
  for (let i: u32 = 0; i < pages; i++) {
    store<u32>(start + i * PAGE, firstWord(i));
    store<u32>(start + i * PAGE + PAGE - 4, lastWord(i));
  }
}

/** Checksum of every word from `start` to `end`, whole pages: each step rotates the sum by one bit and adds a word. */
function checksum(start: usize, end: usize): u32 {
  let sum: u32 = 0;
  for (let at = start; at < end; at += 32) {
    sum = rotl<u32>(sum, 1) + load<u32>(at);
    sum = rotl<u32>(sum, 1) + load<u32>(at, 4);
    sum = rotl<u32>(sum, 1) + load<u32>(at, 8);
    sum = rotl<u32>(sum, 1) + load<u32>(at, 12);
    sum = rotl<u32>(sum, 1) + load<u32>(at, 16);
    sum = rotl<u32>(sum, 1) + load<u32>(at, 20);
    sum = rotl<u32>(sum, 1) + load<u32>(at, 24);
    sum = rotl<u32>(sum, 1) + load<u32>(at, 28);
  }
  return sum;
}

/** The checksum that fill()'s contents must have. A page's 1022 zero words rotate by 1022 = 30 (mod 32) bits. */
function expectedChecksum(pages: u32): u32 {
  let sum: u32 = 0;
  for (let i: u32 = 0; i < pages; i++) {
    sum = rotl<u32>(sum, 1) + firstWord(i);
    sum = rotl<u32>(sum, 30);
    sum = rotl<u32>(sum, 1) + lastWord(i);
  }
  return sum;
}

/** Hands the turn to whoever reads from `ends`. */
function pass(ends: usize): void {
  write(argument(ends, 1), token, 1);
}

/** Waits for the turn. False when the other side is gone. */
function awaitTurn(ends: usize): bool {
  return read(argument(ends, 0), token, 1) == 1;
}

/** The child's whole life; it writes to the second page, its parent to the last. */
function child(start: usize, pages: u32, megabytes: u32): void {
  close(argument(toParent, 0));
  close(argument(toChild, 1));
  const own = start + PAGE;
  const parents = start + (pages - 1) * PAGE;
  if (checksum(start, start + pages * PAGE) != expectedChecksum(pages))
    fail(megabytes, cstr("child inherited other bytes"));

  regionBegin(Region.FirstWrite, megabytes);
  store<u32>(own, CHILD_WORD);
  regionEnd(Region.FirstWrite, megabytes);

  if (load<u32>(own) != CHILD_WORD) fail(megabytes, cstr("child does not see its own write"));
  pass(toParent);
  if (!awaitTurn(toChild)) fail(megabytes, cstr("parent went away"));
  if (load<u32>(own) != CHILD_WORD) fail(megabytes, cstr("child lost its own write"));
  if (load<u32>(parents) != firstWord(pages - 1)) fail(megabytes, cstr("child sees the parent's write"));
  flush();
  regionBegin(Region.Exit, megabytes);
  exit(0);
}

function fail(megabytes: u32, what: usize): void {
  printf(cstr("forkdemo %u MB: FAILED: %s\n"), megabytes, what);
  exit(1);
}

/** The parent's side while the child lives. Whether it saw only its own writes and the child ended well. */
function parent(pid: i32, start: usize, pages: u32): bool {
  const childs = start + PAGE;
  const own = start + (pages - 1) * PAGE;
  let right = awaitTurn(toParent) && load<u32>(childs) == firstWord(1);
  store<u32>(own, PARENT_WORD);
  right = load<u32>(own) == PARENT_WORD && right;
  pass(toChild);
  right = waitpid(pid, statusWord) == pid && load<u32>(statusWord) == 0 && right;
  return right && load<u32>(childs) == firstWord(1);
}

/** One size. Whether all was right, or the size was skipped because it does not fit memory. */
function demonstrate(megabytes: u32): bool {
  const free = freeFrames();
  const pages = megabytes * 256;
  // Page tables, and where fork copies them one 32-byte block of the reverse map for each page.
  if (pages + pages / 32 + 256 > free) {
    printf(cstr("forkdemo %u MB: skipped, does not fit memory\n"), megabytes);
    return true;
  }
  const start = mmapAnonymous(PLACE, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  if (isError(start)) {
    printf(cstr("forkdemo %u MB: FAILED: mmap gave error %d\n"), megabytes, -i32(start));
    return false;
  }
  fill(start, pages);
  pipe(toParent);
  pipe(toChild);

  takeSnapshot(beforeFork);
  regionBegin(Region.Fork, megabytes);
  const pid = fork();
  if (pid == 0) child(start, pages, megabytes);
  regionEnd(Region.Fork, megabytes);
  takeSnapshot(afterFork);

  let right = pid > 0;
  if (right) right = parent(pid, start, pages);
  takeSnapshot(afterWait);
  for (let i = 0; i < 2; i++) {
    close(argument(toParent, i));
    close(argument(toChild, i));
  }
  munmap(start, pages * PAGE);
  const leaked = i32(free - freeFrames());
  printf(
    cstr("forkdemo %u MB: frames %u rmap %u copied %u "),
    megabytes,
    counted(beforeFork, afterFork, cstr("fork_frames")),
    counted(beforeFork, afterFork, cstr("fork_rmap_added")),
    counted(beforeFork, afterFork, cstr("tables_copied")),
  );
  printf(cstr("unshared %u leaked %d\n"), counted(beforeFork, afterWait, cstr("tables_unshared")), leaked);
  if (!right) printf(cstr("forkdemo %u MB: FAILED\n"), megabytes);
  return right && leaked == 0;
}

/** All of the program's own memory, and a fork that nobody counts: what the kernel allocates once is allocated now. */
function warmUp(): void {
  makeResident();
  const pid = fork();
  if (pid == 0) exit(0);
  waitpid(pid, statusWord);
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  for (let i = 1; i < argc; i++) {
    const size = argument(argv, i);
    if (!isNumber(size) || parseDec(size) - 1 >= 1024) {
      printLine(cstr("usage: forkdemo [MEGABYTES...], 1 to 1024 each"));
      return 1;
    }
  }
  warmUp();
  let right = true;
  if (argc > 1) {
    for (let i = 1; i < argc; i++) right = demonstrate(parseDec(argument(argv, i))) && right;
  } else {
    for (let megabytes: u32 = 4; megabytes <= 256; megabytes *= 4) right = demonstrate(megabytes) && right;
  }
  return right ? 0 : 1;
}
