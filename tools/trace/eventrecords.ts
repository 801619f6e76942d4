/**
 * Events as numbers: what events.ts hears is written as words into a buffer, which costs the run little and can be given to another thread;
 * whoever wants an event reads it from there. May import kernel/abi,
 * callmemory, eventtypes, faultoutcome, strace.
 *
 * A record begins at an even word:
 *
 *     0  kind, words << 8     2  instret (double)     4  cycles (double)     6  pid << 2 | ring     7  eip     8  what the kind has
 *
 * Invariant: readEvent takes the words of a kind in the order in which events.ts puts them.
 */
import { UnshareCause } from "../../kernel/abi/marks";
import { MOST_PIECES, Pieces, type SavedMemory } from "./callmemory";
import type { EventBase, Origin, SyscallEndEvent, SyscallEvent, TraceEvent } from "./eventtypes";
import { outcomeNames } from "./faultoutcome";
import { argumentTexts, callText, resultText, syscallName } from "./strace";

/** Numbers of the kinds: their places in EVENT_KINDS. */
export const enum Kind {
  PageFault,
  PageFaultEnd,
  Cr3,
  TlbFlush,
  Invlpg,
  Irq,
  Exception,
  Syscall,
  SyscallEnd,
  Switch,
  Fork,
  Exec,
  Exit,
  Share,
  Unshare,
  Release,
  CopyOnWrite,
  SwapOut,
  SwapIn,
  Panic,
  RegionBegin,
  RegionEnd,
  TraceMark,
  End,
}

/** Words that every record has, and most that one has. */
const HEAD_WORDS = 8;
const MOST_WORDS = 64 + MOST_PIECES;
/** Words of a buffer in which a writer begins no record any more, and those of a whole one. */
const FULL_WORDS = 1 << 14;
const BUFFER_WORDS = FULL_WORDS + MOST_WORDS;

/** What the origin of an event may be. */
const enum OriginKind {
  None,
  Fault,
  Syscall,
}

/** How a system call ended. */
export const enum CallEnd {
  /** It has a result. */
  Done,
  /** It begins again. */
  Restarts,
  /** A signal handler runs first. */
  Interrupted,
}

/** A buffer of records. */
export class EventLog {
  words = new Int32Array(BUFFER_WORDS);
  private doubles = new Float64Array(this.words.buffer);
  /** Where the record that was begun last stands, and where the next word goes. */
  start = 0;
  private at = 0;

  /** `full` gets a full buffer, which is its own from then on; absent: only the last record is kept. */
  constructor(private readonly full?: (words: Int32Array) => void) {}

  begin(kind: Kind, instret: number, cycles: number, pid: number, ring: number, eip: number): void {
    this.start = this.full === undefined ? 0 : (this.at + 1) & ~1;
    if (this.start > FULL_WORDS) this.handOver();
    const { start, words } = this;
    this.doubles[(start >> 1) + 1] = instret;
    this.doubles[(start >> 1) + 2] = cycles;
    words[start] = kind;
    words[start + 6] = (pid << 2) | ring;
    words[start + 7] = eip;
    this.at = start + HEAD_WORDS;
  }

  word(value: number): void {
    this.words[this.at++] = value;
  }

  /** A count of instructions. */
  count(value: number): void {
    this.word((value % 2 ** 32) | 0);
    this.word(Math.floor(value / 2 ** 32));
  }

  text(text: string): void {
    this.word(text.length);
    for (let i = 0; i < text.length; i++) this.word(text.charCodeAt(i));
  }

  /** A name of up to 16 bytes, as four words of memory have it. */
  name(first: number, second: number, third: number, fourth: number): void {
    this.word(first);
    this.word(second);
    this.word(third);
    this.word(fourth);
  }

  /** The first piece of what was saved of a call's memory, as a text. */
  firstPiece({ words }: SavedMemory): void {
    const bytes = words[0];
    this.word(bytes);
    for (let i = 0; i < bytes; i++) this.word((words[1 + (i >> 2)] >>> (8 * (i & 3))) & 0xff);
  }

  /** What was saved of a call's memory. */
  memory({ words, length }: SavedMemory): void {
    this.word(length);
    for (let i = 0; i < length; i++) this.word(words[i]);
  }

  end(): void {
    this.words[this.start] |= (this.at - this.start) << 8;
  }

