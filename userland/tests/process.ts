/**
 * Processes as Unix has them: wait statuses, exec, signals, orphans, scheduling. Nothing here depends on how fork shares memory.
 * May import lib and support/.
 */
import {
  close,
  cstr,
  Errno,
  execve,
  exit,
  fork,
  getpid,
  getppid,
  kill,
  lseek,
  nanosleep,
  O_CLOEXEC,
  O_CREAT,
  O_RDONLY,
  O_RDWR,
  OldSigaction,
  open,
  pipe,
  read,
  SEEK_CUR,
  SIG_DFL,
  SIG_IGN,
  Signal,
  same,
  schedYield,
  sigaction,
  startsWith,
  Timespec,
  test,
  testBegin,
  testEnd,
  unlink,
  WNOHANG,
  waitFor,
  waitGone,
  waitpid,
  waitSuccess,
  wExitStatus,
  wifExited,
  wifSignaled,
  write,
  wTermSig,
} from "../lib/index";
import { outputOf, programStatus, sameText, vectorOf } from "./support/programs";
import { childEnd, gateMake, gateOpen, gateWait, hear, pairEnd, startChild, tell } from "./support/turns";

const statusWord: usize = memory.data(4, 4);
const ends: usize = memory.data(8, 4);
const message: usize = memory.data(16, 4);
const disposition: OldSigaction = changetype<OldSigaction>(memory.data(16, 4));
const duration: Timespec = changetype<Timespec>(memory.data(8, 4));

function exitStatuses(): void {
  for (let code = 0; code < 300; code += 37) {
    const pid = fork();
    if (pid == 0) exit(code);
    const status = waitFor(pid);
    assert(wifExited(status) && !wifSignaled(status), "a process that exits has exited");
    assert(same(wExitStatus(status), code & 255), "with the low eight bits of its status");
  }
}

function waitFindsItsChild(): void {
  assert(same(waitpid(-1, statusWord), -Errno.ECHILD), "without children wait is ECHILD");
  gateMake();
  const slow = fork();
  if (slow == 0) {
    gateWait();
    exit(1);
  }
  const fast = fork();
  if (fast == 0) exit(2);
  assert(same(waitpid(slow, statusWord, WNOHANG), 0), "WNOHANG does not wait for one that runs");
  assert(same(waitpid(-1, statusWord), fast), "waiting for any finds the one that ended");
  assert(same(load<u32>(statusWord), 2 << 8), "with its status");
  assert(same(waitpid(fast, statusWord), -Errno.ECHILD), "once");
  assert(same(waitpid(getpid(), statusWord), -Errno.ECHILD), "a process is not its own child");
  gateOpen();
  assert(same(waitFor(slow), 1 << 8), "waiting for one finds that one");
  const silent = fork();
  if (silent == 0) exit(3);
  assert(same(waitpid(silent, 0), silent), "the status is not wanted");
}

function zombiesAreThere(): void {
  const pid = fork();
  if (pid == 0) exit(0);
  while (waitpid(-1, 0, WNOHANG) == 0) schedYield();
  assert(same(kill(pid, 0), -Errno.ESRCH), "a process that was waited for is gone");
  assert(pipe(ends) == 0, "there is a pipe");
  const zombie = fork();
  if (zombie == 0) exit(0);
  close(load<i32>(ends + 4));
  // The pipe has no writer left when the child is gone.
  assert(same(read(load<i32>(ends), message, 1), 0), "the child closes its descriptors");
  assert(same(kill(zombie, 0), 0), "until it is waited for it is there");
  waitSuccess(zombie);
  assert(same(kill(zombie, 0), -Errno.ESRCH), "then it is not");
}

function signalsKill(): void {
  assert(same(kill(30000, 0), -Errno.ESRCH), "there is no process 30000");
  assert(same(kill(getpid(), 99), -Errno.EINVAL), "there is no signal 99");
  gateMake();
  for (let i = 0; i < 2; i++) {
    const signal: i32 = i == 0 ? Signal.SIGTERM : Signal.SIGKILL;
    const pid = fork();
    if (pid == 0) {
      gateWait();
      exit(0);
    }
    schedYield();
    assert(same(kill(pid, signal), 0), "a child can be sent a signal");
    const status = waitFor(pid);
    assert(wifSignaled(status) && same(wTermSig(status), signal), "which kills it in its sleep");
  }
  gateOpen();
  const spinner = fork();
  if (spinner == 0) while (true) atomic.load<u32>(statusWord);
  schedYield();
  assert(same(kill(spinner, Signal.SIGTERM), 0), "a child that never sleeps can be sent a signal");
  assert(same(waitFor(spinner), Signal.SIGTERM), "which kills it");
}

