/**
 * vfork: a child in its parent's memory and on its stack, while the parent sleeps. Property 8, the order of the two, signals to the
 * sleeper, and what /proc shows. May import lib and support/.
 */
import {
  CLONE_VFORK,
  clone,
  cstr,
  execve,
  exit,
  fork,
  getpid,
  getppid,
  handle,
  kill,
  MAP_PRIVATE,
  MAP_SHARED,
  munmap,
  pipe,
  read,
  readFile,
  Signal,
  same,
  schedYield,
  strlen,
  strstr,
  test,
  testBegin,
  testEnd,
  vfork,
  WNOHANG,
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
import { gateMake, gateOpen, gateWait } from "./support/turns";

const TEXT_BYTES: i32 = 8192;
const text: usize = memory.data(8192);
const otherText: usize = memory.data(8192);
const emptyVector: usize = memory.data(4, 4);
const ends: usize = memory.data(8, 4);
const statusWord: usize = memory.data(4, 4);

/** What the child leaves for its parent, and a handler for whom it interrupts. */
const left: usize = memory.data(4, 4);
const taken: usize = memory.data(4, 4);
let parentPid: i32 = 0;

/** Lets others run often enough that a parent that did not sleep would have gone on long ago. */
function linger(): void {
  for (let i = 0; i < 20; i++) schedYield();
}

/** Asserts that since countBegin() no table, directory or reverse map was shared, copied or taken. */
function assertNothingCounted(): void {
  countEnd();
  assert(same(countOf(cstr("forks")), 0), "no address space is copied");
  assert(same(countOf(cstr("tables_shared")), 0), "no table gets a user");
  assert(same(countOf(cstr("tables_copied")), 0), "none is copied");
  assert(same(countOf(cstr("tables_unshared")), 0), "none unshared");
  assert(same(countOf(cstr("tables_reclaimed")), 0), "no pde changes");
  assert(same(countOf(cstr("allocated_directory")), 0), "no directory is taken");
  assert(same(countOf(cstr("allocated_table")), 0), "and no table");
}

/** In the child: the parent's tables are the child's, with `argument` users each. */
function lookAtTables(argument: usize): i32 {
  const writable: u32 = argument == 1 ? 1 : 0;
  const sum = tableHere(SLOT).sum;
  assert(tableIs(tableHere(SLOT), argument, writable), "the child's pde is the parent's");
  assert(tableIs(tableOf(getppid(), SLOT), argument, writable), "which is as it was");
  assert(same(tableHere(SLOT).frame, tableOf(getppid(), SLOT).frame), "there is one table");
  assert(same(tableOf(getppid(), SLOT).sum, sum), "as it was");
  assertNothingCounted();
  return 0;
}

function countsStay(): void {
  mapPages(0, 2 * PAGES_A_SLOT, READ_WRITE, MAP_PRIVATE);
  writePages(0, 3);
  writePages(PAGES_A_SLOT, 3);
  // Once before it counts, for the stack pages that it takes.
  countBegin();
  waitpid(
    vfork((_argument: usize): i32 => 0),
    0,
  );
  tableOf(getpid(), SLOT);
  countBegin();
  const pid = vfork(lookAtTables, 1);
  assertNothingCounted();
  waitSuccess(pid);
  assert(tableIs(tableHere(SLOT), 1, 1), "when the child has gone the table is as before");
  assert(pagesIntact(0, 3) && pagesIntact(PAGES_A_SLOT, 3), "with its contents");
}

function countsStayWhileShared(): void {
  mapPages(0, 8, READ_WRITE, MAP_PRIVATE);
  writePages(0, 8);
  gateMake();
  const other = fork();
  if (other == 0) {
    gateWait();
    exit(pagesIntact(0, 8) ? 0 : 1);
  }
  countBegin();
  waitpid(
    vfork((_argument: usize): i32 => 0),
    0,
  );
  tableOf(getpid(), SLOT);
  countBegin();
  if (sharing()) waitSuccess(vfork(lookAtTables, 2));
  assertNothingCounted();
  waitSuccess(
    vfork((_argument: usize): i32 => {
      writePage(5, 50);
      return 0;
    }),
  );
  assert(same(readPage(5), 50), "what the child writes under a shared table is its parent's");
  assert(tableIs(tableHere(SLOT), 1, 1), "which has its own table now");
  assert(same(tableOf(other, SLOT).users, 1), "and the third process the old one");
  gateOpen();
  waitSuccess(other);
}

function parentSleeps(): void {
  store<u32>(left, 0);
  const pid = vfork((_argument: usize): i32 => {
    linger();
    store<u32>(left, 1);
    linger();
    store<u32>(left, load<u32>(left) + 1);
    return 9;
  });
  assert(same(load<u32>(left), 2), "the parent goes on when the child has ended");
  assert(same(waitpid(pid, statusWord, WNOHANG), pid), "and can be waited for at once");
  assert(same(load<u32>(statusWord), 9 << 8), "with its status");
}

function execute(path: usize): i32 {
  store<u32>(left, 1);
  linger();
  store<u32>(left, 2);
  execve(path, vectorOf(path), emptyVector);
  store<u32>(left, 3);
  return 127;
}

function execFreesTheParent(): void {
  mapPages(0, 8, READ_WRITE, MAP_PRIVATE);
  writePages(0, 8);
  store<u32>(left, 0);
  const pid = vfork(execute, cstr("/bin/true"));
  assert(same(load<u32>(left), 2), "the parent goes on when the child executes a program");
  writePage(2, 20);
  waitSuccess(pid);
  assert(same(readPage(2), 20) && pagesIntact(3, 5), "and its memory is its own");
  const sleeper = vfork((_argument: usize): i32 => {
    return execve(cstr("/bin/sleep"), vectorOf(cstr("sleep"), cstr("9")), emptyVector);
  });
  assert(same(waitpid(sleeper, statusWord, WNOHANG), 0), "the parent goes on while the program runs");
  kill(sleeper, Signal.SIGTERM);
  assert(same(wTermSig(waitFor(sleeper)), Signal.SIGTERM), "which is a process of its own");
  assert(same(waitFor(vfork(execute, cstr("/bin/false"))), 1 << 8), "the program's status is the child's");
  assert(same(waitFor(vfork(execute, cstr("/nowhere"))), 127 << 8), "a program that is not there");
  assert(same(load<u32>(left), 3), "leaves the child in its parent's memory");
}

function childDies(): void {
  mapPages(0, 1, READ_WRITE, MAP_PRIVATE);
  const fault = vfork((_argument: usize): i32 => {
    writePage(0, 3);
    store<u32>(0, 1);
    return 0;
  });
  assert(same(wTermSig(waitFor(fault)), Signal.SIGSEGV), "the child dies of its own fault");
  assert(same(readPage(0), 3), "and the parent lives, and sees what it did");
  const killed = vfork((_argument: usize): i32 => {
    kill(getpid(), Signal.SIGKILL);
    return 0;
  });
  assert(same(wTermSig(waitFor(killed)), Signal.SIGKILL), "the child can be killed");
}

function handlerWaits(): void {
  store<u32>(taken, 0);
  handle(Signal.SIGUSR1, (_signal) => {
    store<u32>(taken, load<u32>(left));
  });
  store<u32>(left, 0);
  parentPid = getpid();
  const pid = vfork((_argument: usize): i32 => {
    store<u32>(left, 1);
    kill(parentPid, Signal.SIGUSR1);
    linger();
    assert(same(load<u32>(taken), 0), "the parent's handler does not run on the child's stack");
    store<u32>(left, 2);
    return 0;
  });
  assert(same(load<u32>(taken), 2), "it runs when the child has gone");
  waitSuccess(pid);
}

/** A parent that is killed in vfork: it must not end before its child, which says so in shared memory. */
function killWaits(): void {
  mapPages(0, 1, READ_WRITE, MAP_SHARED);
  const parent = fork();
  if (parent == 0) {
    parentPid = getpid();
    vfork((_argument: usize): i32 => {
      kill(parentPid, Signal.SIGKILL);
      linger();
      readFile(procPath(parentPid, cstr("/status")), text, TEXT_BYTES);
      writePage(0, strstr(text, cstr("S (sleeping)")) != 0 ? getpid() : 1);
      return 0;
    });
    writePage(0, 2);
    exit(0);
  }
  assert(same(wTermSig(waitFor(parent)), Signal.SIGKILL), "the parent is killed");
  assert(readPage(0) > 2, "after its child has ended, and before it goes on");
  waitGone(readPage(0));
}

function nests(): void {
  store<u32>(left, 0);
  const pid = vfork((_argument: usize): i32 => {
    const inner = vfork((_inner: usize): i32 => {
      linger();
      store<u32>(left, 1);
      return 3;
    });
    assert(same(load<u32>(left), 1), "the child sleeps for its child");
    assert(same(waitFor(inner), 3 << 8), "which is its own");
    store<u32>(left, 2);
    return 4;
  });
  assert(same(load<u32>(left), 2), "and the parent for both");
  assert(same(waitFor(pid), 4 << 8), "with the child's status");
}

/** The text of /proc/PID/NAME. */
function textOf(pid: i32, name: usize, buffer: usize): usize {
  assert(readFile(procPath(pid, name), buffer, TEXT_BYTES) >= 0, "the file of a process can be read");
  return buffer;
}

function procShowsBoth(): void {
  mapPages(0, 3, READ_WRITE, MAP_PRIVATE);
  writePages(0, 3);
  const pid = vfork((_argument: usize): i32 => {
    textOf(getpid(), cstr("/maps"), text);
    textOf(getppid(), cstr("/maps"), otherText);
    for (let i = 0; i <= strlen(text); i++)
      assert(load<u8>(text + i) == load<u8>(otherText + i), "one list of mappings");
    assert(strstr(text, cstr("\n60000000-60003000 rw-p")) != 0, "the child's are its parent's");
    const own = strstr(textOf(getpid(), cstr("/status"), text), cstr("VmSize"));
    const parents = strstr(textOf(getppid(), cstr("/status"), otherText), cstr("VmSize"));
    assert(own != 0 && parents != 0, "both have memory");
    for (let i = 0; i <= strlen(own); i++) assert(load<u8>(own + i) == load<u8>(parents + i), "of the same size");
    return 0;
  });
  assert(same(strlen(textOf(pid, cstr("/maps"), text)), 0), "a zombie maps nothing");
  assert(same(strlen(textOf(pid, cstr("/tables"), text)), 0), "and has no tables");
  textOf(pid, cstr("/status"), text);
  assert(strstr(text, cstr("Z (zombie)")) != 0, "it is called one");
  assert(strstr(text, cstr("VmSize")) == 0, "and has no size");
  assert(strstr(textOf(0, cstr("/maps"), text), cstr("\n60000000-60003000 rw-p")) != 0, "its parent still maps all");
  waitSuccess(pid);
}

/** CLONE_VFORK without CLONE_VM: the parent waits for a child with memory of its own. */
function waitsForFork(): void {
  mapPages(0, 1, READ_WRITE, MAP_SHARED);
  mapPages(1, 1, READ_WRITE, MAP_PRIVATE);
  writePages(0, 2);
  const pid = clone(CLONE_VFORK | Signal.SIGCHLD, pageAt(2), (_argument: usize): i32 => {
    linger();
    writePage(0, 5);
    store<u32>(pageAt(1), 6);
    return 0;
  });
  assert(same(readPage(0), 5), "the parent waits for the child");
  assert(same(readPage(1), wordOf(1)), "which has memory of its own");
  waitSuccess(pid);
}

/** What the child unmaps is gone for its parent, and a pipe that only it closes is not closed. */
function childEdits(): void {
  mapPages(0, 2, READ_WRITE, MAP_PRIVATE);
  writePages(0, 2);
  assert(pipe(ends) == 0, "there is a pipe");
  waitSuccess(
    vfork((_argument: usize): i32 => {
      assert(same(munmap(pageAt(1), PAGE), 0), "the child unmaps a page");
      write(load<i32>(ends + 4), pageAt(0), 1);
      return 0;
    }),
  );
  assert(write(load<i32>(ends + 4), pageAt(1), 1) < 0, "it is the parent's page too");
  assert(same(read(load<i32>(ends), statusWord, 1), 1), "and the parent's descriptors are open");
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  testBegin(argc, argv);
  test(cstr("P8 vfork touches no count"), countsStay);
  test(cstr("P8 vfork touches no count while a third process shares the tables"), countsStayWhileShared);
  test(cstr("vfork sleeps until the child ends"), parentSleeps);
  test(cstr("P32 vfork sleeps until the child executes a program"), execFreesTheParent);
  test(cstr("vfork outlives a child that dies"), childDies);
  test(cstr("vfork holds back its caller's handlers"), handlerWaits);
  test(cstr("vfork holds back a signal that kills"), killWaits);
  test(cstr("vfork nests"), nests);
  test(cstr("vfork without CLONE_VM waits for a fork"), waitsForFork);
  test(cstr("P25 vfork edits one list of mappings"), childEdits);
  test(cstr("procfs shows parent and child of vfork alike, and nothing of a zombie"), procShowsBoth);
  return testEnd();
}