  /** Gives away what has been gathered. */
  handOver(): void {
    if (this.at === 0 || this.full === undefined) return;
    this.full(this.words.slice(0, (this.at + 1) & ~1));
    this.start = 0;
    this.at = 0;
  }
}

/** Where the record behind the one at a word begins. */
export function nextRecord(words: Int32Array, at: number): number {
  return (at + (words[at] >>> 8) + 1) & ~1;
}

/** Reads a record's words one after another. */
class Cursor {
  constructor(
    private readonly words: Int32Array,
    private at: number,
  ) {}

  int(): number {
    return this.words[this.at++];
  }

  uint(): number {
    return this.words[this.at++] >>> 0;
  }

  count(): number {
    const low = this.uint();
    return this.int() * 2 ** 32 + low;
  }

  text(): string {
    let text = "";
    for (let left = this.int(); left > 0; left--) text += String.fromCharCode(this.int());
    return text;
  }

  /** A name in four words, up to its NUL. */
  name(): string {
    const end = this.at + 4;
    let name = "";
    for (; this.at < end; this.at++) {
      for (let shift = 0; shift < 32; shift += 8) {
        const byte = (this.words[this.at] >>> shift) & 0xff;
        if (byte === 0) {
          this.at = end;
          return name;
        }
        name += String.fromCharCode(byte);
      }
    }
    return name;
  }

  args(): number[] {
    return [this.uint(), this.uint(), this.uint(), this.uint(), this.uint(), this.uint()];
  }

  pieces(): Pieces {
    const length = this.int();
    const pieces = new Pieces(this.words, this.at);
    this.at += length;
    return pieces;
  }

  origin(): Origin | undefined {
    const kind: OriginKind = this.int();
    if (kind === OriginKind.None) return undefined;
    const eip = this.uint();
    return { eip, syscall: kind === OriginKind.Syscall ? syscallName(this.int()) : undefined };
  }
}

/** Puts where an event comes from: see Origin. `number` is the system call's, or -1. */
export function putOrigin(log: EventLog, eip: number, number: number): void {
  log.word(number < 0 ? OriginKind.Fault : OriginKind.Syscall);
  log.word(eip);
  if (number >= 0) log.word(number);
}

export function putNoOrigin(log: EventLog): void {
  log.word(OriginKind.None);
}

/** Why a table was unshared, by name. */
export const UNSHARE_CAUSES: Readonly<Record<number, string>> = {
  [UnshareCause.Write]: "write",
  [UnshareCause.NotPresentWrite]: "write-not-present",
  [UnshareCause.Munmap]: "munmap",
  [UnshareCause.Mprotect]: "mprotect",
  [UnshareCause.Mmap]: "mmap",
  [UnshareCause.Brk]: "brk",
  [UnshareCause.StackGrowth]: "stack-growth",
  [UnshareCause.Mremap]: "mremap",
  [UnshareCause.Madvise]: "madvise",
  [UnshareCause.Mlock]: "mlock",
};

const doubles = new Float64Array(2);
const wordsOfDoubles = new Int32Array(doubles.buffer);

