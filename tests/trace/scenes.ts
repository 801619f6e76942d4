/**
 * A guest program in which everything happens that a trace tells of, and runs of it. May import cpu, tools, tests/guest.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DiskBackend, Machine } from "../../cpu/index";
import { kernelLayout } from "../../tools/image/layout";
import { buildUserProgram } from "../../tools/image/program";
import { buildInitrd, readTar } from "../../tools/image/ustar";
import { Events, type TraceEvent, type TraceEventKind } from "../../tools/trace/events";
import { builtImages } from "../guest/guest";

/** Memory that is shared by fork: a slot of its own. */
export const AREA = 0x50000000;

/** What the program does, step by step; its notes tell the steps apart. */
export const SCENES = `
import {
  cstr, execve, exit, fork, MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, mmap, munmap, O_RDONLY, open, pipe, printf, PROT_READ, PROT_WRITE,
  read, traceNote, traceOff, traceOn, waitpid, write,
} from "tine";

const AREA: usize = 0x50000000;
const status: usize = memory.data(4, 4);
const ends: usize = memory.data(8, 4);
const text: usize = memory.data(16, 4);
const words: usize = memory.data(8, 4);

export function touchPages(count: u32, value: u32): void {
  for (let page: u32 = 0; page < count; page++) store<u32>(AREA + page * 4096, value);
}

export function addUp(count: u32): u32 {
  let sum: u32 = 0;
  for (let page: u32 = 0; page < count; page++) sum += load<u32>(AREA + page * 4096);
  return sum;
}

function wait(pid: i32): void {
  waitpid(pid, status);
}

export function main(): i32 {
  mmap(AREA, 0x400000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS);
  traceNote(1);
  touchPages(3, 7);
  traceNote(2);
  let pid = fork();
  if (pid == 0) {
    addUp(3);
    store<u32>(AREA + 4096, 8);
    exit(3);
  }
  wait(pid);
  traceNote(3);
  pid = fork();
  if (pid == 0) {
    munmap(AREA + 0x2000, 0x1000);
    exit(0);
  }
  wait(pid);
  traceNote(4);
  open(cstr("/no/such/file"), O_RDONLY);
  pipe(ends);
  write(load<i32>(ends + 4), cstr("to\\tthe \\"pipe\\"\\n"), 14);
  read(load<i32>(ends), text, 16);
  traceNote(5);
  pid = fork();
  if (pid == 0) {
    store<usize>(words, cstr("/bin/true"));
    store<usize>(words + 4, 0);
    execve(cstr("/bin/true"), words, words + 4);
  }
  wait(pid);
  traceNote(6);
  pid = fork();
  if (pid == 0) {
    store<u32>(0x1000, 1);
  }
  wait(pid);
  traceNote(7);
  traceOn();
  addUp(2);
  traceOff();
  printf(cstr("sum %u\\n"), addUp(3));
  return 5;
}
`;

const built = await builtImages();
export const { kernel } = built;
export const layout = kernelLayout(kernel);

/** The initrd with programs, by name and source, in /bin. */
export async function initrdOf(sources: Record<string, string>): Promise<Uint8Array> {
  const folder = mkdtempSync(join(tmpdir(), "tine-trace-"));
  try {
    const files = readTar(built.initrd, "initrd.tar");
    for (const [name, source] of Object.entries(sources)) {
      const path = join(folder, `${name}.ts`);
      writeFileSync(path, source);
      files.push({ name: `bin/${name}`, data: await buildUserProgram(path), mode: 0o755 });
    }
    return buildInitrd(files);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export const initrd = await initrdOf({ scenes: SCENES });

/** A machine that is to run a program of an initrd as init's child. */
export function machineOf(
  program = "scenes",
  options: { words?: string; memoryMB?: number; disk?: DiskBackend; modules?: readonly Uint8Array[] } = {},
): Machine {
  const { words = "fork=share", memoryMB = 32, disk, modules = [initrd] } = options;
  const machine = new Machine({ memoryMB, ...(disk === undefined ? {} : { disk }) });
  machine.loadMultiboot(kernel, { commandLine: `quiet ${words} -- /bin/${program}`, modules: [...modules] });
  return machine;
}

/** All events of a run, or those of some kinds. */
export function eventsOf(machine: Machine, kinds?: readonly TraceEventKind[]): TraceEvent[] {
  const heard: TraceEvent[] = [];
  new Events(machine, layout).on((event) => heard.push(event), kinds);
  machine.run({ maxInstructions: 1e9 });
  return heard;
}

/** Events between two notes of the scenes. */
export function between(events: readonly TraceEvent[], first: number, last: number): TraceEvent[] {
  const note = (tag: number) => events.findIndex((event) => event.kind === "traceMark" && event.value === tag);
  return events.slice(note(first) + 1, note(last));
}

/** Events of one kind. */
export function ofKind<Kind extends TraceEventKind>(
  events: readonly TraceEvent[],
  kind: Kind,
): Extract<TraceEvent, { kind: Kind }>[] {
  return events.filter((event): event is Extract<TraceEvent, { kind: Kind }> => event.kind === kind);
}
