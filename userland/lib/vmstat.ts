/**
 * The kernel's counters, by name: /proc/vmstat ("name value" a line) and /proc/meminfo ("Name: value kB" a line).
 * A snapshot is the text of the whole file in a buffer of VMSTAT_BYTES, so that all counters in it are of one moment.
 * May import file, string, syscalls and kernel/abi.
 */
import { Errno } from "../../kernel/abi/errno";
import { cstr } from "../../kernel/abi/intrinsics";
import { readFile } from "./file";
import { parseDec, startsWith, stpcpy, strchr, strlen, strstr } from "./string";
import { swapoff, swapon } from "./syscalls";

/** Room for a snapshot, in bytes. */
export const VMSTAT_BYTES: i32 = 4096;

const scratch: usize = memory.data(4096);
/** Path of a partition. */
const partition: usize = memory.data(16);

/** Reads all counters into `snapshot`. */
export function takeSnapshot(snapshot: usize): void {
  assert(readFile(cstr("/proc/vmstat"), snapshot, VMSTAT_BYTES) > 0, "/proc/vmstat can be read");
}

/** Value after `name` at the beginning of a line of `text`. The name must be there. */
function field(text: usize, name: usize): u32 {
  let line = text;
  while (true) {
    if (startsWith(line, name)) {
      let value = line + strlen(name);
      if (load<u8>(value) == 0x3a) value++;
      if (load<u8>(value) == 0x20) {
        while (load<u8>(value) == 0x20) value++;
        return parseDec(value);
      }
    }
    line = strchr(line, 0x0a);
    assert(line != 0, "the kernel has a counter of this name");
    line++;
  }
}

/** A counter in a snapshot. */
export function counterIn(snapshot: usize, name: usize): u32 {
  return field(snapshot, name);
}

/** A counter as it is now. */
export function counter(name: usize): u32 {
  takeSnapshot(scratch);
  return field(scratch, name);
}

/** How far a counter went up from one snapshot to another, modulo 2**32. */
export function counted(before: usize, after: usize, name: usize): u32 {
  return field(after, name) - field(before, name);
}

/** Frames (of 4 KB) of free physical memory. */
export function freeFrames(): u32 {
  assert(readFile(cstr("/proc/meminfo"), scratch, VMSTAT_BYTES) > 0, "/proc/meminfo can be read");
  return field(scratch, cstr("MemFree")) / 4;
}

/** Whether there is swap. */
export function hasSwap(): bool {
  assert(readFile(cstr("/proc/meminfo"), scratch, VMSTAT_BYTES) > 0, "/proc/meminfo can be read");
  return field(scratch, cstr("SwapTotal")) != 0;
}

/**
 * The same when nothing is swapped out: swap is given up for the moment, if there is any. What comes back must fit the memory. For tests
 * that compare what is in use.
 */
export function freeFramesWithoutSwap(): u32 {
  if (!hasSwap()) return freeFrames();
  const area = swapArea();
  const free = freeFrames();
  assert(swapon(area) == 0, "the swap area can be used again");
  return free;
}

/** Gives up swap; where it was. */
function swapArea(): usize {
  const disk = cstr("/dev/hda");
  stpcpy(stpcpy(partition, disk), cstr("1"));
  const digit = partition + strlen(disk);
  let path = disk;
  let result = swapoff(path);
  // EINVAL: it is not there. ENOENT: there is no such partition.
  while ((result == -Errno.EINVAL || result == -Errno.ENOENT) && load<u8>(digit) < 0x35) {
    path = partition;
    result = swapoff(path);
    if (result != 0) store<u8>(digit, load<u8>(digit) + 1);
  }
  assert(result == 0, "all that is swapped out can be brought back");
  return path;
}

/** Whether fork shares page tables: all (fork=share), or all but those that are sure to be written (fork=auto). */
export function forkShares(): bool {
  assert(readFile(cstr("/proc/cmdline"), scratch, VMSTAT_BYTES) >= 0, "/proc/cmdline can be read");
  // Behind the settings come init's arguments, which may be about anything.
  const end = strstr(scratch, cstr(" -- "));
  if (end != 0) store<u8>(end, 0);
  return strstr(scratch, cstr("fork=copy")) == 0;
}

/** Whether the kernel keeps a reverse map (rmap=on). */
export function rmapKept(): bool {
  assert(readFile(cstr("/proc/cmdline"), scratch, VMSTAT_BYTES) >= 0, "/proc/cmdline can be read");
  return strstr(scratch, cstr(" rmap=off")) == 0;
}