function ignoredSignals(): void {
  const pid = startChild();
  if (pid == 0) {
    disposition.handler = SIG_IGN;
    assert(sigaction(Signal.SIGTERM, changetype<usize>(disposition), 0) == 0, "SIGTERM can be ignored");
    assert(sigaction(Signal.SIGKILL, changetype<usize>(disposition), 0) == -Errno.EINVAL, "SIGKILL cannot");
    tell();
    hear();
    disposition.handler = SIG_DFL;
    assert(sigaction(Signal.SIGTERM, changetype<usize>(disposition), 0) == 0, "SIGTERM can be taken back");
    tell();
    hear();
    exit(1);
  }
  hear();
  assert(kill(pid, Signal.SIGTERM) == 0, "an ignored signal can be sent");
  tell();
  hear();
  assert(kill(pid, Signal.SIGTERM) == 0, "the next one");
  assert(same(waitFor(pid), Signal.SIGTERM), "kills");
}

function brokenPipe(): void {
  assert(pipe(ends) == 0, "there is a pipe");
  close(load<i32>(ends));
  const pid = fork();
  if (pid == 0) {
    write(load<i32>(ends + 4), message, 1);
    exit(0);
  }
  assert(same(waitFor(pid), Signal.SIGPIPE), "a write that nobody can read kills");
  disposition.handler = SIG_IGN;
  sigaction(Signal.SIGPIPE, changetype<usize>(disposition), 0);
  assert(same(write(load<i32>(ends + 4), message, 1), -Errno.EPIPE), "unless that is ignored: then it is EPIPE");
}

function faultsKill(): void {
  for (let kind = 0; kind < 5; kind++) {
    const pid = fork();
    if (pid == 0) {
      if (kind == 0) atomic.load<u32>(0);
      else if (kind == 1) atomic.store<u32>(0, 1);
      else if (kind == 2) atomic.load<u32>(0xc0100000);
      else if (kind == 3) atomic.store<u32>(0x08048000, 0);
      else atomic.load<u32>(0xfffffff0);
      exit(0);
    }
    assert(same(waitFor(pid), Signal.SIGSEGV), "an access that no mapping allows is SIGSEGV");
  }
}

function divisionKills(): void {
  const pid = fork();
  store<u32>(message, 0);
  if (pid == 0) exit(i32(100 / atomic.load<u32>(message)));
  assert(same(waitFor(pid), Signal.SIGFPE), "a division by zero is SIGFPE");
}

function orphansGoToInit(): void {
  assert(pipe(ends) == 0, "there is a pipe");
  const parent = fork();
  if (parent == 0) {
    const pid = getpid();
    if (fork() == 0) {
      waitGone(pid);
      store<i32>(message, getppid());
      store<i32>(message + 4, getpid());
      write(load<i32>(ends + 4), message, 8);
      exit(0);
    }
    exit(0);
  }
  waitSuccess(parent);
  assert(read(load<i32>(ends), message, 8) == 8, "the orphan lives");
  assert(same(load<i32>(message), 1), "as a child of process 1");
  waitGone(load<i32>(message + 4));
}

function execArguments(): void {
  const text = outputOf(cstr("/bin/echo"), vectorOf(cstr("echo"), cstr("one"), cstr(""), cstr("two words")));
  assert(sameText(text, cstr("one  two words\n")), "a program gets its arguments");
  assert(same(programStatus, 0), "and ends well");
  assert(sameText(outputOf(cstr("/bin/echo"), vectorOf(cstr("echo"))), cstr("\n")), "or none");
  const shell = outputOf(cstr("/bin/sh"), vectorOf(cstr("sh"), cstr("-c"), cstr("echo $COLOR")));
  assert(sameText(shell, cstr("blue\n")), "and its environment");
  outputOf(cstr("/bin/false"), vectorOf(cstr("false")));
  assert(same(programStatus, 1 << 8), "its status comes back");
}

