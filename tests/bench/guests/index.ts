/** The guests of the benchmark as a table. May import all of guests/. */
import { compiled } from "./compiled";
import { alu, loadStore } from "./compute";
import { image, type Shape } from "./frame";
import { movs, stos } from "./strings";
import { bareCalls, framedCalls, pageFaults, switches } from "./system";

/** What is wanted: so many times the speed of a peer. */
export interface Target {
  peer: "v86" | "v86-jit";
  ratio: number;
}

export interface Guest {
  name: string;
  /** What one operation is. */
  operation: string;
  /** Operations of a run. */
  operations: number;
  target?: Target;
  shape: Shape | (() => Promise<Shape>);
}

const INTERPRETER: Target = { peer: "v86", ratio: 2 };
const FORKING: Target = { peer: "v86-jit", ratio: 1.5 };
const BULK: Target = { peer: "v86-jit", ratio: 1 };
const MEGABYTE = 1 << 20;

export const GUESTS: readonly Guest[] = [
  { name: "alu", operation: "loop of 16", operations: 4_000_000, target: INTERPRETER, shape: alu },
  { name: "sieve", operation: "primes to 65,536", operations: 40, target: INTERPRETER, shape: () => compiled("sieve") },
  { name: "mix", operation: "round", operations: 500, target: INTERPRETER, shape: () => compiled("mixed") },
  { name: "loadstore", operation: "loop of 12", operations: 4_000_000, shape: loadStore },
  { name: "movs4k", operation: "4 KB copied", operations: 1_000_000, target: BULK, shape: movs(4096) },
  { name: "movs1m", operation: "1 MB copied", operations: 600, target: BULK, shape: movs(MEGABYTE) },
  { name: "stos4k", operation: "4 KB filled", operations: 400_000, target: BULK, shape: stos(4096) },
  { name: "stos1m", operation: "1 MB filled", operations: 2_000, target: BULK, shape: stos(MEGABYTE) },
  { name: "faults", operation: "fault, page mapped", operations: 200_000, target: FORKING, shape: pageFaults },
  { name: "cr3", operation: "CR3 load, 16 touches", operations: 200_000, target: FORKING, shape: switches },
  { name: "int80", operation: "ring 3 to 0 and back", operations: 300_000, target: FORKING, shape: bareCalls },
  { name: "int80full", operation: "with a full frame", operations: 300_000, target: FORKING, shape: framedCalls },
  { name: "forktable", operation: "1,024 ptes copied", operations: 2_000, shape: () => compiled("copytable") },
];

/** The multiboot image of a guest for so many operations, after `warmUp` that are not measured. Throws CompileError. */
export async function imageOf({ shape }: Guest, operations: number, warmUp: number): Promise<Uint8Array> {
  return image(typeof shape === "function" ? await shape() : shape, operations, warmUp);
}
