/**
 * An experiment of a few milliseconds, as a person would write one: a program that forks once, and its declaration. Two parameters; `status` is what the
 * program ends with. May import tests/cli/tine.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const PROGRAM = `import { argument, cstr, exit, flush, fork, MAP_PRIVATE, mmapAnonymous, PROT_READ, PROT_WRITE, parseDec, printf, regionBegin, regionEnd, waitpid } from "tine";
export function main(argc: i32, argv: usize, envp: usize): i32 {
  const bytes: usize = parseDec(argument(argv, 1)) << 10;
  const start = mmapAnonymous(0x60000000, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  for (let at: usize = 0; at < bytes; at += 4096) store<u32>(start + at, 1);
  for (let i: u32 = 0; i < 20; i++) {
    regionBegin(200, i);
    const pid = fork();
    if (pid == 0) exit(0);
    waitpid(pid, 0);
    regionEnd(200, i);
  }
  printf(cstr("kilobytes=%u\\n"), bytes >> 10);
  flush();
  return parseDec(argument(argv, 2));
}
`;

const DECLARATION = `const TWIN = 200;
export default {
  name: "twin",
  title: "fork & exit",
  question: "Is <this> quick?",
  program: "twin.ts",
  parameters: [
    { name: "size", title: "private memory", unit: "KB", least: 4, most: 1048576, values: [64, 256, 1024] },
    { name: "status", title: "how it ends", values: [0] },
  ],
  arguments: ({ size, status }) => [size, status],
  memoryMB: ({ size }) => 8 + 2 * Math.ceil(size / 1024),
  regions: { twin: TWIN },
  figures: [
    { name: "first", title: "first fork + exit", unit: "cycles", read: (seen) => seen.region(TWIN).cycles },
    { name: "kilobytes", title: "memory", unit: "KB", read: (seen) => seen.value("kilobytes") },
  ],
  distributions: [
    { name: "all", title: "each fork + exit", unit: "cycles", read: (seen) => seen.regions(TWIN).map(({ cycles }) => cycles) },
  ],
  charts: [{ title: "Fork and exit", figure: "first", x: "size" }],
  comparisons: [{ figure: "first", dear: "copy", cheap: "share" }],
  othersFigures: [
    { who: "Nobody, 2002", source: "nowhere", what: "fork", theirs: "2 ms against 1 ms", ratio: 2, ours: { figure: "first", dear: "copy", cheap: "share", at: { size: 64, status: 0 } }, differs: "all of it" },
  ],
};
`;

/** Writes the two files into a folder. */
export function writeTwin(folder: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "twin.ts"), PROGRAM);
  writeFileSync(join(folder, "twin.mjs"), DECLARATION);
}
