/**
 * What clone's flags say besides CLONE_VM: what parent and child have in common, how the child is waited for, where pids go; and what
 * is refused. May import lib and support/.
 */
import {
  CLONE_CHILD_CLEARTID,
  CLONE_CHILD_SETTID,
  CLONE_FILES,
  CLONE_FS,
  CLONE_PARENT_SETTID,
  CLONE_SIGHAND,
  CLONE_VFORK,
  CLONE_VM,
  chdir,
  clone,
  close,
  cstr,
  Errno,
  execve,
  exit,
  fork,
  getcwd,
  getpid,
  getppid,
  handle,
  ignoreSignal,
  kill,
  MAP_PRIVATE,
  MAP_SHARED,
  O_CLOEXEC,
  O_RDONLY,
  open,
  pipe,
  read,
  Signal,
  same,
  schedYield,
  test,
  testBegin,
  testEnd,
  WALL,
  WCLONE,
  WNOHANG,
  waitFor,
  waitGone,
  waitpid,
  waitSuccess,
  write,
  wTermSig,
} from "../lib/index";
import {
  mapPages,
  PAGES_A_SLOT,
  pageAt,
  pagesIntact,
  READ_WRITE,
  readPage,
  writePage,
  writePages,
} from "./support/memory";
import { sameText, vectorOf } from "./support/programs";
import { awaitTurn, passTurn, setTurn, startTask } from "./support/tasks";

const PATH_BYTES: i32 = 64;
const emptyVector: usize = memory.data(4, 4);
const statusWord: usize = memory.data(4, 4);
const ends: usize = memory.data(8, 4);
const byte: usize = memory.data(4, 4);
const path: usize = memory.data(64);
/** What tasks leave for each other. */
const left: usize = memory.data(4, 4);
const tids: usize = memory.data(4, 4);

/** Step 1: has opened a descriptor. Step 3: reads from one that is closed while it sleeps. */
function useFiles(_argument: usize): i32 {
  store<i32>(left, open(cstr("/proc/vmstat"), O_RDONLY));
  passTurn(1);
  const end = load<i32>(ends);
  setTurn(3);
  assert(same(read(end, byte, 1), 1) && same(load<u8>(byte), 42), "what one reads from stays open for it");
  assert(same(read(end, byte, 1), -Errno.EBADF), "and is closed then");
  return 0;
}

function filesAreOne(): void {
  assert(pipe(ends) == 0, "there is a pipe");
  setTurn(0);
  const task = startTask(useFiles, 0, CLONE_FILES);
  awaitTurn(1);
  assert(same(read(load<i32>(left), byte, 1), 1), "what one opens the other has open");
  assert(same(close(load<i32>(left)), 0), "and can close");
  passTurn(2);
  // The task reads when it sleeps: it has had its turns.
  for (let i = 0; i < 10; i++) schedYield();
  close(load<i32>(ends));
  store<u8>(byte, 42);
  assert(same(write(load<i32>(ends + 4), byte, 1), 1), "the pipe has a reader still");
  waitSuccess(task);
  assert(same(write(load<i32>(ends + 4), byte, 0), 0), "what a task leaves open stays open for the others");
  waitSuccess(startTask((_argument: usize): i32 => close(load<i32>(ends + 4)), 0, CLONE_FILES));
  assert(same(write(load<i32>(ends + 4), byte, 0), -Errno.EBADF), "what it closes does not");
}

/** A program is executed by a task that shares descriptors. */
function execTakesFiles(): void {
  const kept = open(cstr("/proc/vmstat"), O_RDONLY | O_CLOEXEC);
  const program = startTask(
    (_argument: usize): i32 => execve(cstr("/bin/true"), vectorOf(cstr("true")), emptyVector),
    0,
    CLONE_FILES | CLONE_FS | CLONE_SIGHAND,
  );
  waitSuccess(program);
  assert(same(read(kept, byte, 1), 1), "exec closes only its own task's descriptors");
  // The last one that shares them may execute a program as well.
  const host = fork();
  if (host == 0) {
    waitSuccess(startTask((_argument: usize): i32 => 0, 0, CLONE_FILES | CLONE_FS | CLONE_SIGHAND));
    execve(cstr("/bin/true"), vectorOf(cstr("true")), emptyVector);
  }
  waitSuccess(host);
  close(kept);
}

/** A process whose first task ends before the second: the pipe that both have open is closed with the second. */
function lastOneCloses(): void {
  assert(pipe(ends) == 0, "there is a pipe");
  const host = fork();
  if (host == 0) {
    close(load<i32>(ends));
    store<i32>(left, getpid());
    startTask(
      (_argument: usize): i32 => {
        waitGone(load<i32>(left));
        store<i32>(byte, getpid());
        return write(load<i32>(ends + 4), byte, 4) == 4 ? 0 : 1;
      },
      0,
      CLONE_FILES | CLONE_FS | CLONE_SIGHAND,
    );
    exit(0);
  }
  close(load<i32>(ends + 4));
  waitSuccess(host);
  assert(same(read(load<i32>(ends), byte, 4), 4), "the second task writes after the first has gone");
  assert(same(read(load<i32>(ends), left, 4), 0), "and there is no writer when both have");
  waitGone(load<i32>(byte));
}

