/** sleep SECONDS: waits, by the machine's clock. May import lib. */
import { argument, complain, cstr, isNumber, nanosleep, parseDec, Timespec } from "../lib/index";

const duration: usize = memory.data(8, 4);

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  if (argc != 2 || !isNumber(argument(argv, 1))) {
    complain(cstr("sleep"), cstr("how many seconds?"));
    return 2;
  }
  const request = changetype<Timespec>(duration);
  request.seconds = parseDec(argument(argv, 1));
  return nanosleep(request, null) == 0 ? 0 : 1;
}
