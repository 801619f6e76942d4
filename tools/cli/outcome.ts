/**
 * From how a run ended to an exit code and, where something went wrong, one line. May import session.ts and exitcodes.ts.
 */
import { ExitCode } from "./exitcodes";
import type { SessionResult } from "./session";

/** The exit code of a run and a line for stderr, if there is something to say. Source: design, "Command line". */
export function outcome(result: SessionResult): { code: number; line?: string } {
  const { end, programStatus, panicked } = result;
  const at = `after ${result.instret} instructions`;
  switch (end.reason) {
    case "exit":
      if (panicked || end.value === 1) return { code: ExitCode.Panic, line: `the guest kernel panicked ${at}` };
      return { code: programStatus ?? (end.value === 0 ? ExitCode.Ok : ExitCode.Failed) };
    case "tripleFault":
      return { code: ExitCode.Panic, line: `the processor stopped in a triple fault ${at}` };
    case "budget":
      return { code: ExitCode.Budget, line: `out of budget ${at}` };
    case "audit":
      return { code: ExitCode.Panic, line: `the audit found the guest's memory in disorder ${at}` };
    case "traced":
      return { code: ExitCode.Ok };
    case "stopped":
      return { code: ExitCode.Interrupted };
    case "reset":
      return { code: ExitCode.Ok, line: `the guest reset the machine ${at}` };
    case "halt":
      return { code: ExitCode.Panic, line: `the processor halted for good ${at}` };
    default:
      return { code: ExitCode.Panic, line: `the machine stopped (${end.reason}) ${at}` };
  }
}
