/**
 * clone(CLONE_VM): several tasks in one address space. Property 8; what one does to memory the others see at once; fork by one of them
 * and unsharing by one of them; each ends alone. May import lib and support/.
 */
import {
  brk,
  cstr,
  Errno,
  execve,
  exit,
  fork,
  getpid,
  getppid,
  kill,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  mmapAnonymous,
  mprotect,
  munmap,
  PROT_READ,
  pipe,
  readFile,
  Signal,
  same,
  schedYield,
  strlen,
  strstr,
  test,
  testBegin,
  testEnd,
  waitFor,
  waitGone,
  waitpid,
  waitSuccess,
  write,
  wTermSig,
} from "../lib/index";
import { countBegin, countEnd, countOf } from "./support/counts";
import {
  mapPages,
  PAGE,
  PAGES_A_SLOT,
  pageAt,
  pagesIntact,
  READ_WRITE,
  readPage,
  SLOT,
  sharing,
  wordOf,
  writePage,
  writePages,
} from "./support/memory";
import { vectorOf } from "./support/programs";
import { procPath, tableHere, tableIs, tableOf } from "./support/tables";
import { awaitTurn, isTurn, passTurn, setTurn, startTask } from "./support/tasks";
import { gateMake, gateOpen, gateWait } from "./support/turns";

const TEXT_BYTES: i32 = 8192;
const text: usize = memory.data(8192);
const otherText: usize = memory.data(8192);
const emptyVector: usize = memory.data(4, 4);
const ends: usize = memory.data(8, 4);
const statusWord: usize = memory.data(4, 4);
/** What tasks leave for each other. */
const left: usize = memory.data(4, 4);

/** A task that lives until step 1 is over. */
function stay(_argument: usize): i32 {
  passTurn(1);
  return 0;
}

function countsStay(): void {
  mapPages(0, 2 * PAGES_A_SLOT, READ_WRITE, MAP_PRIVATE);
  writePages(0, 3);
  writePages(PAGES_A_SLOT, 3);
  // Once before it counts, for the pages that tasks and looking take.
  const first = startTask(stay);
  awaitTurn(1);
  setTurn(2);
  waitSuccess(first);
  tableOf(getpid(), SLOT);
  const sum = tableHere(SLOT).sum;
  countBegin();
  const pid = startTask(stay);
  awaitTurn(1);
  countEnd();
  assert(tableIs(tableOf(pid, SLOT), 1, 1), "the table has one user, a directory, and may be written under");
  assert(tableIs(tableHere(SLOT), 1, 1), "in both tasks");
  assert(same(tableOf(pid, SLOT).frame, tableHere(SLOT).frame), "it is the same table");
  assert(same(tableHere(SLOT).sum, sum), "as it was");
  setTurn(2);
  waitSuccess(pid);
  assert(tableIs(tableHere(SLOT), 1, 1) && pagesIntact(0, 3), "when one has left it is the other's still");
  assert(same(countOf(cstr("forks")), 0), "no address space was copied");
  assert(same(countOf(cstr("tables_shared")), 0), "no table got a user");
  assert(same(countOf(cstr("tables_copied")) + countOf(cstr("tables_unshared")), 0), "none was copied");
  assert(same(countOf(cstr("tables_reclaimed")), 0), "no pde changed");
  assert(same(countOf(cstr("allocated_directory")), 0), "and no directory was taken");
}

/** Step 1: looks at what the parent wrote, writes. Step 3: maps anew what both have in their TLBs. Step 5: unmaps. */
function editMemory(_argument: usize): i32 {
  assert(same(readPage(0), wordOf(0)), "a task sees what was there");
  writePage(1, 11);
  passTurn(1);
  assert(mmapAnonymous(pageAt(0), PAGE, READ_WRITE, MAP_PRIVATE | MAP_FIXED) == pageAt(0), "it maps over a page");
  writePage(0, 77);
  const heap = brk(0);
  store<usize>(left, heap);
  assert(brk(heap + PAGE) == heap + PAGE, "it extends the heap");
  store<u32>(heap, 5);
  passTurn(3);
  assert(same(munmap(pageAt(2), PAGE), 0), "it unmaps a page");
  assert(same(mprotect(pageAt(3), PAGE, PROT_READ), 0), "and protects one");
  return 0;
}

/** A task that writes where it may not, after a write that is seen. */
function writeProtected(page: usize): i32 {
  writePage(1, 12);
  writePage(page, 1);
  return 0;
}

