/**
 * An event as the user names it: `fork`, `unshare:write`, `exec:/bin/true`, `unshare#3`. May import eventtypes.
 *
 *     NAME           the next event of the name
 *     NAME:WHAT      the next one of which WHAT is told
 *     ...#N          the N-th such one
 */
import type { TraceEvent, TraceEventKind } from "./eventtypes";

interface Name {
  kind: TraceEventKind;
  /** What may stand behind the colon, for the help. */
  what?: string;
  /** What the event says to that. */
  told?: (event: TraceEvent) => readonly (string | number)[];
}

function told<Kind extends TraceEventKind>(
  kind: Kind,
  what: string,
  of: (event: Extract<TraceEvent, { kind: Kind }>) => readonly (string | number)[],
): Name {
  return { kind, what, told: (event) => of(event as Extract<TraceEvent, { kind: Kind }>) };
}

const numbers = (value: number): string[] => [`0x${value.toString(16)}`, String(value)];

/** All names, with what is told of each. Numbers are decimal or, with 0x, hexadecimal. */
export const EVENT_NAMES: Readonly<Record<string, Name>> = {
  pf: told("pageFault", "address", (event) => numbers(event.address)),
  resolved: told("pageFaultEnd", "outcome", (event) => event.outcome),
  cr3: told("cr3", "value", (event) => numbers(event.value)),
  irq: told("irq", "line", (event) => [String(event.line)]),
  trap: told("exception", "vector", (event) => numbers(event.vector)),
  syscall: told("syscall", "name", (event) => [event.name]),
  sysret: told("syscallEnd", "name", (event) => [event.name]),
  switch: told("switch", "pid", (event) => [String(event.pid)]),
  fork: told("fork", "child", (event) => [String(event.child)]),
  exec: told("exec", "path", (event) => [event.path, event.path.slice(event.path.lastIndexOf("/") + 1)]),
  exit: told("exit", "pid", (event) => [String(event.pid)]),
  share: told("share", "table or slot", (event) => [`0x${event.table.toString(16)}`, String(event.slot)]),
  unshare: told("unshare", "cause, table or slot", (event) => [
    event.cause,
    `0x${event.table.toString(16)}`,
    String(event.slot),
  ]),
  release: told("release", "table or slot", (event) => [`0x${event.table.toString(16)}`, String(event.slot)]),
  cow: told("copyOnWrite", "page or frame", (event) => [
    `0x${event.page.toString(16)}`,
    `0x${event.from.toString(16)}`,
    `0x${event.to.toString(16)}`,
  ]),
  swapout: told("swapOut", "frame", (event) => numbers(event.frame)),
  swapin: told("swapIn", "frame", (event) => numbers(event.frame)),
  begin: told("regionBegin", "region", (event) => [String(event.id)]),
  end: told("regionEnd", "region", (event) => [String(event.id)]),
  mark: told("traceMark", "tag", (event) => numbers(event.value)),
  panic: { kind: "panic" },
};

/** An event that is waited for. */
export interface EventSpec {
  kind: TraceEventKind;
  /** Whether this is it; counts. */
  matches(event: TraceEvent): boolean;
}

/** Reads an event's name. Throws Error, in one line, for one that there is not. */
export function parseEventSpec(text: string): EventSpec {
  const [, name = "", what, count] = /^([a-z0-9]+)(?::(.*?))?(?:#(\d+))?$/.exec(text) ?? [];
  const known = EVENT_NAMES[name];
  if (known === undefined) {
    throw new Error(`no event is called '${text}'; there are ${Object.keys(EVENT_NAMES).join(", ")}`);
  }
  if (what !== undefined && known.told === undefined) throw new Error(`nothing more is told of the event '${name}'`);
  if (count !== undefined && Number(count) < 1) throw new Error(`'${text}': events are counted from 1`);
  let left = Number(count ?? 1);
  return {
    kind: known.kind,
    matches: (event) => {
      if (event.kind !== known.kind) return false;
      if (what !== undefined && !known.told?.(event).some((one) => String(one) === what)) return false;
      return --left === 0;
    },
  };
}
