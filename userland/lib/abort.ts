/**
 * What a failed assert of a program calls (asc's `--use abort=`): says message, file and line on descriptor 1, where test
 * output goes, and ends the process with status 134, which is what a shell shows for SIGABRT.
 * May import print and syscalls. AssemblyScript strings are UTF-16 with their length in bytes at address - 4.
 */
import { cstr } from "../../kernel/abi/intrinsics";
import { flush, print, printChar, printUnsigned } from "./print";
import { exit } from "./syscalls";

export const ABORT_STATUS: i32 = 134;

function printWide(text: usize): void {
  const bytes = load<u32>(text - 4);
  for (let i: u32 = 0; i < bytes; i += 2) {
    const unit: u32 = load<u16>(text + i);
    printChar(unit < 0x80 ? unit : 0x3f);
  }
}

/** "# FILE:LINE: MESSAGE", then the end of the process. */
export function abortProgram(message: string | null, file: string | null, line: u32, _column: u32): void {
  print(cstr("# "));
  if (file != null) printWide(changetype<usize>(file));
  printChar(0x3a);
  printUnsigned(line);
  print(cstr(": "));
  if (message != null) printWide(changetype<usize>(message));
  else print(cstr("assertion failed"));
  printChar(0x0a);
  flush();
  exit(ABORT_STATUS);
}
