/**
 * What a process is in while the kernel works for it, and what a page fault has come to once it is over. May import eventtypes, kernelview,
 * pageentries.
 */
import type { FaultOutcome } from "./eventtypes";
import type { KernelView } from "./kernelview";
import { frameOf, type PageEntries, PRESENT, WRITE } from "./pageentries";

/** An entry into the kernel that has not been left yet. */
export interface Trap {
  vector: number;
  /** Of the code that was interrupted; of a system call, behind its INT. */
  eip: number;
  ring: number;
  /** -1: it was not heard. */
  instret: number;
  /** Page fault: address, error code, the pde and pte of the address then, what the marks have said since, frame of a page from swap or -1. */
  address: number;
  errorCode: number;
  pde: number;
  pte: number;
  outcome: FaultOutcome[];
  swappedIn: number;
  /** System call: number, argument registers, arguments in words, path of an execve, and whether it has succeeded. */
  number: number;
  args: number[];
  texts: string[] | undefined;
  path: string | undefined;
  executed: boolean;
}

export interface Process {
  pid: number;
  /** Traps that it is in, the outermost first. */
  traps: Trap[];
  /** Frame of its page directory; -1: not known. */
  directory: number;
  /** It may be in a trap that began before we listened. */
  isStale: boolean;
}

export function newProcess(pid: number): Process {
  return { pid, traps: [], directory: -1, isStale: false };
}

export function newTrap(vector: number, eip: number, ring: number, instret: number): Trap {
  return {
    vector,
    eip,
    ring,
    instret,
    address: 0,
    errorCode: 0,
    pde: 0,
    pte: 0,
    outcome: [],
    swappedIn: -1,
    number: -1,
    args: [],
    texts: undefined,
    path: undefined,
    executed: false,
  };
}

/** What a fault has come to that goes on at `eip` in a ring: what the marks have said, and what the entries have become. */
export function outcomeOf(
  trap: Trap,
  entries: PageEntries,
  kernel: KernelView | undefined,
  eip: number,
  ring: number,
): FaultOutcome[] {
  const pde = entries.pde(trap.address);
  const pte = entries.pte(pde, trap.address);
  const outcome = [...trap.outcome];
  if (eip !== trap.eip) outcome.push(ring === 3 ? "signal" : "fixup");
  const sameTable = pde >>> 12 === trap.pde >>> 12 && !outcome.includes("unshared");
  if (sameTable && (trap.pde & (PRESENT | WRITE)) === PRESENT && (pde & WRITE) !== 0) {
    outcome.unshift("table made writable");
  }
  const wasThere = (trap.pte & PRESENT) !== 0;
  const isThere = (pte & PRESENT) !== 0;
  if (!wasThere && isThere && trap.swappedIn < 0 && !outcome.includes("copied")) {
    outcome.push(howMapped(frameOf(pte), entries, kernel));
  }
  const sameFrame = wasThere && isThere && pte >>> 12 === trap.pte >>> 12;
  if (sameFrame && (trap.pte & WRITE) === 0 && (pte & WRITE) !== 0) outcome.push("page made writable");
  if (outcome.length === 0) outcome.push(isThere ? "spurious" : "waited");
  return outcome;
}

function howMapped(frame: number, entries: PageEntries, kernel: KernelView | undefined): FaultOutcome {
  if (kernel?.isObjectPage(frame)) return "mapped object";
  return entries.isZero(frame) ? "mapped zero" : "mapped file";
}