/** The event of the record that begins at a word. */
export function readEvent(words: Int32Array, at: number): TraceEvent {
  for (let i = 0; i < 4; i++) wordsOfDoubles[i] = words[at + 2 + i];
  // Named one by one below: an object that is spread takes many times as long as all the rest.
  const instret = doubles[0];
  const cycles = doubles[1];
  const pid = words[at + 6] >> 2;
  const ring = words[at + 6] & 3;
  const eip = words[at + 7] >>> 0;
  const from = new Cursor(words, at + HEAD_WORDS);
  const kind: Kind = words[at] & 0xff;
  switch (kind) {
    case Kind.PageFault:
      return { kind: "pageFault", instret, cycles, pid, ring, eip, address: from.uint(), errorCode: from.int() };
    case Kind.PageFaultEnd:
      return {
        kind: "pageFaultEnd",
        instret,
        cycles,
        pid,
        ring,
        eip,
        address: from.uint(),
        errorCode: from.int(),
        faultEip: from.uint(),
        faultInstret: from.count(),
        outcome: outcomeNames(from.int()),
        frame: from.int(),
      };
    case Kind.Cr3:
      return { kind: "cr3", instret, cycles, pid, ring, eip, value: from.uint() };
    case Kind.TlbFlush:
      return { kind: "tlbFlush", instret, cycles, pid, ring, eip, global: from.int() !== 0 };
    case Kind.Invlpg:
      return { kind: "invlpg", instret, cycles, pid, ring, eip, address: from.uint() };
    case Kind.Irq:
      return { kind: "irq", instret, cycles, pid, ring, eip, vector: from.int(), line: from.int() };
    case Kind.Exception:
      return { kind: "exception", instret, cycles, pid, ring, eip, vector: from.int(), errorCode: from.int(), why: "" };
    case Kind.Syscall:
      return { kind: "syscall", instret, cycles, pid, ring, eip, ...readCall(from) };
    case Kind.SyscallEnd:
      return { kind: "syscallEnd", instret, cycles, pid, ring, eip, ...readCallEnd(from) };
    case Kind.Switch:
      return { kind: "switch", instret, cycles, pid, ring, eip, from: from.int(), name: from.name() };
    case Kind.Fork:
      return { kind: "fork", instret, cycles, pid, ring, eip, child: from.int() };
    case Kind.Exec:
      return { kind: "exec", instret, cycles, pid, ring, eip, path: from.text() };
    case Kind.Exit:
      return { kind: "exit", instret, cycles, pid, ring, eip, status: from.int() };
    case Kind.Share:
    case Kind.Release:
      return {
        kind: kind === Kind.Share ? "share" : "release",
        instret,
        cycles,
        pid,
        ring,
        eip,
        ...readUse(from),
        origin: from.origin(),
      };
    case Kind.Unshare: {
      const use = readUse(from);
      const newTable = from.int();
      const cause = from.int();
      const origin = from.origin();
      return {
        kind: "unshare",
        instret,
        cycles,
        pid,
        ring,
        eip,
        ...use,
        newTable,
        cause: UNSHARE_CAUSES[cause] ?? String(cause),
        origin,
      };
    }
    case Kind.CopyOnWrite:
      return {
        kind: "copyOnWrite",
        instret,
        cycles,
        pid,
        ring,
        eip,
        slot: from.int(),
        page: pageAddress(from.int()),
        from: from.int(),
        to: from.int(),
        origin: from.origin(),
      };
    case Kind.SwapOut:
      return { kind: "swapOut", instret, cycles, pid, ring, eip, frame: from.int(), swapSlot: from.int() };
    case Kind.SwapIn:
      return { kind: "swapIn", instret, cycles, pid, ring, eip, frame: from.int(), page: pageAddress(from.int()) };
    case Kind.Panic:
      return { kind: "panic", instret, cycles, pid, ring, eip };
    case Kind.RegionBegin:
    case Kind.RegionEnd:
      return {
        kind: kind === Kind.RegionBegin ? "regionBegin" : "regionEnd",
        instret,
        cycles,
        pid,
        ring,
        eip,
        id: from.int(),
        tag: from.int(),
      };
    case Kind.TraceMark:
      return { kind: "traceMark", instret, cycles, pid, ring, eip, control: from.int(), value: from.int() };
    case Kind.End:
      return { kind: "end", instret, cycles, pid, ring, eip, value: from.uint() };
  }
}

/** Pages are told by their number, -1 for none: an address of -1 would be one. */
function pageAddress(page: number): number {
  return page < 0 ? -1 : page * 4096;
}

function readCall(from: Cursor): Pick<SyscallEvent, "number" | "name" | "text"> {
  const number = from.int();
  const args = from.args();
  const texts = argumentTexts(from.pieces(), number, args);
  return { number, name: syscallName(number), text: callText(number, texts) };
}

function readCallEnd(from: Cursor): Omit<SyscallEndEvent, keyof EventBase | "kind"> {
  const number = from.int();
  const args = from.args();
  const pieces = from.pieces();
  const texts = argumentTexts(pieces, number, args);
  const beganAt = from.count();
  const end: CallEnd = from.int();
  const value = from.int();
  const name = syscallName(number);
  if (end === CallEnd.Done) {
    return { number, name, text: resultText(pieces, number, args, texts, value), result: value, beganAt };
  }
  const why = end === CallEnd.Restarts ? "ERESTARTSYS (To be restarted)" : "(a signal handler runs first)";
  return { number, name, text: `${callText(number, texts)} = ? ${why}`, result: undefined, beganAt };
}

function readUse(from: Cursor): { slot: number; table: number; before: number; after: number } {
  return { slot: from.int(), table: from.int(), before: from.int(), after: from.int() };
}
