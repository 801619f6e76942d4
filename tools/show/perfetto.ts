/**
 * A run as a trace for Perfetto and chrome://tracing: a track for each process with its system calls and page faults as slices and
 * forks, unshares and copies as instants in them, counters of its memory, and a track that says who runs. Times are microseconds
 * of guest time. May import recording, moments, tools/trace, cpu's public face.
 * Source: "Trace Event Format" (the Chromium project), JSON array and object formats.
 *
 * Invariants: timestamps never go back; on each track every B has its E, innermost first.
 */
import { type Machine, NOMINAL_HZ, type StopReason } from "../../cpu/index";
import type { KernelLayout } from "../image/layout";
import { Events, type TraceEvent } from "../trace/events";
import { type Drive, eventText, type MomentEvent } from "./moments";
import { watchSnapshots } from "./recording";
import type { Snapshot } from "./snapshot";
import { hex, totalsOf } from "./words";

/** One event of the format. */
export interface PerfettoEvent {
  name: string;
  /** B and E: a slice begins and ends; i: an instant; C: a counter; M: a name. */
  ph: "B" | "E" | "i" | "C" | "M";
  pid: number;
  tid: number;
  /** Microseconds. */
  ts: number;
  cat?: string;
  s?: "t";
  args?: Record<string, string | number>;
}

/** The "process" whose one track says which process runs. */
const CPU_PID = 0;

const MICROSECONDS = 1e6;
const INSTANTS: readonly TraceEvent["kind"][] = [
  "fork",
  "exec",
  "exit",
  "share",
  "unshare",
  "release",
  "copyOnWrite",
  "swapOut",
  "swapIn",
  "panic",
];
const KINDS: readonly TraceEvent["kind"][] = [
  ...INSTANTS,
  "syscall",
  "syscallEnd",
  "pageFault",
  "pageFaultEnd",
  "switch",
  "end",
];

class Writer {
  readonly events: PerfettoEvent[] = [];
  /** Names of slices that are open, by process; the innermost last. */
  private readonly open = new Map<number, string[]>();
  private readonly names = new Map<number, string>();
  private running: number | undefined;
  private latest = 0;

  constructor() {
    this.name(CPU_PID, "CPU");
  }

  private time(cycles: number): number {
    this.latest = Math.max(this.latest, (cycles / NOMINAL_HZ) * MICROSECONDS);
    return this.latest;
  }

  /** Names a process: the last name counts. */
  name(pid: number, name: string): void {
    if (name !== "") this.names.set(pid, pid === CPU_PID ? name : `${name} ${pid}`);
  }

  begin(pid: number, name: string, cycles: number, cat: string, args: Record<string, string | number> = {}): void {
    this.known(pid);
    const open = this.open.get(pid);
    if (open === undefined) this.open.set(pid, [name]);
    else open.push(name);
    this.events.push({ name, ph: "B", pid, tid: pid, ts: this.time(cycles), cat, args });
  }

  /** Ends the innermost slice of the name, and what is open within it; nothing where there is none. */
  end(pid: number, name: string, cycles: number, args: Record<string, string | number> = {}): void {
    const open = this.open.get(pid) ?? [];
    if (!open.includes(name)) return;
    for (let ended = open.pop(); ended !== undefined; ended = open.pop()) {
      const isThis = ended === name;
      this.events.push({ name: ended, ph: "E", pid, tid: pid, ts: this.time(cycles), args: isThis ? args : {} });
      if (isThis) return;
    }
  }

  /** Ends all of a process's slices. */
  endAll(pid: number, cycles: number): void {
    for (const name of [...(this.open.get(pid) ?? [])].reverse()) this.end(pid, name, cycles);
  }

  instant(pid: number, name: string, cycles: number, args: Record<string, string | number>): void {
    this.known(pid);
    this.events.push({ name, ph: "i", pid, tid: pid, ts: this.time(cycles), cat: "memory", s: "t", args });
  }

  counter(pid: number, name: string, cycles: number, args: Record<string, number>): void {
    this.known(pid);
    this.events.push({ name, ph: "C", pid, tid: pid, ts: this.time(cycles), args });
  }

  /** Another process runs from now on. */
  run(pid: number, name: string, cycles: number): void {
    this.name(pid === 0 ? -1 : pid, name);
    if (this.running !== undefined) this.endAll(CPU_PID, cycles);
    this.running = pid;
    this.begin(CPU_PID, pid === 0 ? "idle" : `${name} ${pid}`, cycles, "sched");
  }

