/**
 * A program in the making, as one sequence of operations of several processes in turn: a schedule that can happen. What it
 * keeps: whatever two processes do to the same shared object, and at least one of them changes it, is ordered by fork, wait or
 * a message, so that every schedule gives the same results. Vector clocks tell what is ordered; where nothing is, a message is
 * put in, from whoever is behind the one to whoever does the other.
 * Every wait or message is answered by what comes before it in the sequence, so no schedule can end in a deadlock: pipes have
 * room for all that is ever sent through them.
 * May import program, uses, random. Source: Lamport, "Time, clocks, and the ordering of events" (1978); Fidge, Mattern (1988).
 */
import { Op } from "../../../userland/fuzz/format";
import type { Random } from "../random";
import type { Operation } from "./program";
import { resultAfter, type Thing, usesOf } from "./uses";

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
  /** Has lent its memory to a child of vfork, and waits. */
  lends: boolean;
  /** Children to wait for. */
  readonly children: Set<Maker>;
  /** What Base.Result shows: undefined for private memory. */
  result: Thing | undefined;
  /** Has locked memory: what grows then is filled at once. */
  locks: boolean;
  /** Pages of the private zone that are mapped for writing as they were at first. */
  intact: Set<number>;
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
  private readonly uses = new Map<Thing, Map<number, { used: number; changed: number }>>();

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
      lends: false,
      children: new Set(),
      result: parent?.result,
      locks: false,
      intact: new Set(parent?.intact),
    };
    this.makers.push(maker);
    return maker;
  }

  /** Adds an operation, and before it what orders its uses of shared things. False if they cannot be ordered: nothing is added. */
  add(maker: Maker, op: Op, ...args: number[]): boolean {
    const operation = { op, args };
    const { used, changed } = usesOf(operation, maker.result);
    for (const thing of used) if (!this.orderUses(maker, thing, false)) return false;
    for (const thing of changed) if (!this.orderUses(maker, thing, true)) return false;
    maker.operations.push(operation);
    maker.result = resultAfter(operation, maker.result);
    const now = maker.operations.length;
    maker.clock[maker.number] = now;
    for (const thing of [...used, ...changed]) {
      const uses = this.usesOf(thing);
      const last = uses.get(maker.number) ?? { used: 0, changed: 0 };
      uses.set(maker.number, { used: now, changed: changed.includes(thing) ? now : last.changed });
    }
    return true;
  }

  private usesOf(thing: Thing) {
    const known = this.uses.get(thing);
    if (known) return known;
    const uses = new Map<number, { used: number; changed: number }>();
    this.uses.set(thing, uses);
    return uses;
  }

  /** Sees to it that all earlier uses of a thing that a use or change must not meet are over. False if that cannot be. */
  private orderUses(maker: Maker, thing: Thing, change: boolean): boolean {
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
    const witness = this.makers.find(
      (one) => one !== maker && !one.lends && !one.ended && !one.doomed && isBehind(one),
    );
    return witness !== undefined && this.message(witness, maker, 1 + this.random.below(48));
  }

  /** A message from one process to another, or itself. False if there are no pipes left, or one cannot send. */
  message(from: Maker, to: Maker, bytes: number): boolean {
    if (from.ended || from.doomed || from.lends || to.ended || to.lends || bytes > MOST_MESSAGE) return false;
    const pipe = this.pipeFor(from, to, bytes);
    if (pipe === undefined) return false;
    this.add(from, Op.Send, pipe, this.messagePlace(), bytes);
    this.joinClock(to, from);
    this.add(to, Op.Receive, pipe, this.messagePlace(), bytes);
    return true;
  }

  /** The pipe from one process to another with room for `bytes` more, made if there is none. */
  private pipeFor(from: Maker, to: Maker, bytes: number): number | undefined {
    let pipe = this.pipes.find((one) => one.from === from && one.to === to);
    if (pipe === undefined) {
      const number = this.newPipe();
      if (number === undefined) return undefined;
      pipe = { from, to, number, bytes: 0 };
      this.pipes.push(pipe);
    }
    if (pipe.bytes + bytes > PIPE_ROOM) return undefined;
    pipe.bytes += bytes;
    return pipe.number;
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

  /**
   * A child of vfork: `borrow` adds what it does in its parent's memory, and must end it or let it call exec; until then the
   * parent does nothing.
   */
  vfork(maker: Maker, borrow: (child: Maker) => void): void {
    this.add(maker, Op.Vfork, this.makers.length);
    const child = this.start(maker);
    // What it does to mappings it does to its parent's.
    child.intact = maker.intact;
    maker.children.add(child);
    maker.lends = true;
    borrow(child);
    maker.lends = false;
    maker.locks ||= child.locks;
    this.joinClock(maker, child);
  }

  /** Waits for a child that has ended; its status goes to a place of private memory, or to 0. */
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

  /** Ends a child by a signal from its parent, once it has said that it goes to sleep. */
  kill(maker: Maker, child: Maker, signal: number): void {
    const ready = this.pipeFor(child, maker, 1);
    const own = this.newPipe();
    if (ready === undefined || own === undefined) return;
    this.add(child, Op.Hang, ready, own);
    child.ended = true;
    this.joinClock(maker, child);
    this.add(maker, Op.Receive, ready, this.messagePlace(), 1);
    this.add(maker, Op.Kill, child.number, signal);
  }

  /** exec with a string of private memory: forgets its children, mappings and locks. */
  exec(maker: Maker, place: number): void {
    this.add(maker, Op.Exec, place);
    maker.children.clear();
    maker.locks = false;
    maker.intact = new Set();
  }
}
