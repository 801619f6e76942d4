/**
 * Makes a program that shows a difference small: drops whole processes, runs of operations, timer ticks; makes numbers smaller, and
 * the machine the standard one; as long as it still fails and still does the same in every schedule.
 * May import program, check.
 */
import { Op } from "../../../userland/fuzz/format";
import { raceOf } from "./check";
import { kindsOf, type Operation, type Program } from "./program";

const PAGE = 4096;

/** The smallest program for which `fails` holds that at most `trials` attempts find. */
export function shrink(program: Program, fails: (program: Program) => boolean, trials: number): Program {
  const shrinker = new Shrinker(program, fails, trials);
  for (let size = Number.POSITIVE_INFINITY; shrinker.size < size && shrinker.left > 0; ) {
    size = shrinker.size;
    shrinker.simplifyMachine();
    shrinker.dropProcesses();
    shrinker.dropTicks();
    shrinker.dropOperations();
    shrinker.dropMessages();
  }
  shrinker.lowerNumbers();
  return shrinker.best;
}

class Shrinker {
  constructor(
    public best: Program,
    private readonly fails: (program: Program) => boolean,
    public left: number,
  ) {}

  get size(): number {
    return this.best.processes.flat().length + this.best.ticks.length;
  }

  private attempt(candidate: Program): boolean {
    if (this.left <= 0 || raceOf(candidate) !== undefined) return false;
    this.left--;
    if (!this.fails(candidate)) return false;
    this.best = candidate;
    return true;
  }

  simplifyMachine(): void {
    if (this.best.variant !== "standard") this.attempt({ ...this.best, variant: "standard" });
    if (this.best.auditEvery !== 1) this.attempt({ ...this.best, auditEvery: 1 });
  }

  /** The last ones first: they have forked nobody. */
  dropProcesses(): void {
    for (let process = this.best.processes.length - 1; process > 0; process--) {
      this.attempt(withoutProcess(this.best, process));
    }
  }

  dropTicks(): void {
    if (this.best.ticks.length > 1) this.attempt({ ...this.best, ticks: [] });
    for (let i = this.best.ticks.length - 1; i >= 0; i--) {
      this.attempt({ ...this.best, ticks: this.best.ticks.toSpliced(i, 1) });
    }
  }

  /** Runs of operations of a process, long ones first. */
  dropOperations(): void {
    for (let process = 0; process < this.best.processes.length; process++) {
      for (let size = this.best.processes[process].length >> 1; size >= 1; size >>= 1) {
        for (let at = 0; at + size <= this.best.processes[process].length; ) {
          const operations = this.best.processes[process].toSpliced(at, size);
          if (!this.attempt({ ...this.best, processes: this.best.processes.with(process, operations) })) at += size;
        }
      }
    }
  }

  /** The sending and the receiving end of each message at once. */
  dropMessages(): void {
    for (const pipe of pipesOf(this.best)) {
      for (let number = countOf(this.best, Op.Send, pipe) - 1; number >= 0; number--) {
        this.attempt(withoutMessage(this.best, pipe, number));
      }
    }
  }

  lowerNumbers(): void {
    for (const [process, operations] of this.best.processes.entries()) {
      for (const [number, { op, args }] of operations.entries()) {
        for (let i = 0; i < args.length; i++) {
          if (kindsOf(op)[i] !== "n" || ![Op.Write, Op.Read, Op.Copy, Op.Fill, Op.Munmap, Op.Mprotect].includes(op))
            continue;
          for (const value of [0, 1, 4, PAGE]) {
            const { args: now } = this.best.processes[process][number];
            if (value >= now[i] || this.attempt(withArgument(this.best, process, number, i, value))) break;
          }
        }
      }
    }
  }
}

function withArgument(program: Program, process: number, number: number, index: number, value: number): Program {
  const { op, args } = program.processes[process][number];
  const operations = program.processes[process].with(number, { op, args: args.with(index, value) });
  return { ...program, processes: program.processes.with(process, operations) };
}

/** Without a process: nobody forks it, waits for it or kills it, and the messages from and to it are gone. */
function withoutProcess(program: Program, gone: number): Program {
  const pipes = new Set(program.processes[gone].filter(isMessage).map(({ args }) => args[0]));
  const keeps = ({ op, args }: Operation) => {
    if ([Op.Fork, Op.Vfork, Op.Wait, Op.Kill].includes(op)) return args[0] !== gone;
    return !isMessage({ op, args }) || !pipes.has(args[0]);
  };
  const renumber = ({ op, args }: Operation): Operation => {
    const index = kindsOf(op).indexOf("r");
    return index < 0 || args[index] < gone ? { op, args } : { op, args: args.with(index, args[index] - 1) };
  };
  return {
    ...program,
    processes: program.processes.toSpliced(gone, 1).map((operations) => operations.filter(keeps).map(renumber)),
    ticks: program.ticks
      .filter(({ process }) => process !== gone)
      .map(({ process, ...rest }) => ({ ...rest, process: process > gone ? process - 1 : process })),
  };
}

function isMessage({ op }: Operation): boolean {
  return op === Op.Send || op === Op.Receive || op === Op.Hang;
}

function pipesOf({ processes }: Program): Set<number> {
  return new Set(
    processes
      .flat()
      .filter(isMessage)
      .map(({ args }) => args[0]),
  );
}

function countOf({ processes }: Program, wanted: Op, pipe: number): number {
  return processes.flat().filter(({ op, args }) => op === wanted && args[0] === pipe).length;
}

/** Without the message number `gone` of a pipe, which one process sends and one receives. */
function withoutMessage(program: Program, pipe: number, gone: number): Program {
  const processes = program.processes.map((operations) => {
    const seen = { [Op.Send]: 0, [Op.Receive]: 0 };
    return operations.filter(({ op, args }) => {
      if ((op !== Op.Send && op !== Op.Receive) || args[0] !== pipe) return true;
      return seen[op]++ !== gone;
    });
  });
  return { ...program, processes };
}
