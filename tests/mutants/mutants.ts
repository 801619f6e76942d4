/**
 * Faults to put into the kernel, one at a time, and who must notice: proof that a test of a property fails when the code that it
 * guards is broken. Run them all by `npm run test:mutants`, some by `npm run test:mutants -- P10 P13`. May import the list.
 */
import { CLONE_MUTANTS } from "./list/clone";
import { DISK_MUTANTS } from "./list/disk";
import { EDIT_MUTANTS } from "./list/edits";
import { FAULT_MUTANTS } from "./list/fault";
import { FORK_MUTANTS } from "./list/fork";
import { KERNEL_MUTANTS } from "./list/kernel";
import { MEMORY_MUTANTS } from "./list/memory";
import { RMAP_MUTANTS } from "./list/rmap";
import { SWAP_MUTANTS } from "./list/swap";
import type { Mutant } from "./mutant";

export const MUTANTS: readonly Mutant[] = [
  ...FORK_MUTANTS,
  ...FAULT_MUTANTS,
  ...EDIT_MUTANTS,
  ...RMAP_MUTANTS,
  ...KERNEL_MUTANTS,
  ...MEMORY_MUTANTS,
  ...SWAP_MUTANTS,
  ...DISK_MUTANTS,
  ...CLONE_MUTANTS,
];
