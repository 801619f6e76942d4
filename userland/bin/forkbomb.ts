/**
 * forkbomb: forks until the kernel has no room for another process, says how many children that took and why it ended,
 * kills them all and waits for them. Succeeds when each of them was killed. May import lib.
 */
import { close, cstr, Errno, exit, fork, kill, malloc, pipe, printf, read, Signal, waitpid } from "../lib/index";

/** Children it can keep count of: far more than there is room for. */
const LIMIT: i32 = 32768;
const ends: usize = memory.data(8, 4);
const statusWord: usize = memory.data(4, 4);

/** Waits for a byte that nobody sends. */
function lieInWait(): void {
  close(load<i32>(ends + 4));
  read(load<i32>(ends), statusWord, 1);
  exit(1);
}

/** Why fork failed. */
function reasonText(result: i32): usize {
  if (result == -Errno.EAGAIN) return cstr("EAGAIN");
  if (result == -Errno.ENOMEM) return cstr("ENOMEM");
  return cstr("no error");
}

export function main(): i32 {
  const pids = malloc(LIMIT * 4);
  const result = pids == 0 ? -Errno.ENOMEM : pipe(ends);
  if (result < 0) {
    printf(cstr("forkbomb: cannot begin, error %d\n"), -result);
    return 1;
  }
  let count: i32 = 0;
  let pid: i32 = 0;
  while (count < LIMIT) {
    pid = fork();
    if (pid < 0) break;
    if (pid == 0) lieInWait();
    store<i32>(pids + count * 4, pid);
    count++;
  }
  printf(cstr("forkbomb: %d children, then %s\n"), count, reasonText(pid));
  let killed: i32 = 0;
  for (let i = 0; i < count; i++) {
    const child = load<i32>(pids + i * 4);
    kill(child, Signal.SIGKILL);
    if (waitpid(child, statusWord) == child && load<u32>(statusWord) == Signal.SIGKILL) killed++;
  }
  printf(cstr("forkbomb: %d killed\n"), killed);
  return killed == count && pid < 0 ? 0 : 1;
}
