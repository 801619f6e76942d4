/**
 * storm WORK COUNT: many tiny processes, the case on which shared page tables once failed (shpte, December 2002: 3.2 % slower). WORK `exec`: COUNT
 * children one after another, each of which executes /bin/true. WORK `script`: /bin/sh runs /script, which starts COUNT small commands.
 *
 * Region Storm is all of it; a line says how many processes were forked. May import lib and support/.
 */
import { counter, cstr, execve, exit, Region, regionBegin, regionEnd } from "../lib/index";
import { choiceParameter, lastParameter, numberParameter, parameters } from "./support/parameters";
import { forkWell, waitWell, warmUp } from "./support/processes";
import { must, say } from "./support/results";

const snapshot: usize = memory.data(4096);
const childArguments: usize = memory.data(12, 4);
const noEnvironment: usize = memory.data(4, 4);

/** One child that executes `path`, to its end. */
function runOne(path: usize): void {
  const pid = forkWell();
  if (pid == 0) {
    execve(path, childArguments, noEnvironment);
    exit(1);
  }
  waitWell(pid);
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  parameters(argc, argv, cstr("storm exec|script COUNT"));
  const isScript = choiceParameter(cstr("exec"), cstr("script"));
  const count = numberParameter(1, 1000000);
  lastParameter();
  const path = isScript ? cstr("/bin/sh") : cstr("/bin/true");
  store<usize>(childArguments, path);
  if (isScript) store<usize>(childArguments, cstr("/script"), 4);
  warmUp(snapshot);
  const before = counter(cstr("forks"));
  regionBegin(Region.Storm, 0);
  const rounds: u32 = isScript ? 1 : count;
  for (let i: u32 = 0; i < rounds; i++) runOne(path);
  regionEnd(Region.Storm, 0);
  const forks = counter(cstr("forks")) - before;
  say(cstr("processes"), forks);
  must(forks >= count, cstr("so many processes were forked"));
  return 0;
}
