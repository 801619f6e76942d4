/**
 * Commands that change the shell itself: cd, exit, export, wait, and : that does nothing. May import lib, lexer,
 * variables. Source: POSIX Shell Command Language, 2.14, and cd, wait.
 */
import {
  argument,
  chdir,
  complain,
  cstr,
  errorText,
  exit,
  flush,
  isNumber,
  parseDec,
  streq,
  waitpid,
  wExitStatus,
  wifExited,
  wTermSig,
} from "../../lib/index";
import { lastStatus } from "./lexer";
import { exportWord, variable } from "./variables";

const statusWord: usize = memory.data(4, 4);

function changeDirectory(target: usize): i32 {
  if (target == 0) target = variable(cstr("HOME"));
  if (target == 0) target = cstr("/");
  const result = chdir(target);
  if (result >= 0) return 0;
  complain(target, errorText(result));
  return 1;
}

/** wait: for the process `pid`, or for all when it is 0. */
function waitFor(pid: usize): i32 {
  if (pid == 0) {
    while (waitpid(-1, statusWord) > 0) {}
    return 0;
  }
  const number = isNumber(pid) ? parseDec(pid) : 0;
  if (number == 0 || waitpid(number, statusWord) < 0) return 127;
  const status = load<u32>(statusWord);
  return wifExited(status) ? wExitStatus(status) : 128 + wTermSig(status);
}

/** Runs the command if it is built in: its status, 0 to 255; -1 when it is not. */
export function builtin(vector: usize): i32 {
  const name = argument(vector, 0);
  const operand = argument(vector, 1);
  if (streq(name, cstr(":"))) return 0;
  if (streq(name, cstr("cd"))) return changeDirectory(operand);
  if (streq(name, cstr("wait"))) return waitFor(operand);
  if (streq(name, cstr("export"))) {
    for (let i = 1; argument(vector, i) != 0; i++) {
      if (exportWord(argument(vector, i))) continue;
      complain(argument(vector, i), cstr("not a name"));
      return 1;
    }
    return 0;
  }
  if (streq(name, cstr("exit"))) {
    flush();
    exit(operand == 0 ? lastStatus : parseDec(operand));
  }
  return -1;
}
