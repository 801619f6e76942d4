/** An explanation in lines for a terminal. May import explain, tools/show's words and moments, tools/trace's types. */
import { eventText, type MomentEvent } from "../show/moments";
import { counted, grouped, hex, slotAddress } from "../show/words";
import type { TraceEvent } from "../trace/events";
import type { ExplainedStay, Explanation } from "./explain";
import type { Place, Write } from "./step";

const WRITE = 2;
const SLOT_BYTES = 0x400000;
/** Callers that are named for a write. */
const MOST_CALLERS = 4;
const MOST_AFTERWARDS = 12;

function linesText({ first, last }: Place): string {
  return first === last ? String(first) : `${first}-${last}`;
}

/** `shareTables kernel/mm/ptshare.ts:111-121`. */
export function placeText(place: Place): string {
  return place.file === "" ? place.name : `${place.name} ${place.file}:${linesText(place)}`;
}

function chainText(chain: readonly Place[]): string {
  const callers = chain.slice(1, 1 + MOST_CALLERS).map((place) => `${place.name}:${linesText(place)}`);
  const more = chain.length > 1 + MOST_CALLERS ? " < ..." : "";
  const [first] = chain;
  if (first === undefined) return "?";
  const inlined = first.inlined === "" ? "" : ` (${first.inlined})`;
  const place = `${first.name}+${hex(first.offset)} ${first.file}:${linesText(first)}${inlined}`;
  return [place, ...callers].join(" < ") + more;
}

/** The value of a word, as its name asks for. */
function valueText(name: string, value: number): string {
  if (/^p[dt]e /.test(name)) return value === 0 ? "0" : `${hex(value)} W=${(value & WRITE) !== 0 ? 1 : 0}`;
  return name === "rmap" ? hex(value) : String(value);
}

function writeText({ word, before, after, chain, pid }: Write, kinds: readonly string[], told: number): string {
  const who = pid === told ? "" : `pid ${pid}, `;
  const value = (one: number): string =>
    word.name === "kind" ? (kinds[one & 0xff] ?? String(one)) : valueText(word.name, one);
  return `${word.name}: ${value(before)} > ${value(after)}, ${who}by ${chainText(chain)}`;
}

/** What the process entered the kernel for. */
function causeText(events: readonly TraceEvent[]): string {
  const cause = events.find(({ kind }) => kind === "syscall" || kind === "pageFault");
  if (cause?.kind === "syscall") return cause.text;
  if (cause?.kind !== "pageFault") return "in the kernel";
  const what = (cause.errorCode & 16) !== 0 ? "fetch" : (cause.errorCode & 2) !== 0 ? "write" : "read";
  return `page fault: ${what} at ${hex(cause.address)}`;
}

const NOTABLE: readonly TraceEvent["kind"][] = ["fork", "exec", "exit", "unshare", "release", "copyOnWrite"];

function happened(events: readonly TraceEvent[]): string[] {
  const notable = events.filter(({ kind }) => NOTABLE.includes(kind)) as MomentEvent[];
  return [...new Set(notable.map(eventText))];
}

/** `copyPageRange kernel/mm/memory.ts:58,68,69, mmDup kernel/mm/vma.ts:72`. */
function linesRun(places: readonly Place[]): string {
  const texts: string[] = [];
  for (const [index, place] of places.entries()) {
    const before = places[index - 1];
    if (before?.name === place.name && before.file === place.file) texts[texts.length - 1] += `,${place.first}`;
    else texts.push(placeText(place));
  }
  return texts.join("; ");
}

/** The pid that a stay is told of. */
function pidOf({ writes, events }: ExplainedStay): number {
  return writes[0]?.pid ?? events[0]?.pid ?? -1;
}

function stayLines(stay: ExplainedStay, kinds: readonly string[]): string[] {
  const { entry, writes, origin, events, doubts } = stay;
  const at = origin === undefined ? "" : `, at ${placeText(origin)}`;
  return [
    `${entry.from} pid ${pidOf(stay)}: ${causeText(events)}${at}`,
    ...happened(events).map((text) => `  ${text}`),
    ...writes.map((write) => `  ${writeText(write, kinds, pidOf(stay))}`),
    ...doubts.flatMap(({ text, write }) => {
      const then = linesRun(write?.afterwards.slice(0, MOST_AFTERWARDS) ?? []);
      return [`  ! ${text}`, ...(then === "" ? [] : [`    after that write ran: ${then}`])];
    }),
  ];
}