function directoryIsOne(): void {
  waitSuccess(startTask((_argument: usize): i32 => chdir(cstr("/bin")), 0, CLONE_FS));
  assert(getcwd(path, PATH_BYTES) > 0 && sameText(path, cstr("/bin")), "where one goes the other is");
  waitSuccess(startTask((_argument: usize): i32 => chdir(cstr("/tests"))));
  assert(getcwd(path, PATH_BYTES) > 0 && sameText(path, cstr("/bin")), "without CLONE_FS each has its own place");
  const child = fork();
  if (child == 0) exit(chdir(cstr("/")));
  waitSuccess(child);
  assert(getcwd(path, PATH_BYTES) > 0 && sameText(path, cstr("/bin")), "so has a child by fork of one that shares it");
}

/** Step 1: catches SIGUSR1. */
function catchSignal(_argument: usize): i32 {
  handle(Signal.SIGUSR1, (_signal) => {
    store<i32>(left, getpid());
  });
  passTurn(1);
  return 0;
}

/** Status of a process whose other task, with these flags, catches SIGUSR1, and that sends it to itself then. */
function statusOfSignal(flags: u32): u32 {
  const host = fork();
  if (host == 0) {
    setTurn(0);
    const task = startTask(catchSignal, 0, flags);
    awaitTurn(1);
    setTurn(2);
    kill(getpid(), Signal.SIGUSR1);
    assert(same(load<i32>(left), getpid()), "the handler runs in the task that the signal was sent to");
    waitSuccess(task);
    exit(0);
  }
  return waitFor(host);
}

function actionsAreOne(): void {
  assert(same(statusOfSignal(CLONE_SIGHAND), 0), "what one task catches the other catches");
  assert(same(wTermSig(statusOfSignal(0)), Signal.SIGUSR1), "without CLONE_SIGHAND each has its own actions");
  setTurn(0);
  const task = startTask(catchSignal, 0, CLONE_SIGHAND);
  awaitTurn(1);
  ignoreSignal(Signal.SIGUSR1);
  kill(task, Signal.SIGUSR1);
  store<i32>(left, 0);
  setTurn(2);
  waitSuccess(task);
  assert(same(load<i32>(left), 0), "what one ignores the other does");
  handle(Signal.SIGUSR1, (_signal) => {
    store<i32>(left, getpid());
  });
  const program = startTask(
    (_argument: usize): i32 => execve(cstr("/bin/true"), vectorOf(cstr("true")), emptyVector),
    0,
    CLONE_SIGHAND,
  );
  waitSuccess(program);
  kill(getpid(), Signal.SIGUSR1);
  assert(same(load<i32>(left), getpid()), "exec resets the actions of its own task only");
}

let childSignals: u32 = 0;

function waitsForClones(): void {
  handle(Signal.SIGCHLD, (_signal) => {
    childSignals++;
  });
  mapPages(0, 4, READ_WRITE, MAP_PRIVATE);
  const task = clone(CLONE_VM, pageAt(4), (argument: usize): i32 => argument, 3);
  while (waitpid(task, statusWord, WCLONE | WNOHANG) == 0) schedYield();
  assert(same(load<u32>(statusWord), 3 << 8), "a child without a signal is waited for with WCLONE");
  assert(same(waitpid(task, 0, WALL), -Errno.ECHILD), "once");
  const other = clone(CLONE_VM, pageAt(4), (argument: usize): i32 => argument, 4);
  assert(same(waitpid(-1, 0), -Errno.ECHILD), "without it there is none");
  assert(same(waitpid(-1, statusWord, WALL), other), "WALL waits for any");
  assert(same(load<u32>(statusWord), 4 << 8), "with its status");
  assert(same(childSignals, 0), "and no SIGCHLD comes");
  const usual = startTask((_argument: usize): i32 => 0);
  assert(same(waitpid(-1, 0, WCLONE), -Errno.ECHILD), "a child with SIGCHLD is none for WCLONE");
  assert(same(waitpid(-1, 0, WALL), usual) && same(childSignals, 1), "but for WALL");
  assert(same(waitpid(-1, 0, 0x100), -Errno.EINVAL), "other options are none");
}

