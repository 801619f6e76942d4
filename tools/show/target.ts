/**
 * A moment of a run as the user names it: an event of the program as `tine trace` names it, or a number of instructions. May import
 * tools/trace.
 *
 *     fork             the first fork since the program was executed
 *     unshare:write#2  the second unshare because of a write
 *     instret:N        after N instructions
 *     end              the end of the run
 */
import { EVENT_NAMES, type EventSpec, parseEventSpec } from "../trace/eventspec";

export type Target =
  | { kind: "instret"; instret: number }
  | { kind: "end" }
  | { kind: "event"; spec: EventSpec; text: string };

/** What can be named, for help and messages. */
export const TARGET_NAMES = `${Object.keys(EVENT_NAMES)
  .filter((name) => name !== "begin" && name !== "end")
  .join(", ")}, instret:N, end; fork#2 is the second fork, unshare:write the first because of a write`;

/** Reads a moment's name. Throws Error, in one line, for one that there is not. */
export function parseTarget(text: string): Target {
  if (text === "end") return { kind: "end" };
  const instret = /^instret:(\d+)$/.exec(text);
  if (instret !== null && Number.isSafeInteger(Number(instret[1]))) {
    return { kind: "instret", instret: Number(instret[1]) };
  }
  try {
    return { kind: "event", spec: parseEventSpec(text), text };
  } catch {
    throw new Error(`no moment is called '${text}'; there are ${TARGET_NAMES}`);
  }
}