function editsAreSeen(): void {
  mapPages(0, 4, READ_WRITE, MAP_PRIVATE);
  writePages(0, 4);
  const end = brk(0);
  assert(pipe(ends) == 0, "there is a pipe");
  setTurn(0);
  const pid = startTask(editMemory);
  awaitTurn(1);
  assert(same(readPage(1), 11), "a write is seen");
  assert(same(readPage(0), wordOf(0)), "before the edit");
  passTurn(2);
  assert(same(readPage(0), 77), "what is mapped over a page is seen, not the page in the TLB");
  assert(same(load<u32>(end), 5), "so is what is on the new heap");
  assert(brk(0) == end + PAGE, "which is everybody's");
  writePage(2, 1);
  writePage(3, 1);
  setTurn(4);
  waitSuccess(pid);
  assert(same(write(load<i32>(ends + 4), pageAt(2), 1), -Errno.EFAULT), "what one unmaps the other has no more");
  assert(same(readPage(3), 1), "what one protects the other reads");
  assert(same(wTermSig(waitFor(startTask(writeProtected, 3))), Signal.SIGSEGV), "and nobody writes");
  assert(same(readPage(1), 12) && same(readPage(3), 1), "who tries dies alone");
  brk(end);
}

/** Step 1: has written page 0, so that the translation is there. Step 3: writes pages 0 and 1. */
function writeAroundFork(_argument: usize): i32 {
  writePage(0, 1);
  passTurn(1);
  writePage(0, 2);
  writePage(1, 2);
  passTurn(3);
  return same(readPage(2), 30) ? 0 : 1;
}

function siblingsWriteAfterFork(): void {
  mapPages(0, 4, READ_WRITE, MAP_PRIVATE);
  writePages(0, 4);
  setTurn(0);
  const task = startTask(writeAroundFork);
  awaitTurn(1);
  writePage(0, 9);
  gateMake();
  const child = fork();
  if (child == 0) {
    gateWait();
    assert(same(readPage(0), 9), "the child has the page as it was at fork");
    assert(pagesIntact(1, 3), "and does not see what its parent's other task wrote later");
    writePage(3, 40);
    exit(0);
  }
  if (sharing())
    assert(tableIs(tableOf(task, SLOT), 2, 0), "fork takes W from the pde of all tasks of an address space");
  const unshared = tableHere(SLOT).frame;
  passTurn(2);
  assert(same(readPage(0), 2) && same(readPage(1), 2), "the forking task sees its sibling's writes");
  if (sharing()) {
    assert(tableIs(tableHere(SLOT), 1, 1), "which have unshared the table, for both");
    assert(tableHere(SLOT).frame != unshared, "with a table of their own");
    assert(same(tableOf(task, SLOT).frame, tableHere(SLOT).frame), "that is the same");
    assert(tableIs(tableOf(child, SLOT), 1, 0), "and left the child the old one");
  }
  gateOpen();
  waitSuccess(child);
  assert(same(readPage(3), wordOf(3)), "what the child writes neither of the two sees");
  writePage(2, 30);
  setTurn(4);
  waitSuccess(task);
}

/** Forks a child that waits at the gate, then writes page 0 and looks at its parent's other pages. */
function forkByTask(_argument: usize): i32 {
  store<u32>(left, getpid());
  const child = fork();
  if (child == 0) {
    gateWait();
    assert(same(readPage(0), wordOf(0)), "the child has the page as it was at fork");
    writePage(1, 100);
    exit(same(getppid(), load<u32>(left)) ? 0 : 1);
  }
  passTurn(1);
  // The gate has an end in each task.
  gateOpen();
  return waitpid(child, statusWord) == child && load<u32>(statusWord) == 0 ? 0 : 1;
}

function taskForks(): void {
  mapPages(0, 4, READ_WRITE, MAP_PRIVATE);
  writePages(0, 4);
  gateMake();
  setTurn(0);
  const task = startTask(forkByTask);
  while (!isTurn(1)) {
    // The translation of this page lets write whenever the task forks.
    writePage(0, wordOf(0));
    schedYield();
  }
  if (sharing()) assert(tableIs(tableHere(SLOT), 2, 0), "fork by one task takes W from all");
  writePage(0, 5);
  setTurn(2);
  gateOpen();
  waitSuccess(task);
  assert(same(readPage(1), wordOf(1)), "what the child writes its parent's sibling does not see");
  assert(same(readPage(0), 5), "which keeps its own");
}

function unsharesOnce(): void {
  mapPages(0, 8, READ_WRITE, MAP_PRIVATE);
  writePages(0, 8);
  gateMake();
  const third = fork();
  if (third == 0) {
    gateWait();
    exit(pagesIntact(0, 8) ? 0 : 1);
  }
  // Once before it counts.
  waitSuccess(startTask((_argument: usize): i32 => 0));
  countBegin();
  const task = startTask((_argument: usize): i32 => {
    writePage(3, 33);
    return 0;
  });
  waitSuccess(task);
  writePage(4, 44);
  countEnd();
  if (sharing())
    assert(same(countOf(cstr("tables_unshared")), 1), "one write under the table unshares it for both tasks");
  assert(same(readPage(3), 33), "and both see it");
  assert(tableIs(tableHere(SLOT), 1, 1), "the table is theirs");
  if (sharing()) assert(tableIs(tableOf(third, SLOT), 1, 0), "and the third process has the old one");
  gateOpen();
  waitSuccess(third);
}

