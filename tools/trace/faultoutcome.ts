/**
 * What a page fault has come to, as one number: steps in their order, four bits each, the first lowest. May import eventtypes.
 */
import type { FaultOutcome } from "./eventtypes";

export const enum Outcome {
  Unshared = 1,
  TableMadeWritable,
  SwappedIn,
  MappedZero,
  MappedObject,
  MappedFile,
  Copied,
  PageMadeWritable,
  Spurious,
  Fixup,
  Signal,
  Waited,
}

/** By number. */
const NAMES: readonly (FaultOutcome | undefined)[] = [
  undefined,
  "unshared",
  "table made writable",
  "swapped in",
  "mapped zero",
  "mapped object",
  "mapped file",
  "copied",
  "page made writable",
  "spurious",
  "fixup",
  "signal",
  "waited",
];

const BITS = 4;
const MASK = 15;
/** Steps that fit; no fault has more. */
const MOST = 8;

/** No step yet. */
export const NO_OUTCOME = 0;

/** The steps, and one more. One that does not fit is left out. */
export function addOutcome(steps: number, step: Outcome): number {
  let count = 0;
  while (count < MOST && ((steps >>> (BITS * count)) & MASK) !== 0) count++;
  return count === MOST ? steps : steps | (step << (BITS * count));
}

/** The steps, and one before them. */
export function putOutcomeFirst(steps: number, step: Outcome): number {
  return (steps << BITS) | step;
}

export function hasOutcome(steps: number, step: Outcome): boolean {
  for (let left = steps; left !== 0; left >>>= BITS) if ((left & MASK) === step) return true;
  return false;
}

/** The steps by name. */
export function outcomeNames(steps: number): FaultOutcome[] {
  const names: FaultOutcome[] = [];
  for (let left = steps; left !== 0; left >>>= BITS) {
    const name = NAMES[left & MASK];
    if (name !== undefined) names.push(name);
  }
  return names;
}
