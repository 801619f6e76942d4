/**
 * forktouch TABLES FILLED ROUNDS IDLE [PAGES...]: what it costs to fork and then write to k pages of the n = TABLES x FILLED that
 * were there: FILLED in each of TABLES page tables. For each k in PAGES (1 to n by doubling unless told) parent and child do it in
 * order, at random (seeded: each page once, if n is a power of two) and spread (one page in each table, then the next in each): on
 * memory of its own, ROUNDS forks one after another; nobody writes in each IDLE-th of them, if IDLE is not 0. A line says what
 * a region's tag measured:
 *
 *     forktouch 12: child random 64 round 1
 *
 * The region goes from the parent's fork to the return of its wait, so that it holds fork, faults and exit. The exit status is 0
 * only if every child ended well and parent and child saw their own writes only. May import lib.
 */
import {
  argument,
  close,
  cstr,
  exit,
  flush,
  fork,
  isError,
  isNumber,
  MAP_PRIVATE,
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
  waitpid,
  write,
} from "../lib/index";

const PAGE: usize = 4096;
const PAGES_A_TABLE: u32 = 1024;
/** The beginning of a 4 MB slot. */
const PLACE: usize = 0x60000000;
const ORDERS: u32 = 3;
const statusWord: usize = memory.data(4, 4);
const token: usize = memory.data(4, 4);
/** Pipe ends: parent to child. */
const turn: usize = memory.data(8, 4);

let pages: u32 = 0;
let tables: u32 = 0;
let filled: u32 = 0;
let rounds: u32 = 0;
let idle: u32 = 0;
let line: u32 = 0;

/** Address of the page that comes at `step` in one of the orders. */
function placeOf(order: u32, step: u32): usize {
  if (order == 2) return PLACE + ((step % tables) * PAGES_A_TABLE + step / tables) * PAGE;
  // A multiplier that is odd visits each number below a power of two once.
  const page = order == 0 ? step : (step * 0x9e3779b1 + 0x7f4a7c15) % pages;
  return PLACE + ((page / filled) * PAGES_A_TABLE + (page % filled)) * PAGE;
}

/** Writes to `count` pages. */
function touch(order: u32, count: u32, value: u32): void {
  for (let step: u32 = 0; step < count; step++) store<u32>(placeOf(order, step), value);
}

/** Whether the first word of every page is `value`. */
function allAre(value: u32): bool {
  for (let step: u32 = 0; step < pages; step++) if (load<u32>(placeOf(0, step)) != value) return false;
  return true;
}

function orderName(order: u32): usize {
  if (order == 0) return cstr("in-order");
  return order == 1 ? cstr("random") : cstr("spread");
}

/** One fork. Whether all was right. */
function round(order: u32, byChild: bool, count: u32): bool {
  pipe(turn);
  regionBegin(Region.Touch, line);
  const pid = fork();
  if (pid == 0) {
    if (byChild) touch(order, count, 2);
    // Until the parent has done its part: a child that is gone is no reason to copy anything.
    else read(argument(turn, 0), token, 1);
    exit(0);
  }
  if (!byChild) {
    touch(order, count, 1);
    write(argument(turn, 1), token, 1);
  }
  const right = pid > 0 && waitpid(pid, statusWord) == pid && load<u32>(statusWord) == 0;
  regionEnd(Region.Touch, line);
  close(argument(turn, 0));
  close(argument(turn, 1));
  return right && allAre(1);
}

/** All rounds of one k, order and writer. */
function measure(order: u32, byChild: bool, count: u32): bool {
  const bytes = tables * PAGES_A_TABLE * PAGE;
  const start = mmapAnonymous(PLACE, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  if (isError(start) || start != PLACE) return false;
  touch(0, pages, 1);
  for (let i: u32 = 1; i <= rounds; i++) {
    const who = byChild ? cstr("child") : cstr("parent");
    printf(cstr("forktouch %u: %s %s %u round %u\n"), line, who, orderName(order), count, i);
    flush();
    const written = idle != 0 && i % idle == 0 ? 0 : count;
    if (!round(order, byChild, written)) return false;
    line++;
  }
  munmap(start, bytes);
  return true;
}

/** One k. */
function measureAll(count: u32): bool {
  for (let order: u32 = 0; order < ORDERS; order++) {
    if (!measure(order, false, count) || !measure(order, true, count)) return false;
  }
  return true;
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  let usable = argc > 4;
  for (let i = 1; i < argc; i++) usable = usable && isNumber(argument(argv, i));
  if (usable) {
    tables = parseDec(argument(argv, 1));
    filled = parseDec(argument(argv, 2));
    rounds = parseDec(argument(argv, 3));
    idle = parseDec(argument(argv, 4));
    pages = tables * filled;
  }
  if (!usable || pages == 0 || filled > PAGES_A_TABLE || rounds == 0) {
    printLine(cstr("usage: forktouch TABLES FILLED ROUNDS IDLE [PAGES...]"));
    return 1;
  }
  let right = true;
  for (let i = 5; i < argc; i++) right = right && measureAll(min<u32>(parseDec(argument(argv, i)), pages));
  if (argc == 5) for (let count: u32 = 1; count <= pages; count *= 2) right = right && measureAll(count);
  if (!right) printf(cstr("forktouch: FAILED at line %u\n"), line);
  return right ? 0 : 1;
}
