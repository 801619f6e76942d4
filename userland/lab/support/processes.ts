/**
 * Children and pipes of a program of the laboratory: whatever does not go as it must ends the program. May import lib, support/ and kernel/abi.
 */
import { readEsp } from "../../../kernel/abi/intrinsics";
import {
  argument,
  cstr,
  exit,
  fork,
  makeResident,
  pipe,
  Region,
  read,
  regionBegin,
  regionEnd,
  takeSnapshot,
  waitpid,
  writeAll,
} from "../../lib/index";
import { fail, must } from "./results";

const statusWord: usize = memory.data(4, 4);

/** Forks: 0 in the child, its pid in the parent. Programs print whole lines only, so no output is pending. */
export function forkWell(): i32 {
  const pid = fork();
  must(pid >= 0, cstr("fork"));
  return pid;
}

/**
 * forkWell as region Fork. Every program's next call writes to its stack, whose table or page the child has too: what that costs belongs to the
 * fork, and is in the region.
 */
export function forkMeasured(tag: u32): i32 {
  regionBegin(Region.Fork, tag);
  const pid = forkWell();
  if (pid == 0) return 0;
  atomic.store<u32>(readEsp() - 64, 0);
  regionEnd(Region.Fork, tag);
  return pid;
}

/** Waits for child `pid`, or any with -1, which must end with status 0. */
export function waitWell(pid: i32): void {
  must(waitpid(pid, statusWord) > 0, cstr("a child can be waited for"));
  must(load<u32>(statusWord) == 0, cstr("a child ends with 0"));
}

/** A pipe: its ends at `ends`, reading end first. */
export function pipeWell(ends: usize): void {
  must(pipe(ends) == 0, cstr("pipe"));
}

/** A pipe's reading and writing end. */
export function readEnd(ends: usize): i32 {
  return i32(argument(ends, 0));
}
export function writeEnd(ends: usize): i32 {
  return i32(argument(ends, 1));
}

/** Reads exactly so many bytes; false at the end of the pipe. */
export function receive(descriptor: i32, buffer: usize, bytes: u32): bool {
  let had: u32 = 0;
  while (had < bytes) {
    const got = read(descriptor, buffer + had, bytes - had);
    if (got < 0) fail(cstr("read"));
    if (got == 0) return false;
    had += got;
  }
  return true;
}

/** Writes all of it. */
export function send(descriptor: i32, buffer: usize, bytes: u32): void {
  must(writeAll(descriptor, buffer, bytes) == 0, cstr("write"));
}

/**
 * All of the program's own memory is used once, `snapshot` too, and a child is made: so what the program and the kernel take for the first
 * time once and for all is not counted to what comes after. Each process that measures calls it.
 */
export function warmUp(snapshot: usize): void {
  makeResident();
  takeSnapshot(snapshot);
  const pid = forkWell();
  if (pid == 0) endChild();
  waitWell(pid);
}

/** Ends a child that has found all right. */
export function endChild(): void {
  exit(0);
}
