/**
 * init [PROGRAM [ARGUMENTS...]]: process 1. Runs the program (/bin/sh without one) in a child, waits for every process that is
 * handed to it, and ends with the program's exit status, or 128 + the signal that killed it; the kernel then ends the run.
 * The kernel has opened the console as descriptors 0, 1 and 2. May import lib.
 */
import { argument, cstr, execve, exit, failure, fork, waitpid, wExitStatus, wifExited, wTermSig } from "../lib/index";

const statusWord: usize = memory.data(4, 4);
const shellArguments: usize = memory.data(8, 4);

export function main(argc: i32, argv: usize, envp: usize): i32 {
  let program = argv + 4;
  if (argc < 2) {
    store<usize>(shellArguments, cstr("/bin/sh"));
    program = shellArguments;
  }
  const pid = fork();
  if (pid < 0) return failure(cstr("init"), cstr("fork"), pid);
  if (pid == 0) {
    const result = execve(argument(program, 0), program, envp);
    failure(cstr("init"), argument(program, 0), result);
    exit(127);
  }
  while (true) {
    const ended = waitpid(-1, statusWord);
    if (ended < 0) return failure(cstr("init"), cstr("wait"), ended);
    if (ended == pid) {
      const status = load<u32>(statusWord);
      return wifExited(status) ? wExitStatus(status) : 128 + wTermSig(status);
    }
  }
}
