/**
 * Whether a program gives the same in every schedule: runs its operations one process after the other, as far as each can go, and
 * asks of every use of a shared thing whether what it must not meet is over. Knows nothing of how the generator ordered it, so it
 * judges what the generator makes and what shrinking leaves. May import program, uses.
 */
import { Op } from "../../../userland/fuzz/format";
import type { Operation, Program } from "./program";
import { resultAfter, type Thing, usesOf } from "./uses";

interface Walker {
  number: number;
  next: number;
  clock: number[];
  result: Thing | undefined;
  started: boolean;
  ended: boolean;
  hangs: boolean;
  /** Its clock when it called exec. */
  executed: number[] | undefined;
  /** Whom it waits for in vfork. */
  lends: Walker | undefined;
}

interface Message {
  bytes: number;
  clock: number[];
}

class Walk {
  private readonly walkers: Walker[];
  private readonly pipes = new Map<number, Message[]>();
  private readonly uses = new Map<Thing, { process: number; time: number; changed: boolean }[]>();

  constructor(private readonly program: Program) {
    this.walkers = program.processes.map((_, number) => ({
      number,
      next: 0,
      clock: [],
      result: undefined,
      started: number === 0,
      ended: false,
      hangs: false,
      executed: undefined,
      lends: undefined,
    }));
  }

  /** What is wrong: a race or a deadlock, in words; undefined if nothing is. */
  fault(): string | undefined {
    for (let moved = true; moved; ) {
      moved = false;
      for (const walker of this.walkers) {
        while (walker.started && !walker.ended && !walker.hangs && this.hasMemory(walker)) {
          const operation = this.program.processes[walker.number][walker.next] ?? { op: Op.Exit, args: [0] };
          if (!this.isReady(operation)) break;
          const race = this.step(walker, operation);
          if (race) return race;
          moved = true;
        }
      }
    }
    const stuck = this.walkers.find(({ started, ended, hangs }) => started && !ended && !hangs);
    return stuck && `process ${stuck.number} waits for ever`;
  }

  /** Whether a process has not lent its memory, or has it back: then what was done there is over. */
  private hasMemory(walker: Walker): boolean {
    const { lends } = walker;
    if (lends === undefined) return true;
    if (!lends.ended && lends.executed === undefined) return false;
    this.join(walker, lends.executed ?? lends.clock);
    walker.lends = undefined;
    return true;
  }

  private isReady({ op, args }: Operation): boolean {
    if (op === Op.Wait) return this.walkers[args[0]]?.ended ?? false;
    if (op === Op.Kill) return (this.walkers[args[0]]?.hangs || this.walkers[args[0]]?.ended) ?? false;
    if (op !== Op.Receive) return true;
    return this.messages(args[0])[0]?.bytes === args[2];
  }

  private messages(pipe: number): Message[] {
    const known = this.pipes.get(pipe);
    if (known) return known;
    const messages: Message[] = [];
    this.pipes.set(pipe, messages);
    return messages;
  }

  private step(walker: Walker, operation: Operation): string | undefined {
    const { op, args } = operation;
    const other = this.walkers[args[0]];
    walker.next++;
    walker.clock[walker.number] = walker.next;
    if (op === Op.Receive) this.join(walker, this.messages(args[0]).shift()?.clock ?? []);
    if (op === Op.Wait) this.join(walker, other.clock);
    const { used, changed } = usesOf(operation, walker.result);
    const race =
      used.map((thing) => this.use(walker, thing, false)).find((text) => text !== undefined) ??
      changed.map((thing) => this.use(walker, thing, true)).find((text) => text !== undefined);
    walker.result = resultAfter(operation, walker.result);
    if (op === Op.Send) this.messages(args[0]).push({ bytes: args[2], clock: [...walker.clock] });
    if (op === Op.Exit) walker.ended = true;
    if (op === Op.Hang) {
      this.messages(args[0]).push({ bytes: 1, clock: [...walker.clock] });
      walker.hangs = true;
    }
    if (op === Op.Kill && other.hangs) other.ended = true;
    if (op === Op.Exec) walker.executed ??= [...walker.clock];
    if (op === Op.Vfork) walker.lends = other;
    if ((op === Op.Fork || op === Op.Vfork) && other) {
      other.started = true;
      other.result = walker.result;
      this.join(other, walker.clock);
    }
    return race;
  }

  private join({ clock }: Walker, other: readonly number[]): void {
    for (const [process, time] of other.entries()) clock[process] = Math.max(clock[process] ?? 0, time ?? 0);
  }

  private use(walker: Walker, thing: Thing, changed: boolean): string | undefined {
    const all = this.uses.get(thing) ?? [];
    this.uses.set(thing, all);
    for (const one of all) {
      const conflicts = one.process !== walker.number && (changed || one.changed);
      if (conflicts && (walker.clock[one.process] ?? 0) < one.time) {
        return `operation ${walker.next - 1} of process ${walker.number} races with ${one.time - 1} of process ${one.process}`;
      }
    }
    all.push({ process: walker.number, time: walker.next, changed });
    return undefined;
  }
}

/** Why a program's results may depend on the schedule; undefined if they do not. */
export function raceOf(program: Program): string | undefined {
  return new Walk(program).fault();
}
