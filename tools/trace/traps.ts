/**
 * What a process is in while the kernel works for it, and what a page fault has come to once it is over. May import callmemory, faultoutcome,
 * kernelview, pageentries.
 * Invariant: processes and their traps are made once and used again: entering and leaving the kernel allocates nothing.
 */
import { SavedMemory } from "./callmemory";
import { addOutcome, hasOutcome, NO_OUTCOME, Outcome, putOutcomeFirst } from "./faultoutcome";
import type { KernelView } from "./kernelview";
import { frameOf, type PageEntries, PRESENT, WRITE } from "./pageentries";

/** Vectors of a page fault and of a system call; bytes of INT 0x80. */
export const PAGE_FAULT = 14;
export const SYSCALL_VECTOR = 0x80;
export const INT_BYTES = 2;
/** Traps within traps that are remembered of a process; a kernel that is not ours may never come back from one. */
const MOST_TRAPS = 32;

/** An entry into the kernel that has not been left yet. */
export class Trap {
  vector = 0;
  /** Of the code that was interrupted; of a system call, behind its INT. */
  eip = 0;
  ring = 0;
  /** -1: it was not heard. */
  instret = 0;
  /** Page fault: address, error code, the pde and pte of the address then, what the marks have said since, frame of a page from swap or -1. */
  address = 0;
  errorCode = 0;
  pde = 0;
  pte = 0;
  outcome = NO_OUTCOME;
  swappedIn = -1;
  /** System call: number, argument registers, what they lead to if that is kept, and whether it is an execve that has succeeded. */
  number = -1;
  readonly args = new Int32Array(6);
  readonly memory = new SavedMemory();
  isSaved = false;
  executed = false;

  begin(vector: number, eip: number, ring: number, instret: number): void {
    this.vector = vector;
    this.eip = eip;
    this.ring = ring;
    this.instret = instret;
    this.outcome = NO_OUTCOME;
    this.swappedIn = -1;
    this.number = -1;
    this.memory.clear();
    this.isSaved = false;
    this.executed = false;
  }
}

export class Process {
  /** Frame of its page directory; -1: not known. */
  directory = -1;
  /** It may be in a trap that began before we listened. */
  isStale = false;
  /** The traps that it is in are the first `depth` of these, the outermost first. */
  private readonly traps: Trap[] = [];
  depth = 0;

  constructor(public pid: number) {}

  /** It is a new process. */
  reset(pid: number): void {
    this.pid = pid;
    this.directory = -1;
    this.isStale = false;
    this.depth = 0;
  }

  /** It is in one trap more. */
  enter(vector: number, eip: number, ring: number, instret: number): Trap {
    const { traps } = this;
    if (this.depth === MOST_TRAPS) traps.push(traps.shift() as Trap);
    else if (this.depth++ === traps.length) traps.push(new Trap());
    const trap = traps[this.depth - 1];
    trap.begin(vector, eip, ring, instret);
    return trap;
  }

  /** It has left the innermost trap, which may be used until the next is entered; undefined: it is in none. */
  leave(): Trap | undefined {
    return this.depth === 0 ? undefined : this.traps[--this.depth];
  }

  get outermost(): Trap | undefined {
    return this.depth === 0 ? undefined : this.traps[0];
  }

  get innermost(): Trap | undefined {
    return this.depth === 0 ? undefined : this.traps[this.depth - 1];
  }
}

/** What a fault has come to that goes on at `eip` in a ring: what the marks have said, and what the entries have become. */
export function outcomeOf(
  trap: Trap,
  entries: PageEntries,
  kernel: KernelView | undefined,
  eip: number,
  ring: number,
): number {
  const pde = entries.pde(trap.address);
  const pte = entries.pte(pde, trap.address);
  let { outcome } = trap;
  if (eip !== trap.eip) outcome = addOutcome(outcome, ring === 3 ? Outcome.Signal : Outcome.Fixup);
  const sameTable = pde >>> 12 === trap.pde >>> 12 && !hasOutcome(outcome, Outcome.Unshared);
  if (sameTable && (trap.pde & (PRESENT | WRITE)) === PRESENT && (pde & WRITE) !== 0) {
    outcome = putOutcomeFirst(outcome, Outcome.TableMadeWritable);
  }
  const wasThere = (trap.pte & PRESENT) !== 0;
  const isThere = (pte & PRESENT) !== 0;
  if (!wasThere && isThere && trap.swappedIn < 0 && !hasOutcome(outcome, Outcome.Copied)) {
    outcome = addOutcome(outcome, howMapped(frameOf(pte), entries, kernel));
  }
  const sameFrame = wasThere && isThere && pte >>> 12 === trap.pte >>> 12;
  if (sameFrame && (trap.pte & WRITE) === 0 && (pte & WRITE) !== 0) {
    outcome = addOutcome(outcome, Outcome.PageMadeWritable);
  }
  if (outcome === NO_OUTCOME) return addOutcome(outcome, isThere ? Outcome.Spurious : Outcome.Waited);
  return outcome;
}

function howMapped(frame: number, entries: PageEntries, kernel: KernelView | undefined): Outcome {
  if (kernel?.isObjectPage(frame)) return Outcome.MappedObject;
  return entries.isZero(frame) ? Outcome.MappedZero : Outcome.MappedFile;
}
