/**
 * Runs of a guest program in this thread, for commands that look at it as it goes: in slices, between which they take input from stdin, say
 * on a terminal how far they have come, and hear Ctrl-C. What the guest prints goes to stderr. May import cpu's public face, tools/replay,
 * types of tools/show and the rest of tools/cli.
 *
 * Invariants: all runs of one command get the same input, each when its guest sleeps, as in `tine run`; slices change nothing that a
 * guest can see.
 */
import { setImmediate } from "node:timers/promises";
import { type Machine, MachineError, NOMINAL_HZ, type RunOptions, type StopReason } from "../../cpu/index";
import { bootRecipe, copyOfDisk, type Recipe } from "../replay/recipe";
import type { Drive } from "../show/moments";
import { CliError, ExitCode } from "./exitcodes";
import { GuestInput } from "./guestinput";
import { Progress, short } from "./progress";
import { ConsoleText } from "./terminal";

/** Instructions between two looks at the rest of the world: few, since a profile takes a hundred times as long for each. */
const SLICE = 100_000;
/** A sleep too short for the host to follow, as for the disk: it is no wait for input. */
const SHORT_SLEEP_MS = 1;
const LONGEST_WAIT_MS = 1000;
const NEWLINE = 10;

/** What is run: a machine, or what runs it and takes its input for it. */
interface Driven {
  run(options: RunOptions): StopReason;
  type(bytes: Uint8Array): unknown;
}

export class GuestRuns {
  private readonly input = new GuestInput();
  private readonly progress = new Progress();
  private readonly text = new ConsoleText();
  private atLineStart = true;
  private interrupted = false;
  private isReading = false;
  /** Ends a wait for input. */
  private wake = (): void => {};

  /** Each run takes `budget` instructions at most. */
  constructor(private readonly budget: number) {}

  /** A machine of the recipe at its first instruction; its disk is a copy in memory. It prints while `prints` says so. Throws CliError. */
  async machine(recipe: Recipe, prints: () => boolean): Promise<Machine> {
    try {
      return bootRecipe(recipe, await copyOfDisk(recipe), (bytes) => {
        if (prints()) this.print(bytes);
      });
    } catch (error) {
      if (error instanceof MachineError) throw new CliError(error.message);
      throw error;
    }
  }

  /** What runs a machine from where it is, from the input's beginning on; through `driven` if there is one. */
  drive(machine: Machine, driven?: Driven): Drive {
    const { run, type }: Driven = driven ?? {
      run: (options) => machine.run(options),
      type: (bytes) => machine.input(bytes),
    };
    const next = this.input.reader();
    return async (most = Number.POSITIVE_INFINITY) => {
      const until = Math.min(this.budget, most);
      this.attach();
      try {
        for (;;) {
          const stop = run({ maxInstructions: Math.min(SLICE, until - machine.instret), stopWhenIdle: true });
          if (stop.reason === "idle") {
            const bytes = await this.whileAsleep(next, stop.wakeCycles - machine.cycles);
            if (bytes !== undefined) type(bytes);
          } else if (stop.reason !== "budget" || machine.instret >= until) return stop;
          if (this.isShown) this.progress.update(`${short(machine.instret)} instructions`);
          await setImmediate();
          if (this.interrupted)
            throw new CliError(`interrupted after ${machine.instret} instructions`, ExitCode.Interrupted);
        }
      } finally {
        this.release();
      }
    };
  }

  /** Says what is done next, where nothing can be said meanwhile; until the next run, or clear(). */
  say(text: string): void {
    if (this.isShown) this.progress.update(text);
  }

  /** Takes the progress line away. */
  clear(): void {
    this.progress.clear();
  }

  /** A line of progress would go into what the guest has begun to print. */
  private get isShown(): boolean {
    return process.stderr.isTTY === true && this.atLineStart;
  }

  private print(bytes: Uint8Array): void {
    const shown = this.text.filter(bytes);
    if (shown.length === 0) return;
    this.progress.clear();
    process.stderr.write(shown);
    this.atLineStart = shown[shown.length - 1] === NEWLINE;
  }

  private readonly onSignal = (): void => {
    this.interrupted = true;
    this.wake();
  };
  private readonly onData = (bytes: Buffer): void => {
    this.input.add(new Uint8Array(bytes));
    this.wake();
  };
  private readonly onEnd = (): void => {
    this.input.ended = true;
    this.wake();
  };

  /** Hears signals, and reads stdin; a terminal only once the guest sleeps, since a command in the background may not. */
  private attach(): void {
    process.on("SIGINT", this.onSignal).on("SIGTERM", this.onSignal);
    if (!process.stdin.isTTY) this.read();
  }

  private read(): void {
    if (this.isReading || this.input.ended) return;
    this.isReading = true;
    process.stdin.on("data", this.onData).on("end", this.onEnd);
  }

  private release(): void {
    process.off("SIGINT", this.onSignal).off("SIGTERM", this.onSignal);
    if (this.isReading) process.stdin.off("data", this.onData).off("end", this.onEnd).pause();
    this.isReading = false;
    this.progress.clear();
  }

  /** Input for a guest that sleeps for so many cycles; undefined where none has come by its end. */
  private async whileAsleep(next: () => Uint8Array | undefined, cycles: number): Promise<Uint8Array | undefined> {
    const milliseconds = (cycles / NOMINAL_HZ) * 1000;
    if (milliseconds < SHORT_SLEEP_MS) return undefined;
    const bytes = next();
    if (bytes !== undefined) return bytes;
    this.progress.clear();
    this.read();
    await this.arrival(Math.min(milliseconds, LONGEST_WAIT_MS));
    return next();
  }

  /** Waits for input or a signal, no longer than so many milliseconds. */
  private arrival(most: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.wake(), most);
      this.wake = () => {
        clearTimeout(timer);
        this.wake = () => {};
        resolve();
      };
    });
  }
}

/** Says that a run did not end well, and sets the exit code. */
export function sayEnd(stop: StopReason, instret: number): void {
  if (stop.reason === "budget") {
    process.stderr.write(`tine: out of budget after ${instret} instructions\n`);
    process.exitCode = ExitCode.Budget;
  } else if (stop.reason === "tripleFault" || (stop.reason === "exit" && stop.value === 1)) {
    process.stderr.write(`tine: the machine stopped (${stop.reason}) after ${instret} instructions\n`);
    process.exitCode = ExitCode.Panic;
  }
}
