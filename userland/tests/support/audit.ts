/**
 * Invariant I1 and property 55 over the whole machine, from what /proc shows of every process. May import lib, tables.
 */
import {
  close,
  counter,
  cstr,
  DIRENT64_NAME,
  Dirent64,
  getdents,
  isNumber,
  O_DIRECTORY,
  O_RDONLY,
  open,
  parseDec,
  printf,
  same,
} from "../../lib/index";
import { parseTable, TableInfo, tablesText } from "./tables";

const ENTRIES: i32 = 1024;
const DIRECTORY_BYTES: i32 = 4096;

/** A distinct table: its frame, its use count, and how many directories were seen to point at it. */
@unmanaged
class Seen {
  frame: u32 = 0;
  users: u32 = 0;
  pointers: u32 = 0;
}
const SEEN_BYTES: usize = 12;
const seen: usize = memory.data(1024 * 12, 4);
const directory: usize = memory.data(4096, 8);
const table: TableInfo = changetype<TableInfo>(memory.data(24, 4));
let distinct: i32 = 0;

function entry(index: i32): Seen {
  return changetype<Seen>(seen + index * SEEN_BYTES);
}

/** Takes down one pointer to a table. */
function note(frame: u32, users: u32): void {
  let i: i32 = 0;
  while (i < distinct && entry(i).frame != frame) i++;
  const found = entry(i);
  if (i == distinct) {
    assert(distinct++ < ENTRIES, "the audit has room for all tables");
    found.frame = frame;
    found.users = users;
    found.pointers = 0;
  }
  assert(same(users, found.users), "a table has one use count");
  found.pointers++;
}

/** Takes down all tables of all processes. */
function collect(): void {
  distinct = 0;
  const fd = open(cstr("/proc"), O_RDONLY | O_DIRECTORY);
  while (true) {
    const got = getdents(fd, directory, DIRECTORY_BYTES);
    assert(got >= 0, "/proc can be listed");
    if (got == 0) break;
    for (let at: i32 = 0; at < got; at += changetype<Dirent64>(directory + at).recordBytes) {
      const name = directory + at + DIRENT64_NAME;
      if (!isNumber(name)) continue;
      let line = tablesText(parseDec(name));
      while (true) {
        line = parseTable(line, table);
        if (line == 0) break;
        note(table.frame, table.users);
      }
    }
  }
  close(fd);
}

/**
 * Asserts that the use count of every table in the machine is the number of directories that point at it, and that no
 * frame is in use as a table but those. How many there are.
 */
export function auditTables(): u32 {
  // Once before it counts: by then the memory that the audit itself writes to is this process's own.
  collect();
  counter(cstr("frames_table"));
  collect();
  for (let i: i32 = 0; i < distinct; i++) {
    const found = entry(i);
    if (found.users != found.pointers) printf(cstr("# table in frame 0x%x\n"), found.frame);
    assert(same(found.users, found.pointers), "users is the number of directories that point at the table");
  }
  assert(same(counter(cstr("frames_table")), distinct), "each frame in use as a table is reachable");
  return distinct;
}
