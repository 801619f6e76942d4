/**
 * Guests on emulators, side by side: round by round each guest runs on each emulator, one process at a time, and what counts is the
 * ratio of neighbouring runs, so that a host which grows slower or faster meanwhile touches both. May import guests, peers, statistics.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Guest, imageOf } from "./guests/index";
import { type Clock, type Peer, type Run, runOn } from "./peers";
import { type Spread, spread } from "./statistics";

/** A guest's figures. */
export interface Comparison {
  name: string;
  operation: string;
  operations: number;
  /** Instructions of one operation, on our processor. */
  instructions: number;
  peers: Partial<Record<Peer, { nanoseconds: Spread; mips: Spread }>>;
  /** How many times as fast as the peer we are. */
  ratios: Partial<Record<Peer, Spread>>;
  target?: { peer: Peer; ratio: number; reached: boolean };
}

/** Operations before those measured, as a part of the guest's own: v86's JIT needs some 100 ms until its code is all there. */
const WARM_UP = 0.5;

export interface CompareOptions {
  guests: readonly Guest[];
  peers: readonly Peer[];
  rounds: number;
  /** Operations are multiplied by it. */
  scale: number;
  clock: Clock;
  progress: (text: string) => void;
}

/** Runs everything. Rejects when a guest does not end well, or when two emulators computed different things. */
export async function compare({
  guests,
  peers,
  rounds,
  scale,
  clock,
  progress,
}: CompareOptions): Promise<Comparison[]> {
  const folder = mkdtempSync(join(tmpdir(), "tine-bench-"));
  try {
    const runs = new Map<Guest, Partial<Record<Peer, Run[]>>>();
    for (const guest of guests)
      writeFileSync(
        join(folder, guest.name),
        await imageOf(guest, operationsOf(guest, scale), Math.max(1, Math.round(guest.operations * WARM_UP))),
      );
    for (let round = 0; round < rounds; round++) {
      for (const guest of guests) {
        const of = runs.get(guest) ?? {};
        runs.set(guest, of);
        for (const peer of peers) {
          progress(`round ${round + 1} of ${rounds}: ${guest.name} on ${peer}`);
          const list = of[peer] ?? [];
          of[peer] = list;
          list.push(await runOn(peer, join(folder, guest.name)));
        }
        checkSums(guest, of);
      }
    }
    return guests.map((guest) => comparison(guest, operationsOf(guest, scale), runs.get(guest) ?? {}, clock));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function operationsOf({ operations }: Guest, scale: number): number {
  return Math.max(4, Math.round(operations * scale));
}

function checkSums({ name }: Guest, of: Partial<Record<Peer, Run[]>>): void {
  const sums = Object.entries(of).flatMap(([peer, runs]) => runs.map(({ checksum }) => ({ peer, checksum })));
  const other = sums.find(({ checksum }) => checksum !== sums[0].checksum);
  if (other) throw new Error(`${name}: ${sums[0].peer} computes ${sums[0].checksum}, ${other.peer} ${other.checksum}`);
}

function comparison(guest: Guest, operations: number, of: Partial<Record<Peer, Run[]>>, clock: Clock): Comparison {
  const { name, operation, target } = guest;
  const instructions = (of.ours?.[0].instructions ?? 0) / operations;
  const result: Comparison = { name, operation, operations, instructions, peers: {}, ratios: {} };
  for (const [peer, runs] of Object.entries(of) as [Peer, Run[]][]) {
    const times = runs.map((run) => (run[clock] * 1e6) / operations);
    result.peers[peer] = {
      nanoseconds: spread(times),
      mips: spread(times.map((time) => (instructions * 1000) / time)),
    };
    if (peer === "ours" || of.ours === undefined) continue;
    result.ratios[peer] = spread(of.ours.map((our, round) => runs[round][clock] / our[clock]));
  }
  const reached = target && result.ratios[target.peer];
  if (target && reached) result.target = { ...target, reached: reached.median >= target.ratio };
  return result;
}