/** Step 1 is over when the process that began it has gone; says in shared memory that its own is there. */
function outlive(page: usize): i32 {
  awaitTurn(1);
  waitGone(load<i32>(left));
  writePage(PAGES_A_SLOT, pagesIntact(page, 8) ? getpid() : 1);
  return 0;
}

/** A process with two tasks, of which the first executes a program, exits or dies while the other goes on. */
function firstLeaves(way: i32): u32 {
  mapPages(PAGES_A_SLOT, 1, READ_WRITE, MAP_SHARED);
  const host = fork();
  if (host == 0) {
    mapPages(0, 8, READ_WRITE, MAP_PRIVATE);
    writePages(0, 8);
    store<i32>(left, getpid());
    setTurn(0);
    startTask(outlive);
    schedYield();
    setTurn(1);
    if (way == 0) execve(cstr("/bin/true"), vectorOf(cstr("true")), emptyVector);
    if (way == 1) exit(0);
    if (way == 2) store<u32>(0, 0);
    exit(1);
  }
  const status = waitFor(host);
  while (readPage(PAGES_A_SLOT) == 0) schedYield();
  assert(readPage(PAGES_A_SLOT) != 1, "the other task's memory is as it was");
  waitGone(readPage(PAGES_A_SLOT));
  return status;
}

function execLeavesOthers(): void {
  assert(same(firstLeaves(0), 0), "the program runs");
  mapPages(0, 8, READ_WRITE, MAP_PRIVATE);
  writePages(0, 8);
  const task = startTask((_argument: usize): i32 => {
    writePage(1, 3);
    execve(cstr("/bin/false"), vectorOf(cstr("false")), emptyVector);
    return 0;
  });
  assert(same(waitFor(task), 1 << 8), "a task can execute a program");
  assert(same(readPage(1), 3) && pagesIntact(2, 6), "and the memory that it leaves is its parent's still");
}

function exitLeavesOthers(): void {
  assert(same(firstLeaves(1), 0), "the process ends");
}

function deathLeavesOthers(): void {
  assert(same(wTermSig(firstLeaves(2)), Signal.SIGSEGV), "the process dies");
  setTurn(0);
  const task = startTask(stay);
  awaitTurn(1);
  kill(task, Signal.SIGKILL);
  assert(same(wTermSig(waitFor(task)), Signal.SIGKILL), "a task is killed alone");
  writePage(PAGES_A_SLOT, 4);
}

function growsStack(): void {
  const here = memory.data(4, 4);
  // A place far below this task's stack pointer, in the mapping that grows.
  const place = 0xc0000000 - 0x60000;
  store<usize>(here, place);
  readFile(procPath(0, cstr("/maps")), text, TEXT_BYTES);
  assert(strstr(text, cstr("bffa0000-c0000000")) == 0, "the stack is smaller");
  waitSuccess(
    startTask((address: usize): i32 => {
      store<u32>(address, 7);
      return 0;
    }, place),
  );
  assert(same(load<u32>(load<usize>(here)), 7), "a task makes another's stack grow");
  readFile(procPath(0, cstr("/maps")), text, TEXT_BYTES);
  assert(strstr(text, cstr("bffa0000-c0000000")) != 0, "which is one mapping");
}

function procShowsBoth(): void {
  mapPages(0, 3, READ_WRITE, MAP_PRIVATE);
  setTurn(0);
  const pid = startTask(stay);
  awaitTurn(1);
  writePages(0, 3);
  for (let i = 0; i < 2; i++) {
    const name = i == 0 ? cstr("/maps") : cstr("/status");
    readFile(procPath(0, name), text, TEXT_BYTES);
    readFile(procPath(pid, name), otherText, TEXT_BYTES);
    const own = i == 0 ? text : strstr(text, cstr("VmSize"));
    const others = i == 0 ? otherText : strstr(otherText, cstr("VmSize"));
    assert(own != 0 && strlen(own) > 40, "there is something to tell");
    for (let at = 0; at <= strlen(own); at++) assert(load<u8>(own + at) == load<u8>(others + at), "of both the same");
  }
  setTurn(2);
  waitSuccess(pid);
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  testBegin(argc, argv);
  test(cstr("P8 clone(CLONE_VM) touches no count"), countsStay);
  test(cstr("P44 what one task of an address space maps, unmaps and protects the others find so"), editsAreSeen);
  test(
    cstr("P3 a child by fork sees no later write of its parent's sibling, nor it the child's"),
    siblingsWriteAfterFork,
  );
  test(cstr("P2 fork by one of several tasks protects the memory of all"), taskForks);
  test(cstr("P9 a write of one task unshares the table for all of its address space"), unsharesOnce);
  test(cstr("P32 exec by one task leaves the others their memory"), execLeavesOthers);
  test(cstr("P27 exit of one task leaves the others their memory"), exitLeavesOthers);
  test(cstr("P27 a signal that kills one task leaves the others"), deathLeavesOthers);
  test(cstr("P26 one task makes the other's stack grow"), growsStack);
  test(cstr("P54 /proc shows all tasks of an address space alike"), procShowsBoth);
  return testEnd();
}
