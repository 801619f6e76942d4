/**
 * `tine trace PROGRAM [ARGS]`: as `tine run`, and shows what happens, instruction by instruction, on stdout or in a file. The guest's own
 * output goes to stderr then; where the trace is in a file, to stdout.
 */
import { Command } from "commander";
import { lastOption } from "../options";
import { PANIC_TRACE } from "../session";
import { finishTrace } from "../traceend";
import { type TraceOptions, traceLettersOption, traceSpecOf, withTraceOptions } from "../traceoptions";
import { finish, type RunOptions, runProgram, withRunOptions } from "./run";

const STDOUT = 1;

const EXAMPLES = `
Examples:
  tine trace --trace events hello.ts                    what happens, without instructions
  tine trace --func copyPageRange hello.ts              what copyPageRange does, with what it calls
  tine trace --after fork --count 1000000 --output trace.txt hello.ts
  tine trace --watch c0119a40 hello.ts                  who writes this word
  tine trace --last 50 hello.ts                         the end of the run`;

/** `tine trace`. */
export function traceCommand(): Command {
  return withTraceOptions(withRunOptions(new Command("trace")))
    .description("run a guest program and show what happens, instruction by instruction")
    .addOption(traceLettersOption("what to show, by letters (see below); all by default"))
    .addOption(lastOption())
    .addHelpText("after", EXAMPLES)
    .action(async (path: string, args: string[], options: RunOptions & TraceOptions) => {
      const spec = traceSpecOf(options, STDOUT);
      const output = options.output === undefined ? process.stderr : process.stdout;
      if (options.last !== undefined) {
        const last = { count: options.last, when: "always", spec } as const;
        const result = await runProgram(path, args, options, { last }, process.stderr);
        for (const line of result.last) process.stdout.write(`${line}\n`);
        finish(result);
        return;
      }
      const last = { count: PANIC_TRACE, when: "panic" } as const;
      const result = await runProgram(path, args, options, { last, trace: spec }, output);
      finish(result);
      finishTrace(result, options.output);
    });
}
