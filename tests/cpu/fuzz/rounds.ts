/**
 * Rounds of the processor's fuzzer: the same world under each engine (world.ts). Nothing is thrown, run() comes back, memory
 * outside RAM stays as it is, and every engine ends in the same state at the same instruction and cycle.
 */
import { type Cpu, RunExit } from "../../../cpu/cpu";
import { Layout, Word } from "../../../cpu/registers";
import { ENGINES, MEMORY, randomWorld, type World } from "./world";

/** Instructions of a round. */
const INSTRUCTIONS = 3000;
/** A chain of faults may go on without an instruction; time ends it. */
const CYCLES = 60 * INSTRUCTIONS;

export interface Round {
  world: World;
  instructions: number;
  exit: RunExit;
  /** What went wrong, or undefined. */
  failure: string | undefined;
}

/** Runs it through, waking it whenever it sleeps; gives the last exit. */
function drive(cpu: Cpu): RunExit {
  for (;;) {
    const exit = cpu.run(INSTRUCTIONS);
    if (exit === RunExit.Budget || exit === RunExit.TripleFault) return exit;
    if (cpu.cycles > CYCLES) return exit;
    if (exit === RunExit.Halted && (cpu.eflags & 0x200) === 0) return exit;
    cpu.setInterruptLine(1);
    cpu.deadline = cpu.cycles + 501;
  }
}

/** All that a guest could see, as text. */
function fingerprint(cpu: Cpu): string {
  let sum = 0;
  for (let at = 0; at < MEMORY; at += 4) sum = (Math.imul(sum, 31) + cpu.words[(Layout.Ram + at) >> 2]) | 0;
  const segments = Array.from({ length: 8 }, (_, segment) => Object.values(cpu.segment(segment)).join("/"));
  const registers = Array.from({ length: 8 }, (_, register) => cpu.register(register));
  const control = ([0, 2, 3, 4] as const).map((register) => cpu.control(register));
  const tables = [cpu.descriptorTable("gdt"), cpu.descriptorTable("idt")];
  const state = { instret: cpu.instret, cycles: cpu.cycles, eip: cpu.eip, eflags: cpu.eflags, dr6: cpu.r[Word.Dr6] };
  return JSON.stringify({ ...state, registers, segments, control, tables, sum });
}

/** Why memory outside RAM is not as it was, or undefined. */
function outside(cpu: Cpu): string | undefined {
  const { bytes } = cpu;
  if (bytes.subarray(Layout.OnesPage, Layout.OnesPage + 4096).some((byte) => byte !== 0xff)) return "the page of ones";
  if (bytes.subarray(Layout.Ram + MEMORY, Layout.Ram + MEMORY + 4096).some((byte) => byte !== 0))
    return "memory behind RAM";
  return undefined;
}

/** One world under every engine. */
export function fuzzRound(seed: number): Round {
  let first: { print: string; exit: RunExit } | undefined;
  const round: Round = { world: "real", instructions: 0, exit: RunExit.Budget, failure: undefined };
  for (const engine of ENGINES) {
    const { cpu, world } = randomWorld(seed, engine);
    round.world = world;
    try {
      const exit = drive(cpu);
      const print = fingerprint(cpu);
      round.instructions += cpu.instret;
      round.failure ??= outside(cpu);
      if (first === undefined) {
        first = { print, exit };
        round.exit = exit;
      } else if (print !== first.print || exit !== first.exit) {
        round.failure ??= `${engine.name} differs from ${ENGINES[0].name}:\n${first.exit} ${first.print}\n${exit} ${print}`;
      }
    } catch (error) {
      round.failure ??= `${engine.name}: ${(error as Error).stack}`;
    }
  }
  return round;
}
