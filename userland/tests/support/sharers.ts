/**
 * Children that share all memory with a test's process and sleep until it lets them go. May import lib and support/.
 */
import { close, exit, flush, fork, pipe, read, schedYield, waitSuccess, write } from "../../lib/index";
import { gateMake, gateOpen, gateWait } from "./turns";

/** How many. */
export const SHARERS: u32 = 3;
const pids: usize = memory.data(16, 4);
const ready: usize = memory.data(8, 4);
const word: usize = memory.data(4, 4);

/** Pid of a sharer, by its number from 0 on. */
export function sharer(index: u32): i32 {
  return load<i32>(pids + index * 4);
}

/** Children that share all memory and sleep at the gate; each then does `body` with its number. */
export function startSharers(body: (number: u32) => void): void {
  gateMake();
  assert(pipe(ready) == 0, "there is a pipe");
  flush();
  for (let i: u32 = 0; i < SHARERS; i++) {
    const pid = fork();
    assert(pid >= 0, "there is room for a child");
    if (pid == 0) {
      write(load<i32>(ready + 4), word, 1);
      gateWait();
      body(i);
      flush();
      exit(0);
    }
    store<i32>(pids + i * 4, pid);
  }
  for (let i: u32 = 0; i < SHARERS; i++) assert(read(load<i32>(ready), word, 1) == 1, "each has begun");
  for (let i: u32 = 0; i < 2 * SHARERS; i++) schedYield();
  close(load<i32>(ready));
  close(load<i32>(ready + 4));
}

/** Lets them go, and waits until all have ended well. */
export function endSharers(): void {
  gateOpen();
  for (let i: u32 = 0; i < SHARERS; i++) waitSuccess(sharer(i));
}
