/** kill [-SIGNAL] PIDS...: sends a signal by number, SIGTERM unless told, to processes. May import lib. */
import { argument, complain, cstr, failure, isNumber, kill, parseDec, Signal } from "../lib/index";

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  let signal: u32 = Signal.SIGTERM;
  let first: i32 = 1;
  if (argc > 1 && load<u8>(argument(argv, 1)) == 0x2d && isNumber(argument(argv, 1) + 1)) {
    signal = parseDec(argument(argv, 1) + 1);
    first = 2;
  }
  if (first >= argc) {
    complain(cstr("kill"), cstr("which process?"));
    return 2;
  }
  let status: i32 = 0;
  for (let i = first; i < argc; i++) {
    const pid = argument(argv, i);
    if (!isNumber(pid)) {
      complain(pid, cstr("not a process number"));
      status = 2;
      continue;
    }
    const result = kill(parseDec(pid), signal);
    if (result < 0) status = failure(cstr("kill"), pid, result);
  }
  return status;
}
