/**
 * Exit codes of the command line, and the error that carries one. May import nothing.
 * `tine run` passes the guest program's own status through when the machine ended well.
 */

export const enum ExitCode {
  Ok = 0,
  /** A guest test, or a check that the command makes itself, failed. */
  Failed = 1,
  /** Wrong usage or bad input. */
  Usage = 2,
  /** The guest kernel panicked, the processor stopped in a triple fault, or an audit found a difference. */
  Panic = 3,
  /** The instruction budget ran out. */
  Budget = 4,
  /** The user interrupted it: what a shell gives for a command that SIGINT ended. */
  Interrupted = 130,
}

/** Something that the user can mend: printed as one line `tine: message`, without a stack trace. */
export class CliError extends Error {
  constructor(
    message: string,
    readonly code: ExitCode = ExitCode.Usage,
  ) {
    super(message);
  }
}
