/**
 * The interference graph: an edge joins two names that hold different values at the same time. The operands of a copy do
 * not interfere by the copy itself. Names whose low byte is accessed interfere with ESI and EDI. Imports allocatecode,
 * liveness, mir.
 * Source: Chaitin, "Register allocation and spilling via graph coloring", 1982.
 */

import type { WorkFunction } from "./allocatecode";
import { type LiveSets, membersOf } from "./liveness";
import { FIRST_VIRTUAL, Register, Role } from "./mir";

/** Registers that values may be in: all but ESP and EBP. */
export const ALLOCATABLE = 0xff & ~((1 << Register.ESP) | (1 << Register.EBP));

/** How many those are. */
export const COLOURS = 6;

/** What a mention costs if the name is in a slot, in instructions: where the slot can be the operand, and in a copy. */
const MEMORY_COST = 0.35;
const COPY_COST = 0.5;

/** A copy that would vanish if its two names shared a register. */
export interface Move {
  to: number;
  from: number;
  weight: number;
}

export class InterferenceGraph {
  readonly neighbours: number[][] = [];
  readonly degree: Int32Array;
  readonly moves: Move[] = [];
  /** Weighted uses and definitions of each name. */
  readonly cost: Float64Array;
  private readonly matrix: Uint32Array;

  constructor(readonly count: number) {
    this.matrix = new Uint32Array(((count * (count + 1)) / 2 + 31) >>> 5);
    this.degree = new Int32Array(count);
    this.cost = new Float64Array(count);
    for (let i = 0; i < count; i++) this.neighbours.push([]);
  }

  interferes(a: number, b: number): boolean {
    const bit = a > b ? (a * (a + 1)) / 2 + b : (b * (b + 1)) / 2 + a;
    return ((this.matrix[bit >>> 5] >>> (bit & 31)) & 1) === 1;
  }

  /** Join two names; physical registers keep no list of neighbours, for all of them interfere with each other. */
  add(a: number, b: number): void {
    if (a === b) return;
    const bit = a > b ? (a * (a + 1)) / 2 + b : (b * (b + 1)) / 2 + a;
    const mask = 1 << (bit & 31);
    if (this.matrix[bit >>> 5] & mask) return;
    this.matrix[bit >>> 5] |= mask;
    if (a >= FIRST_VIRTUAL) {
      this.neighbours[a].push(b);
      this.degree[a]++;
    }
    if (b >= FIRST_VIRTUAL) {
      this.neighbours[b].push(a);
      this.degree[b]++;
    }
  }
}

/** Build the graph of a function. */
export function buildGraph(code: WorkFunction, live: LiveSets): InterferenceGraph {
  const graph = new InterferenceGraph(code.nameCount);
  const now = new LiveList(code.nameCount);
  for (let b = 0; b < code.blocks.length; b++) {
    const { items, weight } = code.blocks[b];
    now.clear();
    membersOf(live, b, now.initial());
    now.index();
    for (let i = items.length - 1; i >= 0; i--) {
      const { names, roles, fixedUses, fixedDefs, isCopy } = items[i];
      if (isCopy && isNode(names[0]) && isNode(names[1]) && names[0] !== names[1]) {
        graph.moves.push({ to: names[0], from: names[1], weight });
        now.remove(names[1]);
      }
      for (let r = 0; r < FIRST_VIRTUAL; r++) if (((fixedDefs & ALLOCATABLE) >>> r) & 1) now.add(r);
      for (let k = 0; k < names.length; k++) if (roles[k] & Role.Def && isNode(names[k])) now.add(names[k]);
      for (let k = 0; k < names.length; k++)
        if (roles[k] & Role.Def && isNode(names[k])) interfereAll(graph, now, names[k]);
      for (let r = 0; r < FIRST_VIRTUAL; r++) if (((fixedDefs & ALLOCATABLE) >>> r) & 1) interfereAll(graph, now, r);
      for (let r = 0; r < FIRST_VIRTUAL; r++) if (((fixedDefs & ALLOCATABLE) >>> r) & 1) now.remove(r);
      for (let k = 0; k < names.length; k++) if (roles[k] & Role.Def && isNode(names[k])) now.remove(names[k]);
      for (let r = 0; r < FIRST_VIRTUAL; r++) if (((fixedUses & ALLOCATABLE) >>> r) & 1) now.add(r);
      for (let k = 0; k < names.length; k++) {
        const name = names[k];
        if (!isNode(name)) continue;
        graph.cost[name] += weight * (roles[k] & Role.Memory ? (isCopy ? COPY_COST : MEMORY_COST) : 1);
        if (roles[k] & Role.Use) now.add(name);
        if (roles[k] & Role.Byte && name >= FIRST_VIRTUAL) {
          graph.add(name, Register.ESI);
          graph.add(name, Register.EDI);
        }
      }
    }
  }
  return graph;
}

/** Whether a name takes part in allocation: a virtual register or an allocatable physical one. */
function isNode(name: number): boolean {
  return name >= FIRST_VIRTUAL || (name >= 0 && ((ALLOCATABLE >>> name) & 1) === 1);
}

function interfereAll(graph: InterferenceGraph, live: LiveList, name: number): void {
  for (let i = 0; i < live.length; i++) graph.add(live.members[i], name);
}

/** A set of names with constant-time change and quick iteration. */
class LiveList {
  readonly members: number[] = [];
  private readonly position: Int32Array;

  constructor(count: number) {
    this.position = new Int32Array(count).fill(-1);
  }

  get length(): number {
    return this.members.length;
  }

  clear(): void {
    for (const member of this.members) this.position[member] = -1;
    this.members.length = 0;
  }

  /** The empty list, to be filled from outside; index() must follow. */
  initial(): number[] {
    return this.members;
  }

  index(): void {
    for (let i = 0; i < this.members.length; i++) this.position[this.members[i]] = i;
  }

  add(name: number): void {
    if (this.position[name] >= 0) return;
    this.position[name] = this.members.length;
    this.members.push(name);
  }

  remove(name: number): void {
    const at = this.position[name];
    if (at < 0) return;
    const last = this.members[this.members.length - 1];
    this.members[at] = last;
    this.position[last] = at;
    this.members.pop();
    this.position[name] = -1;
  }
}
