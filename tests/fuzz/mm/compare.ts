/**
 * A program run in every mode, and the first thing in which two modes differ (P57), or what the audit of one found.
 * May import guest, program.
 */
import { ENDLESS, FuzzGuest, type GuestImages, type Outcome, type Said } from "./guest";
import { describeOperation, encode, hasSwap, type Program, type Variant } from "./program";

export const MODES = ["copy", "share", "auto"] as const;

/** Kinds of frames that must be as many in each mode when all processes are gone; data only where none can be in swap. */
const FRAME_KINDS = { directory: 6, table: 7, data: 8 } as const;

export class Comparer {
  private readonly guests = new Map<Variant, FuzzGuest[]>();

  constructor(private readonly images: GuestImages) {}

  /** The machines of a kind, one for each mode; they boot when they are first asked for. */
  private guestsOf(variant: Variant): FuzzGuest[] {
    let guests = this.guests.get(variant);
    if (guests === undefined) {
      guests = MODES.map((mode) => new FuzzGuest(mode, variant, this.images));
      this.guests.set(variant, guests);
    }
    return guests;
  }

  /** Runs the program everywhere. One line for what is wrong; undefined if nothing is. */
  difference(program: Program, audited = true): string | undefined {
    const outcomes: Outcome[] = [];

    for (const guest of this.guestsOf(program.variant)) {
      const outcome = guest.run(program, audited);
      if (outcome.findings.length > 0) return `fork=${guest.mode}: audit: ${outcome.findings[0]}`;
      if (outcome.end.startsWith("ended")) return `fork=${guest.mode}: ${outcome.end}: ${outcome.console.trim()}`;
      outcomes.push(outcome);
    }
    // The tables of fork=copy may leave too little of a small memory to work in: then it thrashes, and proves nothing.
    if (hasSwap(program.variant) && outcomes.some(({ end }) => end === ENDLESS)) return undefined;
    const [first] = outcomes;
    for (const [i, outcome] of outcomes.entries()) {
      const text = i > 0 && differ(program, MODES[0], first, MODES[i], outcome);
      if (text) return text;
    }
    return undefined;
  }

  /** What a program gives in each mode. */
  outcomes(program: Program): Outcome[] {
    return this.guestsOf(program.variant).map((guest) => guest.run(program));
  }
}

function differ(
  program: Program,
  oneMode: string,
  one: Outcome,
  otherMode: string,
  other: Outcome,
): string | undefined {
  const against = (what: string, first: unknown, second: unknown) =>
    `${what}: fork=${oneMode} ${first}, fork=${otherMode} ${second}`;
  for (const [process, said] of one.said.entries()) {
    const at = firstDifference(said, other.said[process]);
    if (at < 0) continue;
    const text = (list: Said) => (list[at + 1] === undefined ? "says nothing more" : `says ${hex(list[at + 1])}`);
    return against(where(program, process, said[at] ?? other.said[process][at]), text(said), text(other.said[process]));
  }
  if (one.end !== other.end) return against("end", one.end, other.end);
  if (one.console !== other.console)
    return against("console", JSON.stringify(one.console), JSON.stringify(other.console));
  if (one.end !== "done") return undefined;
  for (const [name, kind] of Object.entries(FRAME_KINDS)) {
    if (kind === FRAME_KINDS.data && hasSwap(program.variant)) continue;
    if (one.frames[kind] !== other.frames[kind]) {
      return against(`${name} frames in use at the end`, one.frames[kind], other.frames[kind]);
    }
  }
  return undefined;
}

/** Index of the first pair that differs, or -1. */
function firstDifference(one: Said, other: Said): number {
  for (let at = 0; at < Math.max(one.length, other.length); at += 2) {
    if (one[at] !== other[at] || one[at + 1] !== other[at + 1]) return at;
  }
  return -1;
}

function where(program: Program, process: number, word: number): string {
  const position = encode(program).positions.get(word);
  const operation = position && program.processes[position[0]][position[1]];
  const text = operation ? `${position[1]} (${describeOperation(operation)})` : "at its end";
  return `process ${process}, operation ${text}`;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
