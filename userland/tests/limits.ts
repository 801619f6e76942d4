/**
 * As many processes as there is room for. May import lib and support/.
 */
import {
  cstr,
  Errno,
  exit,
  fork,
  kill,
  MAP_PRIVATE,
  malloc,
  Signal,
  same,
  startsWith,
  strstr,
  test,
  testBegin,
  testEnd,
  waitFor,
  waitpid,
  waitSuccess,
} from "../lib/index";
import { auditTables } from "./support/audit";
import { mapPages, pagesIntact, READ_WRITE, writePage, writePages } from "./support/memory";
import { outputOf, programStatus, vectorOf } from "./support/programs";
import { gateMake, gateOpen, gateWait } from "./support/turns";

const MOST: u32 = 8192;
const statusWord: usize = memory.data(4, 4);

function bomb(): void {
  mapPages(0, 64, READ_WRITE, MAP_PRIVATE);
  writePages(0, 64);
  const pids = malloc(MOST * 4);
  gateMake();
  let count: u32 = 0;
  let pid: i32 = 0;
  while (count < MOST) {
    pid = fork();
    if (pid < 0) break;
    if (pid == 0) {
      gateWait();
      exit(0);
    }
    store<i32>(pids + count++ * 4, pid);
  }
  assert(pid == -Errno.EAGAIN || pid == -Errno.ENOMEM, "there is an end to forking, and it is said");
  assert(count > 8, "after some children");
  // Half of them are killed where they are, half may go on.
  for (let i: u32 = 0; i < count; i += 2) {
    assert(kill(load<i32>(pids + i * 4), Signal.SIGKILL) == 0, "each can be killed");
    assert(same(waitFor(load<i32>(pids + i * 4)), Signal.SIGKILL), "and waited for");
  }
  const another = fork();
  if (another == 0) exit(pagesIntact(0, 64) ? 0 : 1);
  waitSuccess(another);
  gateOpen();
  for (let i: u32 = 1; i < count; i += 2) waitSuccess(load<i32>(pids + i * 4));
  assert(same(waitpid(-1, statusWord), -Errno.ECHILD), "none is left over");
  assert(pagesIntact(0, 64), "and memory is as it was");
  auditTables();
}

function shellSurvivesBomb(): void {
  const text = outputOf(
    cstr("/bin/sh"),
    vectorOf(cstr("sh"), cstr("-c"), cstr("forkbomb; echo status $?; echo alive")),
  );
  assert(startsWith(text, cstr("forkbomb: ")), "the bomb says how far it came");
  assert(strstr(text, cstr("status 0\nalive\n")) != 0, "its children are all killed, and the shell goes on");
  assert(same(programStatus, 0), "to the end");
}

/** Children that each write, one after another: the same frames every time. */
function manyChildren(): void {
  mapPages(0, 16, READ_WRITE, MAP_PRIVATE);
  writePages(0, 16);
  for (let i: u32 = 0; i < 100; i++) {
    const pid = fork();
    if (pid == 0) {
      writePage(i % 16, i);
      exit(0);
    }
    if ((i & 7) == 0) writePage(i % 16, i);
    waitSuccess(pid);
  }
  auditTables();
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  testBegin(argc, argv);
  test(cstr("a fork bomb ends in EAGAIN or ENOMEM"), bomb);
  test(cstr("the shell goes on after a fork bomb"), shellSurvivesBomb);
  test(cstr("a hundred children, one after another"), manyChildren);
  return testEnd();
}
