/**
 * `tine gdb` at work: boots a machine, serves debuggers, and between them lets it stand. May import tools/gdb, tools/image, tools/replay,
 * Node and the rest of tools/cli.
 *
 * The disk is a copy: a machine that can go back does not write to a file.
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, relative } from "node:path";
import { EventKind, MachineError } from "../../cpu/index";
import { Mark } from "../../kernel/abi/marks";
import { findRoot } from "../compiler/root";
import type { Progress } from "../gdb/control";
import { type Debugged, debugMachine } from "../gdb/debugged";
import { GDB_SCRIPT_NAME, gdbScript } from "../gdb/script";
import { GdbServer } from "../gdb/server";
import { kernelLayout } from "../image/layout";
import { buildUserProgram } from "../image/program";
import { bootRecipe, copyOfDisk, type Recipe } from "../replay/recipe";
import type { GdbOptions } from "./commands/gdb";
import { CliError, ExitCode } from "./exitcodes";
import { GuestInput } from "./guestinput";
import { guestProgram } from "./guestprogram";
import { outputFolder } from "./images";
import { fileReason } from "./input";
import { outcome } from "./outcome";
import { ConsoleText } from "./terminal";

/** What is typed at the guest: a person's input as it comes, another's when the guest sleeps, and then its end. */
class TypedInput {
  private readonly input = new GuestInput();
  readonly next = this.input.reader();

  constructor() {
    process.stdin.on("data", (bytes: Buffer) => this.input.add(new Uint8Array(bytes)));
    process.stdin.on("end", () => (this.input.ended = true));
  }

  release(): void {
    process.stdin.removeAllListeners("data");
    process.stdin.pause();
  }
}

/** The command line that connects gdb. */
function connection(port: number, script: string, programFile: string | undefined): string {
  const words = ["gdb", relative(process.cwd(), join(outputFolder(), "kernel.elf")), "-x", script];
  words.push("-ex", `'target remote 127.0.0.1:${port}'`);
  if (programFile !== undefined) words.push("-ex", `'add-symbol-file ${programFile}'`);
  return words.join(" ");
}

/** Serves debuggers until one ends the machine, or it has ended without one. Returns the exit code. */
export async function runGdb(path: string | undefined, args: string[], options: GdbOptions): Promise<number> {
  const { recipe, program } = await guestProgram(path, args, options);
  const folder = mkdtempSync(join(tmpdir(), "tine-gdb-"));
  try {
    const script = join(folder, GDB_SCRIPT_NAME);
    writeFileSync(script, gdbScript(findRoot()));
    const programFile = program && join(folder, basename(program.name));
    // What boots is what `tine run` boots; gdb gets the same program with all debug information.
    const isSource = path?.endsWith(".ts") === true;
    if (programFile && path) {
      writeFileSync(programFile, isSource ? await buildUserProgram(path, { fullDebug: true }) : program.data);
    }
    const text = new ConsoleText();
    const machine = await boot(recipe, (bytes) => process.stdout.write(text.filter(bytes)));
    return await serve(machine, options, (port) => connection(port, script, programFile));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }

  async function boot(made: Recipe, write: (bytes: Uint8Array) => void): Promise<Debugged> {
    try {
      let debugged: Debugged | undefined;
      const machine = bootRecipe(made, await copyOfDisk(made), (bytes) => {
        if (debugged?.control.isTelling) write(bytes);
      });
      debugged = debugMachine(machine, {
        ...{ layout: kernelLayout(made.kernel), images: { kernel: made.kernel, modules: made.modules } },
        ...(program ? { program } : {}),
      });
      return debugged;
    } catch (error) {
      throw error instanceof MachineError ? new CliError(error.message) : error;
    }
  }
}

async function serve(debugged: Debugged, options: GdbOptions, howTo: (port: number) => string): Promise<number> {
  const { control } = debugged;
  const input = new TypedInput();
  control.input = input.next;
  const status = watchStatus(debugged);
  let finish: (code: number) => void = () => {};
  const over = new Promise<number>((resolve) => {
    finish = resolve;
  });
  // The run after a debugger has let the machine go.
  let free: Progress | undefined;
  const goOn = (progress: Progress, interrupted: boolean): void => {
    if (progress !== free) return;
    const step = progress.next(interrupted);
    if (step.done) {
      free = undefined;
      if (step.value.kind === "end") finish(status.code());
    } else if (step.value > 0) setTimeout(() => goOn(progress, false), step.value);
    else setImmediate(() => goOn(progress, false));
  };
  const server = new GdbServer(debugged, {
    note: (line) => process.stderr.write(`tine: ${line}\n`),
    arrival: () => free && goOn(free, true),
    farewell: (farewell) => {
      if (farewell === "kill") {
        finish(ExitCode.Ok);
        return;
      }
      debugged.stops.clear();
      free = control.forward();
      goOn(free, false);
    },
  });
  const stop = (): void => finish(ExitCode.Interrupted);
  process.on("SIGINT", stop).on("SIGTERM", stop);
  try {
    const port = await server.listen(options.port).catch((error: Error) => {
      throw new CliError(`port ${options.port}: ${fileReason(error)}`);
    });
    process.stderr.write(`${howTo(port)}\n`);
    return await over;
  } finally {
    server.close();
    input.release();
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
}

/** Follows how the guest's program ends. */
function watchStatus({ control }: Debugged): { code(): number } {
  let programStatus: number | undefined;
  let panicked = false;
  control.machine.onEvent(
    ({ a }) => {
      if (a >>> 24 === Mark.ProgramStatus) programStatus = exitCodeOf(a & 0xffff);
      if (a >>> 24 === Mark.Panic) panicked = true;
    },
    [EventKind.Mark],
  );
  return {
    code() {
      const { instret, cycles } = control.machine;
      const end = control.endReason ?? { reason: "halt" };
      const { code, line } = outcome({
        end,
        instret,
        cycles,
        programStatus,
        panicked,
        regions: [],
        last: [],
        trace: undefined,
        recordError: undefined,
        audit: [],
      });
      if (line) process.stderr.write(`tine: ${line}\n`);
      return code;
    },
  };
}

/** The exit code that a shell gives for a wait status: the program's own, or 128 and the signal that ended it. */
function exitCodeOf(waitStatus: number): number {
  const signal = waitStatus & 0x7f;
  return signal === 0 ? waitStatus >>> 8 : 128 + signal;
}