function clonesBecomeUsual(): void {
  mapPages(0, 4, READ_WRITE, MAP_PRIVATE);
  mapPages(PAGES_A_SLOT, 1, READ_WRITE, MAP_SHARED);
  const host = fork();
  if (host == 0) {
    handle(Signal.SIGCHLD, (_signal) => {
      childSignals++;
    });
    const program = clone(
      CLONE_VM,
      pageAt(4),
      (_argument: usize): i32 => execve(cstr("/bin/true"), vectorOf(cstr("true")), emptyVector),
    );
    while (childSignals == 0) schedYield();
    assert(same(waitpid(program, statusWord, WCLONE), -Errno.ECHILD), "a program sends SIGCHLD at its end");
    assert(same(waitpid(program, statusWord), program), "and is waited for like any");
    const orphan = clone(CLONE_VM, pageAt(4), (_argument: usize): i32 => {
      while (getppid() != 1) schedYield();
      return 0;
    });
    writePage(PAGES_A_SLOT, orphan);
    exit(0);
  }
  waitSuccess(host);
  waitGone(readPage(PAGES_A_SLOT));
}

function tellsPids(): void {
  mapPages(0, 4, READ_WRITE, MAP_PRIVATE);
  store<u32>(tids, 0);
  const flags = CLONE_VM | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | Signal.SIGCHLD;
  const task = clone(flags, pageAt(4), (_argument: usize): i32 => (load<i32>(tids) == getpid() ? 0 : 1), 0, tids);
  waitSuccess(task);
  assert(same(load<u32>(tids), 0), "the word is cleared when the task leaves the memory");
  const whole = clone(
    CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | Signal.SIGCHLD,
    pageAt(4),
    (_argument: usize): i32 => (load<i32>(tids) == getpid() ? 0 : 1),
    0,
    tids,
  );
  waitSuccess(whole);
  assert(same(load<u32>(tids), 0), "a child with memory of its own has its pid there, and its parent has not");
  const executing = clone(
    CLONE_VM | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | Signal.SIGCHLD,
    pageAt(4),
    (_argument: usize): i32 => {
      store<u32>(left, load<u32>(tids));
      return execve(cstr("/bin/true"), vectorOf(cstr("true")), emptyVector);
    },
    0,
    tids,
  );
  waitSuccess(executing);
  assert(same(load<u32>(left), executing), "the child's pid is in the memory of both");
  assert(same(load<u32>(tids), 0), "until it executes a program");
  const nowhere = clone(flags, pageAt(4), (_argument: usize): i32 => 0, 0, 0xc0000000);
  assert(same(nowhere, -Errno.EFAULT), "a pid that cannot be told");
}

function refusesFlags(): void {
  const end = pageAt(1);
  mapPages(0, 1, READ_WRITE, MAP_PRIVATE);
  for (let bit: u32 = 9; bit < 32; bit++) {
    const flag: u32 = 1 << bit;
    const known = CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID | CLONE_VFORK;
    if ((flag & (known | CLONE_FILES | CLONE_FS | CLONE_SIGHAND)) != 0) continue;
    const result = clone(CLONE_VM | flag | Signal.SIGCHLD, end, (_argument: usize): i32 => 0);
    assert(same(result, -Errno.EINVAL), "a flag that is not honoured is refused");
  }
  const result = clone(CLONE_VM | Signal.SIGUSR1, end, (_argument: usize): i32 => 0);
  assert(same(result, -Errno.EINVAL), "so is a signal other than SIGCHLD");
  const handlers = clone(CLONE_SIGHAND | Signal.SIGCHLD, end, (_argument: usize): i32 => 0);
  assert(same(handlers, -Errno.EINVAL), "so are handlers without the memory that they lie in");
  assert(same(waitpid(-1, 0, WALL), -Errno.ECHILD), "and there is no child");
}

function cloneForks(): void {
  mapPages(0, 4, READ_WRITE, MAP_PRIVATE);
  writePages(0, 4);
  const pid = clone(
    Signal.SIGCHLD,
    pageAt(4),
    (argument: usize): i32 => {
      assert(pagesIntact(0, 2), "the child has its parent's memory");
      writePage(1, 2);
      return argument;
    },
    21,
  );
  assert(same(waitFor(pid), 21 << 8), "without CLONE_VM clone is fork, on another stack");
  assert(pagesIntact(0, 4), "in memory of its own");
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  testBegin(argc, argv);
  test(cstr("clone shares descriptors with CLONE_FILES"), filesAreOne);
  test(cstr("clone shares descriptors until one task executes a program"), execTakesFiles);
  test(cstr("clone shares descriptors until the last task ends"), lastOneCloses);
  test(cstr("clone shares the working directory with CLONE_FS"), directoryIsOne);
  test(cstr("clone shares the actions of signals with CLONE_SIGHAND"), actionsAreOne);
  test(cstr("clone without SIGCHLD is waited for with WCLONE or WALL"), waitsForClones);
  test(cstr("clone without SIGCHLD ends after exec and with pid 1 for a parent like any child"), clonesBecomeUsual);
  test(cstr("clone tells pids where the flags say"), tellsPids);
  test(cstr("clone refuses what it cannot honour"), refusesFlags);
  test(cstr("clone without CLONE_VM is fork"), cloneForks);
  return testEnd();
}
