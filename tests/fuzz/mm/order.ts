/**
 * A program in the making, as one sequence of operations of several processes in turn: a schedule that can happen. What it
 * keeps: whatever two processes do to the same shared object, and at least one of them changes it, is ordered by fork, wait or
 * a message, so that every schedule gives the same results. Vector clocks tell what is ordered; where nothing is, a message is
 * put in, from whoever is behind the one to whoever does the other.
 * Every wait or message is answered by what comes before it in the sequence, so no schedule can end in a deadlock: pipes have
 * room for all that is ever sent through them.
 * May import program, random. Source: Lamport, "Time, clocks, and the ordering of events" (1978); Fidge, Mattern (1988).
 */
import { Op } from "../../../userland/fuzz/format";
import type { Random } from "../random";
import type { Operation } from "./program";

/** Something that several processes may see: a file, shared memory. */
export type SharedThing = number;

export interface Maker {
  readonly number: number;
  readonly parent: Maker | undefined;
  readonly operations: Operation[];
  /** For each process, how many of its operations are certainly over when the next one of this begins. */
  readonly clock: number[];
  /** Does nothing more. */
  ended: boolean;
  /** May be killed at any operation: nobody can wait for a message from it. */
  doomed: boolean;
  /** Children to wait for. */
  readonly children: Set<Maker>;
  /** What its last mmap or mremap of unknown place shows: undefined for private memory. */
  result: SharedThing | undefined;
  hasResult: boolean;
  /** Has locked memory: what grows then is filled at once. */
  locks: boolean;
}

const MOST_PIPES = 12;
/** Bytes through one pipe in a whole program: it never blocks a writer. */
const PIPE_ROOM = 4000;
const MOST_MESSAGE = 700;

interface Pipe {
  from: Maker;
  to: Maker;
  number: number;
  bytes: number;
}

export class Order {
  readonly makers: Maker[] = [];
  private readonly pipes: Pipe[] = [];
  private pipeCount = 0;
  /** For each thing and process, the time of its last use and of its last change. */
  private readonly uses = new Map<SharedThing, Map<number, { used: number; changed: number }>>();

  constructor(
    private readonly random: Random,
    /** A place of private memory for a message. */
    private readonly messagePlace: () => number,
  ) {
    this.start(undefined);
  }

  get alive(): Maker[] {
    return this.makers.filter(({ ended }) => !ended);
  }

  private start(parent: Maker | undefined): Maker {
    const maker: Maker = {
      number: this.makers.length,
      parent,
      operations: [],
      clock: parent ? [...parent.clock] : [],
      ended: false,
      doomed: parent?.doomed ?? false,
      children: new Set(),
      result: parent?.result,
      hasResult: parent?.hasResult ?? false,
      locks: false,
    };
    this.makers.push(maker);
    return maker;
  }

  /** Adds an operation that touches nothing shared. */
  add(maker: Maker, op: Op, ...args: number[]): void {
    maker.operations.push({ op, args });
    maker.clock[maker.number] = maker.operations.length;
  }

  /** Adds one that uses or changes shared things, if that can be ordered. */
  addUsing(maker: Maker, used: SharedThing[], changed: SharedThing[], op: Op, ...args: number[]): void {
    for (const thing of used) if (!this.orderUses(maker, thing, false)) return;
    for (const thing of changed) if (!this.orderUses(maker, thing, true)) return;
    this.add(maker, op, ...args);
    const now = maker.operations.length;
    for (const thing of [...used, ...changed]) {
      const uses = this.usesOf(thing);
      const last = uses.get(maker.number) ?? { used: 0, changed: 0 };
      uses.set(maker.number, { used: now, changed: changed.includes(thing) ? now : last.changed });
    }
  }

  private usesOf(thing: SharedThing) {
    const known = this.uses.get(thing);
    if (known) return known;
    const uses = new Map<number, { used: number; changed: number }>();
    this.uses.set(thing, uses);
    return uses;
  }

  /** Sees to it that all earlier uses of a thing that a use or change must not meet are over. False if that cannot be. */
  private orderUses(maker: Maker, thing: SharedThing, change: boolean): boolean {
    for (const [other, { used, changed }] of this.usesOf(thing)) {
      const time = change ? used : changed;
      if (other !== maker.number && !this.comeAfter(maker, other, time)) return false;
    }
    return true;
  }

  /** Sees to it that process `other` is done with its operations up to `time` before the maker's next. */
  private comeAfter(maker: Maker, other: number, time: number): boolean {
    const isBehind = ({ clock }: Maker) => (clock[other] ?? 0) >= time;
    if (isBehind(maker)) return true;
    const child = [...maker.children].find((one) => one.ended && isBehind(one));
    if (child) {
      this.wait(maker, child, 0);
      return true;
    }
    const witness = this.makers.find((one) => one !== maker && !one.ended && !one.doomed && isBehind(one));
    return witness !== undefined && this.message(witness, maker, 1 + this.random.below(48));
  }

  /** A message from one process to another, or itself. False if there are no pipes left, or one cannot send. */
  message(from: Maker, to: Maker, bytes: number): boolean {
    if (from.ended || from.doomed || to.ended || bytes > MOST_MESSAGE) return false;
    let pipe = this.pipes.find((one) => one.from === from && one.to === to);
    if (pipe === undefined) {
      const number = this.newPipe();
      if (number === undefined) return false;
      pipe = { from, to, number, bytes: 0 };
      this.pipes.push(pipe);
    }
    if (pipe.bytes + bytes > PIPE_ROOM) return false;
    pipe.bytes += bytes;
    this.add(from, Op.Send, pipe.number, this.messagePlace(), bytes);
    this.joinClock(to, from);
    this.add(to, Op.Receive, pipe.number, this.messagePlace(), bytes);
    return true;
  }

  private newPipe(): number | undefined {
    return this.pipeCount < MOST_PIPES ? this.pipeCount++ : undefined;
  }

  private joinClock(maker: Maker, other: Maker): void {
    for (const [process, time] of other.clock.entries()) {
      maker.clock[process] = Math.max(maker.clock[process] ?? 0, time ?? 0);
    }
  }

  fork(maker: Maker): Maker {
    this.add(maker, Op.Fork, this.makers.length);
    const child = this.start(maker);
    maker.children.add(child);
    return child;
  }

  /** Waits for a child that has ended; its status goes to a place, or to 0. */
  wait(maker: Maker, child: Maker, place: number): void {
    this.joinClock(maker, child);
    maker.children.delete(child);
    this.add(maker, Op.Wait, child.number, place);
  }

  /** Ends a process by itself. */
  exit(maker: Maker, status: number): void {
    this.add(maker, Op.Exit, status);
    maker.ended = true;
  }

  /** Ends a child by a signal from its parent, once it has said that it is ready and sleeps. False if that cannot be. */
  kill(maker: Maker, child: Maker, signal: number): boolean {
    if (this.pipeCount > MOST_PIPES - 2 || !this.message(child, maker, 1)) return false;
    this.add(child, Op.Hang, this.newPipe() as number);
    child.ended = true;
    this.add(maker, Op.Kill, child.number, signal);
    return true;
  }

  /** exec: forgets its children, mappings and locks. */
  exec(maker: Maker, place: number): void {
    this.add(maker, Op.Exec, place);
    maker.children.clear();
    maker.hasResult = false;
    maker.locks = false;
  }
}
