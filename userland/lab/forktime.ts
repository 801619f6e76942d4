/**
 * forktime KILOBYTES ROUNDS: what fork, fork and exit, and fork, exec and exit cost a process with so much private memory, all written, each
 * ROUNDS times: the table that Dave McCracken made of his patch for shared page tables (lkml, October 2002). Before each fork the parent writes
 * every page again, so that nothing is write-protected any more from the fork before it.
 *
 * Regions, the tag of each being its round: Fork, of which the part of the parent itself is the cost of the fork call and of its first write to its stack; ForkExit from the fork to
 * the return of the parent's wait; ForkExecExit the same with a child that executes /bin/true. Lines say what one fork took: frames (of
 * 4 KB), rmap entries, tables that it copied. May import lib and support/.
 */
import { counted, cstr, execve, exit, Region, regionBegin, regionEnd, takeSnapshot } from "../lib/index";
import { areaIntact, fillArea, MOST_KB, writeArea } from "./support/area";
import { lastParameter, numberParameter, parameters } from "./support/parameters";
import { forkMeasured, forkWell, waitWell, warmUp } from "./support/processes";
import { must, say } from "./support/results";

const before: usize = memory.data(4096);
const after: usize = memory.data(4096);
const childArguments: usize = memory.data(8, 4);
const noEnvironment: usize = memory.data(4, 4);

/** One fork; the child is waited for outside of the region. */
function forkOnly(round: u32): void {
  const pid = forkMeasured(round);
  if (pid == 0) exit(0);
  waitWell(pid);
}

function forkExit(round: u32): void {
  regionBegin(Region.ForkExit, round);
  const pid = forkWell();
  if (pid == 0) exit(0);
  waitWell(pid);
  regionEnd(Region.ForkExit, round);
}

function forkExecExit(round: u32, path: usize): void {
  regionBegin(Region.ForkExecExit, round);
  const pid = forkWell();
  if (pid == 0) {
    execve(path, childArguments, noEnvironment);
    exit(1);
  }
  waitWell(pid);
  regionEnd(Region.ForkExecExit, round);
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  parameters(argc, argv, cstr("forktime KILOBYTES ROUNDS"));
  const kilobytes = numberParameter(4, MOST_KB);
  const rounds = numberParameter(1, 1000);
  lastParameter();
  const path = cstr("/bin/true");
  store<usize>(childArguments, path);
  warmUp(before);
  warmUp(after);
  const pages = fillArea(kilobytes);
  for (let round: u32 = 0; round < rounds; round++) {
    writeArea(pages);
    takeSnapshot(before);
    forkOnly(round);
    takeSnapshot(after);
    writeArea(pages);
    forkExit(round);
    writeArea(pages);
    forkExecExit(round, path);
  }
  say(cstr("forkFrames"), counted(before, after, cstr("fork_frames")));
  say(cstr("forkRmapAdds"), counted(before, after, cstr("fork_rmap_added")));
  say(cstr("tablesCopied"), counted(before, after, cstr("tables_copied")));
  must(areaIntact(pages, 1), cstr("the parent's memory is as it was"));
  return 0;
}
