/**
 * Operations of a fuzzed program that let the kernel read and write memory: pipes, files, the status of a child, the frame of a
 * signal. The kernel refuses bad addresses with EFAULT; what that leaves of a message comes from or goes to memory that is not
 * under test, so that a message is always whole. May import lib, process, format.
 */
import {
  close,
  cstr,
  getcwd,
  getpid,
  kill,
  lseek,
  O_WRONLY,
  open,
  read,
  SEEK_SET,
  SIG_BLOCK,
  SIG_UNBLOCK,
  Signal,
  signalBit,
  sigprocmask,
  waitpid,
  write,
} from "../lib/index";
import { Descriptor, Script } from "./format";
import { addressOf, fold, say, script, signalsTaken, spare } from "./process";

/** userland/lib/signals.s. */
declare function sigprocmaskOn(stack: usize, how: u32, set: usize): i32;

/** Where a status goes that has no place under test, and a set of signals. */
const word: usize = memory.data(4, 4);
/** Of each process that this one has forked, its pid. */
const children: usize = memory.data(64, 4);

/** Notes the pid of a child. */
export function noteChild(process: u32, pid: i32): void {
  store<i32>(children + (process << 2), pid);
}

export function childPid(process: u32): i32 {
  return load<i32>(children + (process << 2));
}

/** Descriptor of a file. */
function fileDescriptor(file: u32): i32 {
  return i32(Descriptor.First + file);
}

/** The reading end of a pipe; the writing end is the next. */
function pipeReader(pipe: u32): i32 {
  return i32(Descriptor.First + load<u32>(script + (Script.Files << 2)) + 2 * pipe);
}

/** Writes a message of `bytes` bytes, as many of them as can be read from the place. */
export function send(pipe: u32, place: u32, bytes: u32): void {
  const end = pipeReader(pipe) + 1;
  const result = write(end, addressOf(place), bytes);
  const done = result > 0 ? u32(result) : 0;
  if (done < bytes) write(end, spare, bytes - done);
  say(result);
}

/** Reads a message of `bytes` bytes, as many of them to the place as it can take. */
export function receive(pipe: u32, place: u32, bytes: u32): void {
  const end = pipeReader(pipe);
  const address = addressOf(place);
  let done: u32 = 0;
  while (done < bytes) {
    const part = read(end, address + done, bytes - done);
    if (part <= 0) break;
    done += part;
  }
  let hash = fold(0, done);
  while (done < bytes) {
    const part = read(end, spare, bytes - done);
    if (part <= 0) break;
    for (let i: u32 = 0; i < u32(part); i++) hash = fold(hash, load<u8>(spare + i));
    done += part;
  }
  say(hash);
}

/** Tells that it goes to sleep, and sleeps until it is killed: nobody writes to the other pipe. Says what it says before that. */
export function hang(ready: u32, own: u32): void {
  say(0);
  write(pipeReader(ready) + 1, spare, 1);
  read(pipeReader(own), word, 1);
}

export function fileRead(file: u32, offset: u32, place: u32, bytes: u32): void {
  lseek(fileDescriptor(file), offset, SEEK_SET);
  say(read(fileDescriptor(file), addressOf(place), bytes));
}

export function fileWrite(file: u32, offset: u32, place: u32, bytes: u32): void {
  lseek(fileDescriptor(file), offset, SEEK_SET);
  say(write(fileDescriptor(file), addressOf(place), bytes));
}

/** Waits for a child, whose status goes to the place if that is not 0. Its pid is not said: it may depend on the schedule. */
export function wait(process: u32, place: u32): void {
  const pid = childPid(process);
  if (pid <= 0) {
    say(0);
    return;
  }
  const address = place == 0 ? word : addressOf(place);
  const result = waitpid(pid, address);
  if (result == pid) {
    say(load<u32>(address));
    return;
  }
  store<u32>(word, 0);
  const again = waitpid(pid, word);
  say(fold(fold(result, again == pid ? 0 : again), load<u32>(word)));
}

export function killChild(process: u32, signal: u32): void {
  const pid = childPid(process);
  say(pid > 0 ? kill(pid, signal) : 0);
}

/** Takes a SIGUSR1 with its frame right below the place. */
export function takeSignal(place: u32): void {
  const bit = signalBit(Signal.SIGUSR1);
  sigprocmask(SIG_BLOCK, bit);
  kill(getpid(), Signal.SIGUSR1);
  store<u32>(word, bit);
  say(sigprocmaskOn(addressOf(place), SIG_UNBLOCK, word));
  say(signalsTaken());
}

export function writeName(place: u32, bytes: u32): void {
  say(getcwd(addressOf(place), bytes));
}

/** Asks the kernel to evict pages. How many it finds to evict is not said: it depends on the way to fork. */
export function reclaim(pages: u32): void {
  const file = open(cstr("/proc/reclaim"), O_WRONLY);
  let digits: u32 = 0;
  for (let left = pages; left != 0; left /= 10) digits++;
  let left = pages;
  for (let i = digits; i != 0; i--) {
    store<u8>(word + i - 1, 0x30 + (left % 10));
    left /= 10;
  }
  write(file, word, digits);
  close(file);
  say(0);
}