/** Since when a process uses a table, and how it came to. */
function sinceText({ stays }: Explanation, pid: number): string {
  const stay = stays.findLast(({ entry }) => isUser(entry.after.uses, pid) && !isUser(entry.before.uses, pid));
  if (stay === undefined) return "since before what is told here";
  const fork = stay.events.find((event) => event.kind === "fork" && event.child === pid);
  const how = fork === undefined ? causeText(stay.events) : `the fork of pid ${pid} by pid ${fork.pid}`;
  return `since instruction ${stay.entry.from}, ${how}`;
}

function isUser(uses: readonly { pid: number }[], pid: number): boolean {
  return uses.some((use) => use.pid === pid);
}

/** Processes that have stopped using a table, and the instruction that took it from them. */
function leaverLines({ stays }: Explanation): string[] {
  return stays.flatMap((stay) => {
    const gone = stay.entry.before.uses.filter(({ pid }) => !isUser(stay.after.uses, pid));
    return gone.map(({ pid }) => {
      const write = stay.writes.findLast(({ word }) => word.name === `pde of pid ${pid}`);
      const event = stay.events.find(({ kind }) => kind === "unshare" || kind === "exit" || kind === "exec");
      const why = event === undefined ? causeText(stay.events) : eventText(event as MomentEvent);
      const line = write === undefined ? "" : `, by ${chainText(write.chain)}`;
      const when = write === undefined ? stay.entry.from : write.instret;
      return `  pid ${pid} left at instruction ${when}: ${why}${line}`;
    });
  });
}

function headLines(explanation: Explanation, names: ReadonlyMap<number, string>, kinds: readonly string[]): string[] {
  const { frame, kind, isAlive, now, entries, stays, mappers } = explanation;
  const name = `frame ${hex(frame)}`;
  if (entries.length === 0) return [`${name} is ${kind}, and has never been a page table or data`];
  const tense = isAlive
    ? "is"
    : `is ${kinds[now.kind] ?? "nothing"} now, and was until instruction ${entries.at(-1)?.to}`;
  const last = isAlive ? now : (entries.at(-1)?.before ?? now);
  if (kind === "data") {
    const mapped = isAlive ? `, with ${counted(now.count, "reference")}` : "";
    const places = mappers.map(({ table, address, sharers }) => {
      const users = sharers.map((pid) => `pid ${pid} ${names.get(pid) ?? ""}`.trim()).join(", ");
      return `  mapped at ${hex(address)} through table ${hex(table)}, which ${users} ${sharers.length === 1 ? "uses" : "share"}`;
    });
    return [`${name} ${tense} data${mapped}`, ...places];
  }
  const first = `0x${slotAddress(last.slot)}`;
  const end = hex((last.slot + 1) * SLOT_BYTES - 1);
  const lines = [`${name} ${tense} the page table of slot ${last.slot} (${first}-${end}), users ${last.third}`];
  const uses = isAlive ? (stays.at(-1)?.after.uses ?? now.uses) : [];
  for (const { pid } of uses) lines.push(`  pid ${pid} ${names.get(pid) ?? ""} uses it ${sinceText(explanation, pid)}`);
  return [...lines, ...leaverLines(explanation)];
}

/** All of it. `names`: of processes by pid; `kinds`: of frames by number. */
export function explanationLines(
  explanation: Explanation,
  names: ReadonlyMap<number, string>,
  kinds: readonly string[],
): string[] {
  const { stays, leftOut } = explanation;
  return [
    ...headLines(explanation, names, kinds),
    ...(stays.length === 0 ? [] : ["", "what happened to it, by the instruction at which the kernel was entered:"]),
    ...(leftOut === 0 ? [] : [`(${grouped(leftOut)} earlier changes are not told)`]),
    ...stays.flatMap((stay) => stayLines(stay, kinds)),
  ];
}
