/**
 * How many page directories point at a page table of this process, as /proc/self/tables says: `slot frame users ...` a line. May import lib
 * and support/.
 */
import { cstr, parseDec, readFile, strchr } from "../../lib/index";
import { fail, must } from "./results";

const TEXT_BYTES: i32 = 16384;
const text: usize = memory.data(16384);

/** Of the table that maps `address`, which there must be. */
export function usersOf(address: usize): u32 {
  must(readFile(cstr("/proc/self/tables"), text, TEXT_BYTES) > 0, cstr("/proc/self/tables can be read"));
  for (let line = text; load<u8>(line) != 0; line = strchr(line, 0x0a) + 1) {
    if (parseDec(line) != address >> 22) continue;
    return parseDec(strchr(strchr(line, 0x20) + 1, 0x20) + 1);
  }
  fail(cstr("there is such a table"));
  return 0;
}
