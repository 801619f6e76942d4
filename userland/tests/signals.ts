/**
 * Signals: handlers, their frames, masks, interrupted system calls, timers; property 47's signal frames under shared tables.
 * May import lib and support/.
 */
import {
  alarm,
  CLD_EXITED,
  CLD_KILLED,
  close,
  contextOf,
  cstr,
  defaultSignal,
  Errno,
  execve,
  exit,
  FPE_INTDIV,
  fork,
  getitimer,
  getpid,
  handle,
  ITIMER_REAL,
  Itimerval,
  ignoreSignal,
  kill,
  MAP_PRIVATE,
  mprotect,
  nanosleep,
  PROT_NONE,
  PROT_READ,
  pause,
  pipe,
  raise,
  read,
  rtSigaction,
  SA_NODEFER,
  SA_RESETHAND,
  SA_RESTART,
  SA_SIGINFO,
  SEGV_ACCERR,
  SEGV_MAPERR,
  SI_USER,
  SIG_BLOCK,
  SIG_DFL,
  SIG_IGN,
  SIG_SETMASK,
  SIG_UNBLOCK,
  Sigaction,
  Siginfo,
  Signal,
  same,
  setitimer,
  signalBit,
  sigpending,
  sigprocmask,
  sigsuspend,
  Timespec,
  test,
  testBegin,
  testEnd,
  waitFor,
  waitpid,
  waitSuccess,
  wExitStatus,
  within,
  write,
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
import { runOnStack } from "./support/stacks";
import { tableHere, tableIs, tableOf } from "./support/tables";
import { childEnd, hear, pairEnd, startChild, tell } from "./support/turns";

const PAGES: u32 = 16;
const NEW: u32 = 0x47474747;
const statusWord: usize = memory.data(4, 4);
const ends: usize = memory.data(8, 4);
const word: usize = memory.data(4, 4);
const duration: Timespec = changetype<Timespec>(memory.data(8, 4));
const rest: Timespec = changetype<Timespec>(memory.data(8, 4));
const timer: Itimerval = changetype<Itimerval>(memory.data(16, 4));
const timerNow: Itimerval = changetype<Itimerval>(memory.data(16, 4));
const action: Sigaction = changetype<Sigaction>(memory.data(20, 4));

/** What handlers were called for: how often, the last signal, its siginfo; the order of calls as decimal digits. */
let calls: u32 = 0;
let lastSignal: i32 = 0;
let code: i32 = 0;
let origin: u32 = 0;
let status: i32 = 0;
let order: u32 = 0;
let maskInside: u32 = 0;

function note(signal: i32, _info: usize, _context: usize): void {
  calls++;
  lastSignal = signal;
}

function noteInfo(signal: i32, info: usize, _context: usize): void {
  const told = changetype<Siginfo>(info);
  calls++;
  lastSignal = signal;
  assert(told.signal == signal, "siginfo tells the signal");
  code = told.code;
  origin = told.origin;
  status = told.status;
}

function noteMask(_signal: i32, _info: usize, _context: usize): void {
  calls++;
  maskInside = sigprocmask(SIG_BLOCK, 0);
}

function handlersRun(): void {
  assert(handle(Signal.SIGUSR1, note) == 0, "a signal can be caught");
  for (let i = 1; i <= 5; i++) {
    assert(raise(Signal.SIGUSR1) == 0, "and raised");
    assert(same(calls, i), "the handler has run when kill returns");
  }
  assert(same(lastSignal, Signal.SIGUSR1), "with the signal as its argument");
  assert(handle(Signal.SIGKILL, note) == -Errno.EINVAL, "SIGKILL cannot be caught");
  assert(handle(Signal.SIGSTOP, note) == -Errno.EINVAL, "nor SIGSTOP");
  assert(rtSigaction(Signal.SIGUSR1, 0, changetype<usize>(action)) == 0, "the action can be read");
  assert(action.handler > 0x08048000, "it names the handler");
  assert(defaultSignal(Signal.SIGUSR1) == 0 && ignoreSignal(Signal.SIGUSR2) == 0, "others can be set");
  assert(rtSigaction(Signal.SIGUSR1, 0, changetype<usize>(action)) == 0 && action.handler == SIG_DFL, "default");
  assert(rtSigaction(Signal.SIGUSR2, 0, changetype<usize>(action)) == 0 && action.handler == SIG_IGN, "ignored");
}

/** Spins until the handler has run: a signal that comes between any two instructions. */
function registersSurvive(): void {
  assert(handle(Signal.SIGALRM, note) == 0, "SIGALRM can be caught");
  timer.seconds = 0;
  timer.microseconds = 10000;
  timer.intervalMicroseconds = 10000;
  assert(setitimer(ITIMER_REAL, timer, null) == 0, "a timer can be set");
  let sum: u32 = 1;
  let check: u32 = 1;
  let rounds: u32 = 0;
  while (atomic.load<u32>(word) == 0) {
    sum = sum * 1664525 + 1013904223;
    if (rounds < 1000) check = check * 1664525 + 1013904223;
    if (rounds == 999) assert(same(sum, check), "registers are as they were");
    rounds++;
    if (calls >= 5 && rounds > 1000) break;
  }
  timer.microseconds = 0;
  timer.intervalMicroseconds = 0;
  assert(setitimer(ITIMER_REAL, timer, timerNow) == 0, "the timer can be stopped");
  assert(timerNow.intervalMicroseconds == 10000, "it was periodic");
  assert(getitimer(ITIMER_REAL, timerNow) == 0 && timerNow.microseconds == 0, "and runs no more");
  let again: u32 = 1;
  for (let i: u32 = 0; i < rounds; i++) again = again * 1664525 + 1013904223;
  assert(same(sum, again), "no handler changed a register of the program");
}

function siginfoOfKill(): void {
  assert(handle(Signal.SIGUSR1, noteInfo, SA_SIGINFO) == 0, "a signal can be caught with siginfo");
  const parent = getpid();
  const pid = fork();
  if (pid == 0) {
    kill(parent, Signal.SIGUSR1);
    exit(0);
  }
  waitSuccess(pid);
  assert(same(calls, 1) && same(lastSignal, Signal.SIGUSR1), "the signal of another process comes");
  assert(same(code, SI_USER) && same(origin, pid), "and who sent it is told");
}

function siginfoOfFaults(): void {
  const pid = fork();
  if (pid == 0) {
    handle(
      Signal.SIGSEGV,
      (signal, info, context) => {
        const told = changetype<Siginfo>(info);
        const registers = contextOf(context);
        assert(signal == Signal.SIGSEGV && told.code == SEGV_MAPERR, "nothing is mapped there");
        assert(same(told.origin, 0x70001234) && same(registers.cr2, 0x70001234), "the address is told");
        assert(same(registers.trapno, 14) && same(registers.err, 6), "and that it was a write from user mode");
        exit(7);
      },
      SA_SIGINFO,
    );
    atomic.store<u32>(0x70001234, 1);
    exit(0);
  }
  assert(same(wExitStatus(waitFor(pid)), 7), "a bad address is told");
  const second = fork();
  if (second == 0) {
    handle(
      Signal.SIGFPE,
      (_signal, info, context) => {
        const told = changetype<Siginfo>(info);
        assert(told.code == FPE_INTDIV && told.origin == contextOf(context).eip, "the division is told");
        exit(8);
      },
      SA_SIGINFO,
    );
    exit(i32(100 / atomic.load<u32>(word)));
  }
  assert(same(wExitStatus(waitFor(second)), 8), "a division by zero can be caught");
}

function mapOnFault(_signal: i32, info: usize, _context: usize): void {
  const told = changetype<Siginfo>(info);
  calls++;
  code = told.code;
  mapPages((told.origin - pageAt(0)) / PAGE, 1, READ_WRITE, MAP_PRIVATE);
}

function faultHandlerMaps(): void {
  assert(handle(Signal.SIGSEGV, mapOnFault, SA_SIGINFO) == 0, "SIGSEGV can be caught");
  for (let i: u32 = 0; i < 4; i++) {
    writePage(i * 3, wordOf(i * 3));
    assert(same(calls, i + 1) && same(code, SEGV_MAPERR), "the first write faults");
    assert(same(readPage(i * 3), wordOf(i * 3)), "the handler maps the page, and the write is there");
  }
  assert(mprotect(pageAt(3), PAGE, PROT_READ) == 0, "a page can be protected");
  writePage(3, NEW);
  assert(same(code, SEGV_ACCERR) && same(readPage(3), NEW), "a write to it is another kind of fault");
}

function faultInHandlerKills(): void {
  const pid = fork();
  if (pid == 0) {
    handle(Signal.SIGSEGV, (_signal) => atomic.store<u32>(0x70000000, 1));
    atomic.store<u32>(0x70000000, 1);
    exit(0);
  }
  assert(same(waitFor(pid), Signal.SIGSEGV), "a fault in the handler of faults kills");
  const second = fork();
  if (second == 0) {
    handle(Signal.SIGSEGV, note);
    sigprocmask(SIG_BLOCK, signalBit(Signal.SIGSEGV));
    atomic.store<u32>(0x70000000, 1);
    exit(0);
  }
  assert(same(waitFor(second), Signal.SIGSEGV), "so does one while SIGSEGV is held back");
}

function childrenSignal(): void {
  assert(handle(Signal.SIGCHLD, noteInfo, SA_SIGINFO | SA_RESTART) == 0, "SIGCHLD can be caught");
  for (let i: u32 = 1; i <= 20; i++) {
    const pid = fork();
    if (pid == 0) exit(i32(i));
    assert(waitpid(pid, statusWord) == pid, "the child can be waited for");
    assert(same(load<u32>(statusWord), i << 8), "the status comes");
    assert(same(calls, i), "a child that ends is SIGCHLD");
    assert(same(code, CLD_EXITED) && same(origin, pid) && same(status, i), "which tells pid and status");
  }
  const pid = fork();
  if (pid == 0) while (true) pause();
  kill(pid, Signal.SIGTERM);
  assert(same(waitFor(pid), Signal.SIGTERM), "a child is killed");
  assert(same(code, CLD_KILLED) && same(status, Signal.SIGTERM), "which is told too");
}

function alarmInterrupts(): void {
  assert(handle(Signal.SIGALRM, note) == 0, "SIGALRM can be caught");
  assert(pipe(ends) == 0, "there is a pipe");
  timer.seconds = 0;
  timer.microseconds = 30000;
  timer.intervalMicroseconds = 0;
  assert(setitimer(ITIMER_REAL, timer, null) == 0, "a timer can be set");
  assert(same(read(load<i32>(ends), word, 1), -Errno.EINTR), "SIGALRM ends a read that waits");
  assert(same(calls, 1), "after its handler");
  assert(alarm(100) == 0 && within(alarm(50), 99, 100) && within(alarm(0), 49, 50), "alarm tells what was left");
  timer.microseconds = 20000;
  assert(setitimer(ITIMER_REAL, timer, null) == 0, "a timer can be set");
  duration.seconds = 5;
  assert(same(nanosleep(duration, rest), -Errno.EINTR), "a sleep ends early");
  assert(rest.seconds == 4 && rest.nanoseconds > 900000000, "and tells what is left");
  close(load<i32>(ends));
  close(load<i32>(ends + 4));
}

function alarmKills(): void {
  const pid = fork();
  if (pid == 0) {
    timer.microseconds = 20000;
    timer.intervalMicroseconds = 0;
    setitimer(ITIMER_REAL, timer, null);
    while (true) atomic.load<u32>(word);
  }
  assert(same(waitFor(pid), Signal.SIGALRM), "SIGALRM kills who does not catch it");
}

/** A reader that sleeps is sent a signal, and then what it reads. */
function readsRestart(): void {
  assert(handle(Signal.SIGUSR1, note, SA_RESTART) == 0, "a signal can be caught with SA_RESTART");
  assert(pipe(ends) == 0, "there is a pipe");
  const reader = getpid();
  const pid = fork();
  if (pid == 0) {
    duration.nanoseconds = 20000000;
    for (let i = 0; i < 3; i++) {
      nanosleep(duration, null);
      kill(reader, Signal.SIGUSR1);
    }
    nanosleep(duration, null);
    store<u32>(word, NEW);
    write(load<i32>(ends + 4), word, 4);
    exit(0);
  }
  assert(same(read(load<i32>(ends), word, 4), 4), "the read goes on after each handler");
  assert(same(load<u32>(word), NEW) && same(calls, 3), "and reads what comes");
  waitSuccess(pid);
  waitsRestart();
  close(load<i32>(ends));
  close(load<i32>(ends + 4));
}

/** A child that signals its parent, which waits for it, twice. */
function startSignaller(): i32 {
  const parent = getpid();
  const pid = fork();
  if (pid != 0) return pid;
  duration.nanoseconds = 20000000;
  for (let i = 0; i < 2; i++) {
    nanosleep(duration, null);
    kill(parent, Signal.SIGUSR1);
  }
  nanosleep(duration, null);
  exit(0);
  return 0;
}

function waitsRestart(): void {
  calls = 0;
  const pid = startSignaller();
  assert(same(waitpid(pid, statusWord), pid) && same(calls, 2), "wait4 goes on after each handler");
  assert(handle(Signal.SIGUSR1, note) == 0, "a signal can be caught without SA_RESTART");
  const second = startSignaller();
  assert(same(waitpid(second, statusWord), -Errno.EINTR), "then wait4 ends early");
  kill(second, Signal.SIGKILL);
  assert(same(waitFor(second), Signal.SIGKILL), "and can be called again");
}

function handlersNest(): void {
  handle(Signal.SIGUSR1, (_signal) => {
    order = order * 10 + 1;
    raise(Signal.SIGUSR2);
    order = order * 10 + 3;
  });
  handle(Signal.SIGUSR2, (_signal) => {
    order = order * 10 + 2;
  });
  raise(Signal.SIGUSR1);
  assert(same(order, 123), "a handler is interrupted by another signal's");
  order = 0;
  handle(
    Signal.SIGUSR1,
    (_signal) => {
      order++;
      if (order < 5) raise(Signal.SIGUSR1);
    },
    SA_NODEFER,
  );
  raise(Signal.SIGUSR1);
  assert(same(order, 5), "with SA_NODEFER by its own");
}

function masksHold(): void {
  const usr1 = signalBit(Signal.SIGUSR1);
  const usr2 = signalBit(Signal.SIGUSR2);
  assert(handle(Signal.SIGUSR1, noteMask, 0, usr2) == 0, "a signal can be caught with a mask");
  assert(same(sigprocmask(SIG_BLOCK, usr1 | signalBit(Signal.SIGKILL)), 0), "nothing is held back at first");
  raise(Signal.SIGUSR1);
  raise(Signal.SIGUSR1);
  assert(same(calls, 0) && same(sigpending(), usr1), "a signal that is held back waits");
  assert(same(sigprocmask(SIG_UNBLOCK, usr1), usr1), "SIGKILL is not held back");
  assert(same(calls, 1) && same(sigpending(), 0), "and comes once");
  assert(same(maskInside, usr1 | usr2), "the handler runs with its mask and its signal held back");
  assert(same(sigprocmask(SIG_SETMASK, 0), 0), "which ends with it");
  assert(handle(Signal.SIGUSR1, noteMask, SA_RESETHAND | SA_NODEFER) == 0, "a handler can be for once");
  raise(Signal.SIGUSR1);
  assert(same(maskInside, 0), "with SA_NODEFER its signal is not held back");
  assert(rtSigaction(Signal.SIGUSR1, 0, changetype<usize>(action)) == 0 && action.handler == SIG_DFL, "then default");
}

function suspendWaits(): void {
  const usr1 = signalBit(Signal.SIGUSR1);
  assert(handle(Signal.SIGUSR1, noteMask) == 0, "a signal can be caught");
  sigprocmask(SIG_BLOCK, usr1 | signalBit(Signal.SIGCHLD));
  const parent = getpid();
  const pid = fork();
  if (pid == 0) {
    kill(parent, Signal.SIGUSR1);
    exit(0);
  }
  assert(same(sigsuspend(signalBit(Signal.SIGUSR2)), -Errno.EINTR), "sigsuspend sleeps until it is caught");
  assert(same(calls, 1) && same(maskInside, usr1 | signalBit(Signal.SIGUSR2)), "with the mask that it was given");
  assert(same(sigprocmask(SIG_BLOCK, 0), usr1 | signalBit(Signal.SIGCHLD)), "and the old one is back");
  waitSuccess(pid);
}

/** fork and exec: what a child has of its parent's, and what a program finds. */
function inheritance(): void {
  assert(handle(Signal.SIGUSR1, note) == 0 && ignoreSignal(Signal.SIGUSR2) == 0, "actions can be set");
  sigprocmask(SIG_BLOCK, signalBit(Signal.SIGTERM));
  raise(Signal.SIGTERM);
  const pid = fork();
  if (pid == 0) {
    assert(same(sigpending(), 0), "what waits is the parent's");
    raise(Signal.SIGUSR1);
    assert(same(calls, 1), "fork keeps handlers");
    raise(Signal.SIGUSR2);
    assert(same(sigprocmask(SIG_BLOCK, 0), signalBit(Signal.SIGTERM)), "and the mask");
    const shell = cstr("kill -10 $$; echo no");
    const vector = vectorOf(cstr("sh"), cstr("-c"), shell);
    execve(cstr("/bin/sh"), vector, vector + 20);
    exit(1);
  }
  assert(same(waitFor(pid), Signal.SIGUSR1), "exec resets them: the signal kills");
  ignoreSignal(Signal.SIGTERM);
  assert(same(sigpending(), 0), "what waits and is ignored is dropped");
}

/** In the child of a pair: a handler runs on a stack in the tests' slot, which is shared. */
function frameUnshares(flags: u32): void {
  mapPages(0, PAGES_A_SLOT, READ_WRITE, MAP_PRIVATE);
  writePages(0, PAGES);
  assert(handle(Signal.SIGUSR1, flags == 0 ? note : noteInfo, flags) == 0, "a signal can be caught");
  const pid = startChild();
  if (pid == 0) {
    sigprocmask(SIG_BLOCK, signalBit(Signal.SIGUSR1));
    raise(Signal.SIGUSR1);
    countBegin();
    // Only the frame is written there: the system call that lets the signal in is made on that stack, and nothing else.
    runOnStack(pageAt(PAGES), SIG_UNBLOCK, signalBit(Signal.SIGUSR1));
    countEnd();
    assert(same(calls, 1), "the handler has run");
    if (sharing()) {
      assert(same(countOf(cstr("tables_unshared")), 1), "the frame unshared the table");
      assert(tableIs(tableHere(SLOT), 1, 1), "for who took the signal");
    }
    assert(pagesIntact(0, PAGES), "the frame lies above all that the page says");
    assert(readPage(PAGES - 1) == wordOf(PAGES - 1), "at the top of the last page");
    let written = false;
    for (let at = pageAt(PAGES) - 1024; at < pageAt(PAGES) - 64; at += 4) if (atomic.load<u32>(at) != 0) written = true;
    assert(written, "and there is a frame below it");
    tell();
    hear();
    childEnd();
  }
  hear();
  if (sharing()) assert(tableIs(tableHere(SLOT), 1, 0), "the parent has the old table for itself");
  if (sharing()) assert(tableIs(tableOf(pid, SLOT), 1, 1), "the child its own");
  assert(pagesIntact(0, PAGES), "the parent's pages are as they were");
  for (let at = pageAt(PAGES - 1) + 4; at < pageAt(PAGES); at += 4) {
    assert(atomic.load<u32>(at) == 0, "the parent sees nothing of the frame");
  }
  tell();
  pairEnd(pid);
}

function framesUnshare(): void {
  frameUnshares(0);
}

function infoFramesUnshare(): void {
  frameUnshares(SA_SIGINFO);
}

function badStackKills(): void {
  mapPages(0, PAGES_A_SLOT, READ_WRITE, MAP_PRIVATE);
  writePages(0, PAGES);
  assert(mprotect(pageAt(0), PAGES * PAGE, PROT_READ) == 0, "a stack can be made read-only");
  const raised = signalBit(Signal.SIGUSR1);
  for (let i = 0; i < 3; i++) {
    const pid = fork();
    if (pid == 0) {
      handle(Signal.SIGUSR1, note);
      if (i == 2) handle(Signal.SIGSEGV, note);
      sigprocmask(SIG_BLOCK, raised);
      raise(Signal.SIGUSR1);
      runOnStack(i == 1 ? 0xc0001000 : pageAt(PAGES), SIG_UNBLOCK, raised);
      exit(0);
    }
    assert(same(waitFor(pid), Signal.SIGSEGV), "a signal without a stack to write to kills");
    if (sharing()) assert(tableIs(tableHere(SLOT), 1, 0), "and unshares nothing: who had shared has gone");
  }
  assert(mprotect(pageAt(0), PAGES * PAGE, PROT_NONE) == 0, "the same of a stack that cannot be read");
  assert(pagesRaise(raised), "kills too");
}

function pagesRaise(raised: u32): bool {
  const pid = fork();
  if (pid == 0) {
    handle(Signal.SIGUSR1, note, SA_SIGINFO);
    sigprocmask(SIG_BLOCK, raised);
    raise(Signal.SIGUSR1);
    runOnStack(pageAt(PAGES), SIG_UNBLOCK, raised);
    exit(0);
  }
  return same(waitFor(pid), Signal.SIGSEGV);
}

/** Which word of the interrupted registers the handler spoils, and with what. */
let spoiled: usize = 0;
let spoiling: u32 = 0;

function spoil(_signal: i32, _info: usize, context: usize): void {
  store<u32>(changetype<usize>(contextOf(context)) + spoiled, spoiling);
}

/** Wait status of a process whose handler comes back with one register changed. */
function statusSpoiled(offset: usize, value: u32): u32 {
  const pid = fork();
  if (pid == 0) {
    spoiled = offset;
    spoiling = value;
    handle(Signal.SIGUSR1, spoil, SA_SIGINFO);
    raise(Signal.SIGUSR1);
    exit(0);
  }
  return waitFor(pid);
}

const GS: usize = 0;
const DS: usize = 12;
const EIP: usize = 56;
const CS: usize = 60;
const EFLAGS: usize = 64;
const SS: usize = 72;

function returnIsSafe(): void {
  for (let selector: u32 = 8; selector < 0x80; selector += 4) {
    for (let ring: u32 = 0; ring < 4; ring++) {
      const value = selector | ring;
      if (value != 0x23) assert(same(statusSpoiled(CS, value), Signal.SIGSEGV), "no other code segment");
      if (value != 0x2b) assert(same(statusSpoiled(SS, value), Signal.SIGSEGV), "no other stack segment");
      const segment = value & ~7;
      if (segment != 0x20 && segment != 0x28) {
        assert(same(statusSpoiled(GS, value), Signal.SIGSEGV), "no segment that is not the program's");
      }
    }
  }
  assert(same(statusSpoiled(GS, 0x2b), 0) && same(statusSpoiled(DS, 0x2b), 0), "its own it may have");
  assert(same(statusSpoiled(GS, 3), 0), "or none");
  assert(same(statusSpoiled(EFLAGS, 0xfffffeff), 0), "privileged flags are as they were");
  assert(same(statusSpoiled(EFLAGS, 0), 0), "interrupts stay on");
  assert(same(statusSpoiled(EIP, 0xc0100000), Signal.SIGSEGV), "it cannot go on in the kernel");
  const pid = fork();
  if (pid == 0) while (true) atomic.load<u32>(word);
  duration.seconds = 0;
  duration.nanoseconds = 20000000;
  assert(nanosleep(duration, null) == 0, "and the clock goes on");
  kill(pid, Signal.SIGKILL);
  waitFor(pid);
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  testBegin(argc, argv);
  test(cstr("handlers run and return"), handlersRun);
  test(cstr("a handler changes no register of what it interrupts"), registersSurvive);
  test(cstr("siginfo tells who sent a signal"), siginfoOfKill);
  test(cstr("siginfo tells what faulted, and where"), siginfoOfFaults);
  test(cstr("a handler of SIGSEGV maps the page and returns"), faultHandlerMaps);
  test(cstr("a fault in the handler of faults kills"), faultInHandlerKills);
  test(cstr("SIGCHLD tells of each child"), childrenSignal);
  test(cstr("SIGALRM interrupts read and nanosleep"), alarmInterrupts);
  test(cstr("SIGALRM kills by default"), alarmKills);
  test(cstr("SA_RESTART goes on reading and waiting"), readsRestart);
  test(cstr("handlers nest"), handlersNest);
  test(cstr("masks hold signals back"), masksHold);
  test(cstr("sigsuspend waits with another mask"), suspendWaits);
  test(cstr("fork keeps handlers, exec resets them"), inheritance);
  test(cstr("P47 a signal frame under a shared table unshares it"), framesUnshare);
  test(cstr("P47 a frame with siginfo under a shared table unshares it"), infoFramesUnshare);
  test(cstr("a signal without a stack kills"), badStackKills);
  test(cstr("sigreturn gives nothing that is not the program's"), returnIsSafe);
  return testEnd();
}
