/**
 * Latencies in cycles by the time-stamp counter: a list in memory that was touched before, and its quantiles, exact: the list is sorted.
 * RDTSC runs on the machine's cycles, so they are the same on every host. May import lib, support/ and kernel/abi.
 */
import { rdtscLow } from "../../../kernel/abi/intrinsics";
import { cstr, isError, MAP_PRIVATE, mmapAnonymous, PROT_READ, PROT_WRITE } from "../../lib/index";
import { must, say } from "./results";

/** Steps of the quantiles that are told: 0, 0.5 %, 1 % … 100 %. */
const STEPS: u32 = 200;

let list: usize = 0;
let capacity: u32 = 0;
let count: u32 = 0;

/** The time: cycles modulo 2**32, 43 seconds of the nominal clock. */
export function cyclesNow(): u32 {
  return rdtscLow();
}

/** Makes room for so many latencies and touches it. */
export function latenciesBegin(most: u32): void {
  capacity = most;
  count = 0;
  list = mmapAnonymous(0, most * 4, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  must(!isError(list), cstr("no memory for latencies"));
  memory.fill(list, 1, most * 4);
}

/** One more. */
export function latencyAdd(cycles: u32): void {
  must(count < capacity, cstr("room for another latency"));
  store<u32>(list + count * 4, cycles);
  count++;
}

/** How many there are. */
export function latencyCount(): u32 {
  return count;
}

function at(index: u32): u32 {
  return load<u32>(list + index * 4);
}

function put(index: u32, value: u32): void {
  store<u32>(list + index * 4, value);
}

/** Lets the value at `root` sink to its place in a heap of `size`. */
function sink(root: u32, size: u32): void {
  const value = at(root);
  let hole = root;
  while (hole * 2 + 1 < size) {
    let child = hole * 2 + 1;
    if (child + 1 < size && at(child + 1) > at(child)) child++;
    if (at(child) <= value) break;
    put(hole, at(child));
    hole = child;
  }
  put(hole, value);
}

/** Sorts them, as a heap: the order in which they came is gone. */
export function latenciesSort(): void {
  for (let root = count / 2; root != 0; root--) sink(root - 1, count);
  for (let size = count; size > 1; size--) {
    const last = at(size - 1);
    put(size - 1, at(0));
    put(0, last);
    sink(0, size - 1);
  }
}

/** Of sorted ones the least that `perThousand` of a thousand do not exceed. */
export function quantile(perThousand: u32): u32 {
  if (count == 0) return 0;
  const rank = (count * perThousand + 999) / 1000;
  return at(rank == 0 ? 0 : rank - 1);
}

/** Sorts and tells all steps of the quantiles, a line `name=cycles` each, the least first and the longest last. */
export function sayQuantiles(name: usize): void {
  latenciesSort();
  for (let step: u32 = 0; step <= STEPS; step++) say(name, quantile(step * (1000 / STEPS)));
}
