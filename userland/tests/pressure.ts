/**
 * pressure [MEGABYTES [CHILDREN]]: processes that together need much more memory than there is. The parent fills memory, forks
 * children that share it, each child reads it, writes a part of it and fills memory of its own; everything is read again and must be right.
 * Nothing to do without swap. May import lib and support/.
 */
import {
  argument,
  cstr,
  exit,
  flush,
  fork,
  hasSwap,
  isNumber,
  MAP_PRIVATE,
  MAP_SHARED,
  parseDec,
  printf,
  test,
  testBegin,
  testEnd,
  waitSuccess,
} from "../lib/index";
import { countBegin, countEnd, countOf } from "./support/counts";
import { mapPages, pagesIntact, READ_WRITE, readPage, wordOf, writePage, writePages } from "./support/memory";

/** Pages that the parent and its children share at first. */
let common: u32 = 1024;
let children: u32 = 4;
/** Of each child's own memory, by its first page. */
const OWN_AT: u32 = 32 * 1024;
/** Every so many of the common pages a child writes one. */
const STEP: u32 = 7;
const pids: usize = memory.data(128);

function child(number: u32): void {
  if (!pagesIntact(0, common)) exit(1);
  for (let page = number; page < common; page += STEP) writePage(page, number ^ page);
  mapPages(OWN_AT, common, READ_WRITE, MAP_PRIVATE);
  writePages(OWN_AT, common);
  for (let page: u32 = 0; page < common; page++) {
    const expected = page >= number && (page - number) % STEP == 0 ? number ^ page : wordOf(page);
    if (readPage(page) != expected) exit(2);
  }
  if (!pagesIntact(OWN_AT, common)) exit(3);
  exit(0);
}

function manyTimesTheMemory(): void {
  mapPages(0, common, READ_WRITE, MAP_PRIVATE);
  writePages(0, common);
  flush();
  countBegin();
  for (let i: u32 = 0; i < children; i++) {
    const pid = fork();
    assert(pid >= 0, "there is room for a child");
    if (pid == 0) child(i + 1);
    store<i32>(pids + (i << 2), pid);
  }
  for (let i: u32 = 0; i < children; i++) waitSuccess(load<i32>(pids + (i << 2)));
  countEnd();
  assert(pagesIntact(0, common), "the parent's memory is as it was");
  assert(countOf(cstr("swap_outs")) != 0 && countOf(cstr("swap_ins")) != 0, "pages went out and came back");
}

function sharedMemory(): void {
  mapPages(0, common * 2, READ_WRITE, MAP_SHARED);
  writePages(0, common);
  flush();
  const pid = fork();
  if (pid == 0) {
    if (!pagesIntact(0, common)) exit(1);
    writePages(common, common);
    exit(0);
  }
  waitSuccess(pid);
  mapPages(OWN_AT, common * 2, READ_WRITE, MAP_PRIVATE);
  writePages(OWN_AT, common * 2);
  assert(pagesIntact(0, common * 2), "what both wrote to shared memory is there");
  assert(pagesIntact(OWN_AT, common * 2), "and what is private");
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  if (argc > 1 && isNumber(argument(argv, 1))) common = parseDec(argument(argv, 1)) * 256;
  if (argc > 2 && isNumber(argument(argv, 2))) children = parseDec(argument(argv, 2));
  if (!hasSwap()) {
    printf(cstr("1..0 # skipped: there is no swap\n"));
    return 0;
  }
  testBegin(1, argv);
  test(cstr("processes that need several times the memory that there is finish, and are right"), manyTimesTheMemory);
  test(cstr("shared memory is swapped out and comes back"), sharedMemory);
  return testEnd();
}
