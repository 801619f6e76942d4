/**
 * Machines with shared page tables for the auditor's tests, and their memory to be spoilt word by word. May import tests/guest,
 * tools/audit, cpu.
 */
import { EventKind, Machine, type MachineState } from "../../cpu/index";
import { Mark } from "../../kernel/abi/marks";
import { Auditor } from "../../tools/audit/auditor";
import { type Model, modelOf } from "../../tools/audit/model";
import { auditDirectories, readSpaces } from "../../tools/audit/spaces";
import { auditTables } from "../../tools/audit/tables";
import { type Finding, type Space, type Table, View } from "../../tools/audit/view";
import { type KernelLayout, kernelLayout } from "../../tools/image/layout";
import { builtImages, machineFor } from "../guest/guest";

/** forkdemo's memory begins here: a slot of its own, full of data pages. */
export const DATA_ADDRESS = 0x60000000;
const USER_RING = 3;

export const built = await builtImages();

/** The layout of a kernel of ours. */
export function layoutOf(kernel: Uint8Array): KernelLayout {
  const layout = kernelLayout(kernel);
  if (layout === undefined) throw new Error("the kernel carries no layout");
  return layout;
}

export const layout = layoutOf(built.kernel);
export const model: Model = modelOf(layout);

/** Stops at a return to user mode: the `nth` after a fork that shares tables, so that parent and child share. */
function stateAfterFork(nth: number): MachineState {
  const { machine } = machineFor(built, { commandLine: "quiet fork=share -- /bin/forkdemo 4", memoryMB: 16 });
  let left = 0;
  let forks = 0;
  machine.onEvent(({ kind, a, b }) => {
    // init forks, the demonstration warms up, and then comes the fork that it measures.
    if (kind === EventKind.Mark && a >>> 24 === Mark.Fork && ++forks === 3) left = nth;
    if (kind === EventKind.Iret && b === USER_RING && left > 0 && --left === 0) machine.cpu.requestStop();
  });
  machine.run({ maxInstructions: 1e8 });
  return machine.save();
}

const shared = stateAfterFork(4);

/** One machine at a return to user mode right after a fork, and what a test needs to spoil it. */
export class Spoilt {
  readonly machine = Machine.restore(shared);
  readonly view: View;
  private readonly auditor: Auditor;

  constructor() {
    const { ram } = this.machine.cpu;
    this.auditor = new Auditor(this.machine, layout);
    this.view = new View(new Uint32Array(ram.buffer, ram.byteOffset, ram.byteLength >>> 2), model);
    readSpaces(this.view);
    auditDirectories(this.view);
    auditTables(this.view);
  }

  /** Parent and child of the demonstration. */
  get family(): Space[] {
    return this.view.spaces.filter(({ name }) => name === "forkdemo");
  }

  /** A table with two users that maps the demonstration's data. */
  sharedTable(): Table {
    return must(
      this.view.tables.find(({ slot, sharers }) => sharers.length > 1 && slot === DATA_ADDRESS >>> 22),
      "a shared table",
    );
  }

  /** A table with one user. */
  ownTable(): Table {
    return must(
      this.view.tables.find(({ sharers }) => sharers.length === 1),
      "a table of one",
    );
  }

  /** Word index of a present pte of a table: the `nth`. */
  pte(table: Table, nth = 0): number {
    let left = nth;
    for (let i = table.frame << 10; i < (table.frame + 1) << 10; i++) {
      if ((this.view.words[i] & model.constants.mapped) !== 0 && left-- === 0) return i;
    }
    throw new Error("no such pte");
  }

  /** Word index of a directory's entry. */
  pde(space: Space, slot: number): number {
    return (space.directory << 10) + slot;
  }

  /** Changes a word of RAM, as a fault of the kernel would have. */
  set(index: number, value: number): void {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value >>> 0);
    this.machine.writePhysical(index * 4, bytes);
  }

  /** Adds to a word. */
  add(index: number, difference: number): void {
    this.set(index, this.view.words[index] + difference);
  }

  audit(): readonly Finding[] {
    return this.auditor.audit();
  }

  lines(): string[] {
    return this.audit().map((finding) => this.auditor.describe(finding));
  }
}

/** What is there, or an error that names it. */
export function must<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`there is no ${what}`);
  return value;
}
