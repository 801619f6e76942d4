/**
 * Running other programs from a test and looking at what they print. May import lib.
 */
import { close, cstr, dup2, execve, exit, flush, fork, pipe, printf, read, streq, waitFor } from "../../lib/index";

const OUTPUT_BYTES: i32 = 8192;
const output: usize = memory.data(8192);
const vector: usize = memory.data(40, 4);
const environment: usize = memory.data(8, 4);
const ends: usize = memory.data(8, 4);

/** Status word of the program that ran last. */
export let programStatus: u32 = 0;

/** An argument vector of up to five strings; it holds until the next call. */
export function vectorOf(a: usize, b: usize = 0, c: usize = 0, d: usize = 0, e: usize = 0): usize {
  store<usize>(vector, a);
  store<usize>(vector + 4, b);
  store<usize>(vector + 8, c);
  store<usize>(vector + 12, d);
  store<usize>(vector + 16, e);
  store<usize>(vector + 20, 0);
  return vector;
}

/** Runs a program with its descriptors 1 and 2 caught: all that it printed, as a string that holds until the next call. */
export function outputOf(path: usize, programArguments: usize): usize {
  assert(pipe(ends) == 0, "there is a pipe for a program's output");
  store<usize>(environment, cstr("COLOR=blue"));
  flush();
  const pid = fork();
  if (pid == 0) {
    dup2(load<i32>(ends + 4), 1);
    dup2(load<i32>(ends + 4), 2);
    close(load<i32>(ends));
    close(load<i32>(ends + 4));
    execve(path, programArguments, environment);
    exit(127);
  }
  close(load<i32>(ends + 4));
  let bytes: i32 = 0;
  while (true) {
    const got = read(load<i32>(ends), output + bytes, OUTPUT_BYTES - 1 - bytes);
    assert(got >= 0, "the output can be read");
    if (got == 0) break;
    bytes += got;
  }
  close(load<i32>(ends));
  store<u8>(output + bytes, 0);
  programStatus = waitFor(pid);
  return output;
}

/** Whether two strings are the same; shows the first when they are not. */
export function sameText(actual: usize, expected: usize): bool {
  if (streq(actual, expected)) return true;
  printf(cstr('# got "%s"\n# expected "%s"\n'), actual, expected);
  return false;
}
