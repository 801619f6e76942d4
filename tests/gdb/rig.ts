/**
 * A machine behind our gdb server, and Debian's gdb in batch mode in front of it. May import cpu, tools, tests/guest, Node.
 */

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Machine } from "../../cpu/index";
import { findRoot } from "../../tools/compiler/root";
import { type Debugged, debugMachine } from "../../tools/gdb/debugged";
import { GDB_SCRIPT_NAME, gdbScript } from "../../tools/gdb/script";
import { GdbServer } from "../../tools/gdb/server";
import { type KernelLayout, kernelLayout } from "../../tools/image/layout";
import { buildUserProgram } from "../../tools/image/program";
import { Symbols } from "../../tools/image/symbols";
import { buildInitrd, readTar } from "../../tools/image/ustar";
import type { HistoryOptions } from "../../tools/replay/history";
import { builtImages } from "../guest/guest";

/** A global, a function that changes it in parent and child, and a fork whose tables are shared. With an argument it runs for ever. */
export const PROGRAM = `import { cstr, exit, fork, printf, waitpid } from "tine";

let counter: u32 = 1;

export function addToCounter(by: u32): u32 {
  const before = counter;
  counter = before + by;
  mayBeInlined(before);
  printf(cstr("counter %d\\n"), counter);
  const after = counter;
  if (after < before) return before;
  if (after == 0) return 1;
  if (by == 0) return 0;
  return after;
}

let last: u32 = 0;
function mayBeInlined(value: u32): void {
  last = value;
}

export function main(argc: i32, _argv: usize, _envp: usize): i32 {
  while (argc > 1) counter++;
  const pid = fork();
  if (pid == 0) {
    addToCounter(41);
    exit(0);
  }
  waitpid(pid, 0, 0);
  addToCounter(1);
  return 7;
}
`;

/** A guest program's file in the initrd and, for gdb, on disk. */
export interface Program {
  name: string;
  bytes: Uint8Array;
  file: string;
}

export interface Rig {
  debugged: Debugged;
  server: GdbServer;
  port: number;
  /** The kernel as a file, for gdb. */
  kernel: string;
  program: Program;
  layout: KernelLayout;
  /** Address of a symbol of the kernel. */
  symbol(name: string): number;
  /** What the guest has sent. */
  output(): string;
  farewells: string[];
  notes: string[];
  close(): void;
}

let compiled: Promise<Program> | undefined;

/** The program, compiled once for all machines of a test file; its folder goes with the process. */
async function compile({ name, source }: { name: string; source: string }): Promise<Program> {
  const folder = mkdtempSync(join(tmpdir(), "tine-gdb-test-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, `${name}.ts`);
  writeFileSync(path, source);
  const file = join(folder, name);
  const bytes = await buildUserProgram(path);
  writeFileSync(file, await buildUserProgram(path, { fullDebug: true }));
  return { name: `bin/${name}`, bytes, file };
}

export interface RigOptions {
  history?: HistoryOptions;
  arguments?: string;
  /** Instead of PROGRAM; the same one in all of a test file. */
  program?: { name: string; source: string };
  /** 16 unless told. */
  memoryMB?: number;
  /** The initrd holds all that ours does; unless told, it holds no test programs. */
  allFiles?: boolean;
}

/** Our kernel with the program under fork=share, at its first instruction. */
export async function startRig(options: RigOptions = {}): Promise<Rig> {
  const built = await builtImages();
  compiled ??= compile(options.program ?? { name: "program", source: PROGRAM });
  const program = await compiled;
  const { name, bytes } = program;
  const files = readTar(built.initrd, "initrd").filter(
    (file) => options.allFiles === true || !file.name.startsWith("tests/"),
  );
  const initrd = buildInitrd([...files, { name, data: bytes, mode: 0o755 }]);
  let output = "";
  let debugged: Debugged | undefined;
  const machine = new Machine({
    memoryMB: options.memoryMB ?? 16,
    onSerial: (sent) => {
      if (debugged?.control.isTelling) output += Buffer.from(sent).toString("latin1");
    },
  });
  const commandLine = `quiet fork=share init=/bin/init -- /${name} ${options.arguments ?? ""}`.trimEnd();
  machine.loadMultiboot(built.kernel, { commandLine, modules: [initrd] });
  const layout = kernelLayout(built.kernel);
  if (layout === undefined) throw new Error("our kernel has a layout");
  const symbols = new Symbols(built.kernel);
  debugged = debugMachine(machine, {
    ...{ layout, program: { name: program.name, data: bytes }, images: { kernel: built.kernel, modules: [initrd] } },
    ...(options.history ? { history: options.history } : {}),
  });
  const farewells: string[] = [];
  const notes: string[] = [];
  const server = new GdbServer(debugged, {
    arrival: () => {},
    farewell: (farewell) => farewells.push(farewell),
    note: (text) => notes.push(text),
  });
  const port = await server.listen(0);
  return {
    ...{ debugged, layout, server, port, program, farewells, notes, kernel: join(process.cwd(), "dist/kernel.elf") },
    symbol: (name) => symbols.address(name) ?? 0,
    output: () => output.replaceAll("\r\n", "\n"),
    close: () => server.close(),
  };
}

const MARK = "@@next@@";

/** What gdb, in batch mode and connected, prints for each of the commands. */
export async function runGdb(rig: Rig, commands: readonly string[]): Promise<string[]> {
  const before = ["set debuginfod enabled off", "set pagination off", "set confirm off", "set width 0"];
  const connect = [`target remote 127.0.0.1:${rig.port}`, `add-symbol-file ${rig.program.file}`];
  const script = join(dirname(rig.program.file), GDB_SCRIPT_NAME);
  writeFileSync(script, gdbScript(findRoot()));
  const args = ["-nx", "-batch", "-x", script, ...before.flatMap((command) => ["-iex", command])];
  for (const command of [...connect, ...commands]) args.push("-ex", command, "-ex", `echo ${MARK}\\n`);
  // Both of its streams in one, so that they stay in order.
  const shell = ["-c", 'exec gdb "$@" 2>&1', "gdb", ...args, rig.kernel];
  const child = spawn("sh", shell, { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (bytes: Buffer) => (text += bytes.toString()));
  const timer = setTimeout(() => child.kill("SIGKILL"), 100_000);
  await new Promise((resolve) => child.on("close", resolve));
  clearTimeout(timer);
  return text.split(`${MARK}\n`).slice(connect.length, connect.length + commands.length);
}
