/** ps: the processes there are, from /proc: number, parent, state, resident memory and name. May import lib. */
import {
  close,
  cstr,
  DIRENT64_NAME,
  Dirent64,
  failure,
  getdents,
  isNumber,
  O_DIRECTORY,
  O_RDONLY,
  open,
  printChar,
  printLine,
  readFile,
  stpcpy,
  strlen,
  strstr,
} from "../lib/index";

const BYTES: i32 = 2048;
const buffer: usize = memory.data(2048, 8);
const text: usize = memory.data(2048);
const path: usize = memory.data(64);

/** The rest of the line after `name` and white space, padded on the left to `width`; blank where there is no such line. */
function printField(name: usize, width: i32): void {
  const line = strstr(text, name);
  let at = line == 0 ? text + strlen(text) : line + strlen(name);
  while (load<u8>(at) == 0x20 || load<u8>(at) == 0x09) at++;
  let end = at;
  while (load<u8>(end) > 0x20) end++;
  for (let i = i32(end - at); i < width; i++) printChar(0x20);
  while (at < end) printChar(load<u8>(at++));
}

function printProcess(pid: usize): void {
  stpcpy(stpcpy(stpcpy(path, cstr("/proc/")), pid), cstr("/status"));
  if (readFile(path, text, BYTES) <= 0) return;
  printField(cstr("\nPid:"), 5);
  printField(cstr("\nPPid:"), 6);
  printField(cstr("\nState:"), 6);
  printField(cstr("\nVmRSS:"), 8);
  printChar(0x20);
  printField(cstr("Name:"), 0);
  printChar(0x0a);
}

export function main(): i32 {
  const fd = open(cstr("/proc"), O_RDONLY | O_DIRECTORY);
  if (fd < 0) return failure(cstr("ps"), cstr("/proc"), fd);
  printLine(cstr("  PID  PPID STATE   RSSkB NAME"));
  while (true) {
    const got = getdents(fd, buffer, BYTES);
    if (got < 0) return failure(cstr("ps"), cstr("/proc"), got);
    if (got == 0) break;
    for (let at: i32 = 0; at < got; at += changetype<Dirent64>(buffer + at).recordBytes) {
      if (isNumber(buffer + at + DIRENT64_NAME)) printProcess(buffer + at + DIRENT64_NAME);
    }
  }
  close(fd);
  return 0;
}
