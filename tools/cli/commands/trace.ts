/**
 * `tine trace PROGRAM [ARGS]`: as `tine run`, and shows what happens, instruction by instruction, on stdout or in a file. The guest's own
 * output goes to stderr then; where the trace is in a file, to stdout.
 */
import { Command, Option } from "commander";
import type { DiffBy } from "../../trace/diff";
import { lastOption } from "../options";
import { writableFile } from "../outputfile";
import { PANIC_TRACE } from "../session";
import { finishRecording, finishTrace } from "../traceend";
import { type TraceOptions, traceLettersOption, traceSpecOf, withLineOptions, withTraceOptions } from "../traceoptions";
import { finish, type RunOptions, runProgram, withRunOptions } from "./run";

const STDOUT = 1;

const EXAMPLES = `
Examples:
  tine trace --trace events hello.ts                    what happens, without instructions
  tine trace --func copyPageRange hello.ts              what copyPageRange does, with what it calls
  tine trace --after fork --count 1000000 --output trace.txt hello.ts
  tine trace --watch c0119a40 hello.ts                  who writes this word
  tine trace --last 50 hello.ts                         the end of the run
  tine trace --record run.tine hello.ts                 records it; then any part of it:
  tine trace --from 750000 --count 200 run.tine`;

/** Whether a path names a recording. A file that cannot be read is no recording: it is told as a program that cannot be read. */
async function isRecordedRun(path: string): Promise<boolean> {
  const { isFileOf } = await import("../../trace/chunks");
  const { RECORDING } = await import("../../replay/recording");
  try {
    return isFileOf(RECORDING, path);
  } catch {
    return false;
  }
}

/** `tine trace show`. */
function showCommand(): Command {
  return withLineOptions(new Command("show"))
    .description("print a binary trace as text")
    .argument("<file>", "what --binary wrote")
    .action(async (path: string, options: TraceOptions) => {
      const { showTrace } = await import("../tracefiles");
      await showTrace(path, options);
    });
}

/** `tine trace diff`. */
function diffCommand(): Command {
  return new Command("diff")
    .description("find where two runs part: binary traces or recordings (exit code 1 if they do)")
    .argument("<one>", "what --binary or --record wrote")
    .argument("<two>", "another")
    .addOption(
      new Option("--by <what>", "compare instructions with all that they do, or only the way through the source")
        .choices(["instruction", "line", "function"])
        .default("instruction"),
    )
    .action(async (one: string, two: string, { by }: { by: DiffBy }) => {
      const { diffTraces } = await import("../tracefiles");
      diffTraces(one, two, by);
    });
}

/** `tine trace`. */
export function traceCommand(): Command {
  return withTraceOptions(withRunOptions(new Command("trace")))
    .description("run a guest program and show what happens, instruction by instruction")
    .addOption(traceLettersOption("what to show, by letters (see below); all by default"))
    .addOption(lastOption())
    .addOption(
      new Option("--record <file>", "record the run, to be traced later: tine trace FILE; the disk is a copy then")
        .argParser(writableFile)
        .conflicts("last"),
    )
    .addHelpText("after", EXAMPLES)
    .addCommand(showCommand())
    .addCommand(diffCommand())
    .action(async (path: string, args: string[], options: RunOptions & TraceOptions & { record?: string }) => {
      if (await isRecordedRun(path)) {
        const { traceRecording } = await import("../tracereplay");
        await traceRecording(path, options);
        return;
      }
      const spec = traceSpecOf(options, STDOUT, [path, ...args].join(" "));
      if (options.last !== undefined) {
        const last = { count: options.last, when: "always", spec } as const;
        const result = await runProgram(path, args, options, { last }, process.stderr);
        for (const line of result.last) process.stdout.write(`${line}\n`);
        finish(result);
        return;
      }
      // A recording can be traced later: only what is asked for is traced now.
      const traces = options.record === undefined || options.trace !== undefined || options.binary !== undefined;
      const output =
        traces && options.output === undefined && options.binary === undefined ? process.stderr : process.stdout;
      const shown = {
        last: { count: PANIC_TRACE, when: "panic" } as const,
        ...(traces ? { trace: spec } : {}),
        ...(options.record === undefined
          ? {}
          : { record: { path: options.record, command: [path, ...args].join(" ") } }),
      };
      const result = await runProgram(path, args, options, shown, output);
      finish(result);
      finishTrace(result.trace, result.end.reason === "stopped", options.output ?? options.binary);
      finishRecording(options.record, result.recordError);
    });
}