function execErrors(): void {
  const vector = vectorOf(cstr("x"));
  assert(same(execve(cstr("/bin/nonesuch"), vector, vector + 20), -Errno.ENOENT), "no such program");
  assert(same(execve(cstr("/bin/ls/x"), vector, vector + 20), -Errno.ENOTDIR), "no such directory");
  assert(same(execve(cstr("/bin"), vector, vector + 20), -Errno.EACCES), "a directory is no program");
  assert(same(execve(0x10, vector, vector + 20), -Errno.EFAULT), "a bad path");
  assert(same(execve(cstr("/bin/true"), 0x10, vector + 20), -Errno.EFAULT), "bad arguments");
  const fd = open(cstr("/script"), O_RDWR | O_CREAT, 0o755);
  assert(write(fd, cstr("echo from a script"), 18) == 18, "a text file can be written");
  close(fd);
  assert(same(execve(cstr("/script"), vector, vector + 20), -Errno.ENOEXEC), "a text file is no program");
  const text = outputOf(cstr("/bin/sh"), vectorOf(cstr("sh"), cstr("-c"), cstr("/script")));
  assert(sameText(text, cstr("from a script\n")), "but the shell can run it");
  assert(unlink(cstr("/script")) == 0, "it can be removed");
}

function execKeepsDescriptors(): void {
  const kept = open(cstr("/bin/true"), O_RDONLY);
  const closed = open(cstr("/bin/true"), O_RDONLY | O_CLOEXEC);
  assert(kept == 3 && closed == 4, "descriptors are the lowest free");
  const shell = cstr("cat <&3 > /dev/null && echo kept; cat <&4 > /dev/null || echo closed");
  const text = outputOf(cstr("/bin/sh"), vectorOf(cstr("sh"), cstr("-c"), shell));
  assert(startsWith(text, cstr("kept\n")), "exec keeps descriptors");
  assert(text != 0 && wExitStatus(programStatus) == 0, "but those that are to be closed");
}

function forkSharesPosition(): void {
  const fd = open(cstr("/bin/sh"), O_RDONLY);
  assert(fd >= 0, "the shell's file can be read");
  const pid = fork();
  if (pid == 0) {
    assert(read(fd, message, 4) == 4, "the child reads");
    exit(0);
  }
  waitSuccess(pid);
  assert(same(lseek(fd, 0, SEEK_CUR), 4), "an open file has one position, whoever reads");
}

function sleepersWake(): void {
  const pid = startChild();
  if (pid == 0) {
    duration.seconds = 0;
    duration.nanoseconds = 30000000;
    tell();
    assert(nanosleep(duration, null) == 0, "sleep ends");
    tell();
    childEnd();
  }
  hear();
  hear();
  pairEnd(pid);
}

/** Two processes that never sleep, and a third that must run all the same. */
function spinnersShare(): void {
  const first = fork();
  if (first == 0) while (true) atomic.load<u32>(message);
  const second = fork();
  if (second == 0) while (true) atomic.load<u32>(message);
  for (let i = 0; i < 3; i++) {
    const pid = fork();
    if (pid == 0) exit(i);
    assert(same(waitFor(pid), i << 8), "processes that never sleep do not keep others from running");
  }
  kill(first, Signal.SIGKILL);
  kill(second, Signal.SIGKILL);
  assert(same(waitFor(first), Signal.SIGKILL) && same(waitFor(second), Signal.SIGKILL), "and can be killed");
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  testBegin(argc, argv);
  test(cstr("exit statuses"), exitStatuses);
  test(cstr("wait finds the child that it is asked for"), waitFindsItsChild);
  test(cstr("a zombie is there until it is waited for"), zombiesAreThere);
  test(cstr("signals kill sleepers and spinners"), signalsKill);
  test(cstr("signals can be ignored, but SIGKILL"), ignoredSignals);
  test(cstr("a pipe without a reader is SIGPIPE or EPIPE"), brokenPipe);
  test(cstr("bad accesses are SIGSEGV"), faultsKill);
  test(cstr("division by zero is SIGFPE"), divisionKills);
  test(cstr("orphans become children of process 1"), orphansGoToInit);
  test(cstr("exec passes arguments and environment"), execArguments);
  test(cstr("exec says what is wrong"), execErrors);
  test(cstr("exec keeps descriptors open unless told"), execKeepsDescriptors);
  test(cstr("parent and child share the position in a file"), forkSharesPosition);
  test(cstr("sleepers wake"), sleepersWake);
  test(cstr("processes that never sleep share the processor"), spinnersShare);
  return testEnd();
}