  private known(pid: number): void {
    if (!this.names.has(pid)) this.name(pid, "process");
  }

  /** Ends what is open, and puts the names in front. */
  finish(cycles: number): PerfettoEvent[] {
    for (const pid of this.open.keys()) this.endAll(pid, cycles);
    const names = [...this.names].filter(([pid]) => pid >= 0);
    const metadata = names.flatMap(([pid, name]): PerfettoEvent[] => [
      { name: "process_name", ph: "M", pid, tid: pid, ts: 0, args: { name } },
      { name: "thread_name", ph: "M", pid, tid: pid, ts: 0, args: { name } },
      { name: "process_sort_index", ph: "M", pid, tid: pid, ts: 0, args: { sort_index: pid } },
    ]);
    return [...metadata, ...this.events];
  }
}

/** Runs a machine and writes its trace down. Throws LayoutError for a kernel that is not ours. */
export async function perfettoTrace(
  machine: Machine,
  layout: KernelLayout,
  drive: Drive,
): Promise<{ events: PerfettoEvent[]; stop: StopReason }> {
  const writer = new Writer();
  const alive = new Set<number>();
  const unlisten = new Events(machine, layout).on((event) => write(writer, event), KINDS);
  const stop = await watchSnapshots(machine, layout, drive, ({ cycles }, snapshot) =>
    count(writer, snapshot, cycles, alive),
  );
  unlisten();
  return { events: writer.finish(machine.cycles), stop };
}

function faultName(address: number, errorCode: number): string {
  const what = (errorCode & 16) !== 0 ? "fetch" : (errorCode & 2) !== 0 ? "write" : "read";
  return `page fault (${what} ${hex(address)})`;
}

function write(writer: Writer, event: TraceEvent): void {
  const { kind, pid, cycles, instret } = event;
  if (kind === "switch") writer.run(pid, event.name, cycles);
  if (pid <= 0) return;
  switch (kind) {
    case "syscall":
      writer.begin(pid, event.name, cycles, "syscall", { call: event.text, instret });
      break;
    case "syscallEnd":
      writer.end(pid, event.name, cycles, { call: event.text, instructions: instret - event.beganAt });
      break;
    case "pageFault":
      writer.begin(pid, faultName(event.address, event.errorCode), cycles, "fault", { instret });
      break;
    case "pageFaultEnd":
      writer.end(pid, faultName(event.address, event.errorCode), cycles, { outcome: event.outcome.join(", ") });
      break;
    case "switch":
    case "end":
      break;
    default:
      instant(writer, event as MomentEvent);
  }
}

function instant(writer: Writer, event: MomentEvent): void {
  const { pid, cycles, instret } = event;
  writer.instant(pid, eventText(event).replace(/^pid \d+ /, ""), cycles, { instret });
  if (event.kind === "exec") writer.name(pid, event.path.slice(event.path.lastIndexOf("/") + 1));
  if (event.kind === "exit") writer.endAll(pid, cycles);
}

/** Counters of each process, and of all together. */
function count(writer: Writer, snapshot: Snapshot, cycles: number, alive: Set<number>): void {
  const users = new Map(snapshot.tables.map((table) => [table.frame, table.users]));
  const zero = { own: 0, shared: 0 };
  for (const { pid, name, resident, slots } of snapshot.processes) {
    if (!alive.has(pid)) writer.name(pid, name);
    alive.add(pid);
    const shared = slots.filter(({ table }) => (users.get(table) ?? 0) > 1).length;
    writer.counter(pid, "resident pages", cycles, { pages: resident });
    writer.counter(pid, "page tables", cycles, { own: slots.length - shared, shared });
  }
  for (const pid of alive) {
    if (snapshot.processes.some((one) => one.pid === pid)) continue;
    alive.delete(pid);
    writer.counter(pid, "resident pages", cycles, { pages: 0 });
    writer.counter(pid, "page tables", cycles, zero);
  }
  const totals = totalsOf(snapshot);
  writer.counter(CPU_PID, "page tables", cycles, { "of one": totals.tables - totals.shared, shared: totals.shared });
  writer.counter(CPU_PID, "data frames", cycles, { frames: totals.data });
}
