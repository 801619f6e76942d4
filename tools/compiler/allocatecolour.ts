/**
 * Colours an interference graph with the six registers: iterated register coalescing. Copies between names that do not
 * interfere are removed where that cannot make the graph harder to colour (Briggs's test, or George's). Names for which
 * no register is left are returned to be spilled. Imports allocatecode, allocategraph, mir.
 * Source: George and Appel, "Iterated register coalescing", ACM TOPLAS 18(3), 1996.
 */

import { ALLOCATABLE, COLOURS, type InterferenceGraph, type Move } from "./allocategraph";
import { FIRST_VIRTUAL } from "./mir";

const enum State {
  Simplify,
  Freeze,
  Spill,
  Stacked,
  Coalesced,
}

/** Order in which free registers are tried: those a call changes first, so that fewer need saving. */
const PREFERENCE = [0, 2, 1, 3, 6, 7];

export interface Colouring {
  /** Register of each name; -1 where it is spilled. A coalesced name has that of its representative. */
  colour: Int8Array;
  /** Representatives that got no register. */
  spilled: number[];
  /** A temporary is among them: no allocation exists. */
  stuck: boolean;
  /** The name that stands for each. */
  representative(name: number): number;
}

/**
 * Colour a graph. `temporaries` are names that spilling made: such a name is taken for a spill only when it has been
 * merged with one that is none.
 */
export function colourGraph(graph: InterferenceGraph, temporaries: ReadonlySet<number>): Colouring {
  return new Colourer(graph, temporaries).run();
}

class Colourer {
  private readonly state: Uint8Array;
  private readonly alias: Int32Array;
  private readonly degree: Int32Array;
  private readonly movesOf: Move[][] = [];
  private readonly simplify: number[] = [];
  private readonly stack: number[] = [];
  /** Moves worth looking at, and those that wait for a neighbour to lose degree. */
  private readonly ready: Move[];
  private readonly waiting = new Set<Move>();
  private readonly isReady = new Set<Move>();
  private readonly maySpill: Uint8Array;

  constructor(
    private readonly graph: InterferenceGraph,
    temporaries: ReadonlySet<number>,
  ) {
    const { count } = graph;
    this.maySpill = new Uint8Array(count).fill(1);
    for (const name of temporaries) this.maySpill[name] = 0;
    this.state = new Uint8Array(count);
    this.alias = Int32Array.from({ length: count }, (_, i) => i);
    this.degree = graph.degree.slice();
    for (let i = 0; i < count; i++) this.movesOf.push([]);
    this.ready = [...graph.moves].sort((a, b) => a.weight - b.weight);
    for (const move of this.ready) {
      this.isReady.add(move);
      this.movesOf[move.to].push(move);
      this.movesOf[move.from].push(move);
    }
  }

  run(): Colouring {
    for (let name = FIRST_VIRTUAL; name < this.graph.count; name++) this.classify(name);
    for (;;) {
      if (this.simplify.length > 0) this.simplifyOne();
      else if (this.ready.length > 0) this.coalesceOne(this.ready.pop() as Move);
      else if (!this.freezeOne() && !this.spillOne()) break;
    }
    return this.assign();
  }

  private representative(name: number): number {
    let n = name;
    while (this.state[n] === State.Coalesced && n >= FIRST_VIRTUAL) n = this.alias[n];
    return n;
  }

  private isMoveRelated(name: number): boolean {
    return this.movesOf[name].some((move) => this.waiting.has(move) || this.isReady.has(move));
  }

  private classify(name: number): void {
    if (this.degree[name] >= COLOURS) this.state[name] = State.Spill;
    else if (this.isMoveRelated(name)) this.state[name] = State.Freeze;
    else this.toSimplify(name);
  }

  private toSimplify(name: number): void {
    this.state[name] = State.Simplify;
    this.simplify.push(name);
  }

  private isPresent(name: number): boolean {
    return name < FIRST_VIRTUAL || this.state[name] < State.Stacked;
  }

  private simplifyOne(): void {
    const name = this.simplify.pop() as number;
    if (this.state[name] !== State.Simplify) return;
    this.state[name] = State.Stacked;
    this.stack.push(name);
    for (const neighbour of this.graph.neighbours[name]) {
      if (neighbour >= FIRST_VIRTUAL && this.isPresent(neighbour)) this.decrement(neighbour);
    }
  }

  private decrement(name: number): void {
    if (this.degree[name]-- !== COLOURS) return;
    this.wake(name);
    for (const neighbour of this.graph.neighbours[name]) {
      if (neighbour >= FIRST_VIRTUAL && this.isPresent(neighbour)) this.wake(neighbour);
    }
    if (this.state[name] !== State.Spill) return;
    if (this.isMoveRelated(name)) this.state[name] = State.Freeze;
    else this.toSimplify(name);
  }

  /** Its waiting moves may have become safe. */
  private wake(name: number): void {
    for (const move of this.movesOf[name]) {
      if (!this.waiting.delete(move)) continue;
      this.isReady.add(move);
      this.ready.push(move);
    }
  }

  private settle(name: number): void {
    if (name < FIRST_VIRTUAL || this.state[name] !== State.Freeze) return;
    if (this.degree[name] < COLOURS && !this.isMoveRelated(name)) this.toSimplify(name);
  }

  private coalesceOne(move: Move): void {
    this.isReady.delete(move);
    let to = this.representative(move.to);
    let from = this.representative(move.from);
    if (from < FIRST_VIRTUAL) [to, from] = [from, to];
    if (to === from) {
      this.settle(to);
    } else if (from < FIRST_VIRTUAL || this.graph.interferes(to, from)) {
      this.settle(to);
      this.settle(from);
    } else if (this.isSafe(to, from)) {
      this.combine(to, from);
      this.settle(to);
    } else this.waiting.add(move);
  }

  /** Whether merging `from` into `to` leaves a graph that can be coloured if it could be before. */
  private isSafe(to: number, from: number): boolean {
    if (this.george(to, from)) return true;
    return to >= FIRST_VIRTUAL && (this.george(from, to) || this.briggs(to, from));
  }

  /** Every neighbour of `from` is of no account, or a neighbour of `to` already. */
  private george(to: number, from: number): boolean {
    for (const neighbour of this.graph.neighbours[from]) {
      if (!this.isPresent(neighbour) || this.graph.interferes(neighbour, to)) continue;
      if (neighbour < FIRST_VIRTUAL ? to >= FIRST_VIRTUAL : this.degree[neighbour] >= COLOURS) return false;
    }
    return true;
  }

  /** Fewer than six of the merged name's neighbours have six neighbours or more. */
  private briggs(a: number, b: number): boolean {
    const seen = new Set<number>();
    let significant = 0;
    for (const name of [a, b]) {
      for (const neighbour of this.graph.neighbours[name]) {
        if (!this.isPresent(neighbour) || seen.has(neighbour)) continue;
        seen.add(neighbour);
        if (neighbour < FIRST_VIRTUAL) significant++;
        else {
          const shared = this.graph.interferes(neighbour, a) && this.graph.interferes(neighbour, b) ? 1 : 0;
          if (this.degree[neighbour] - shared >= COLOURS) significant++;
        }
      }
    }
    return significant < COLOURS;
  }

  private combine(to: number, from: number): void {
    this.state[from] = State.Coalesced;
    this.alias[from] = to;
    this.movesOf[to].push(...this.movesOf[from]);
    this.graph.cost[to] += this.graph.cost[from];
    this.maySpill[to] |= this.maySpill[from];
    for (const neighbour of this.graph.neighbours[from]) {
      if (!this.isPresent(neighbour)) {
        // Kept for assign(): a stacked neighbour is coloured later and must see the merged name.
        if (this.state[neighbour] === State.Stacked) this.graph.add(neighbour, to);
        continue;
      }
      if (neighbour < FIRST_VIRTUAL) {
        if (to >= FIRST_VIRTUAL && !this.graph.interferes(neighbour, to)) {
          this.graph.add(neighbour, to);
          this.degree[to]++;
        }
      } else if (this.graph.interferes(neighbour, to)) this.decrement(neighbour);
      else {
        this.graph.add(neighbour, to);
        if (to >= FIRST_VIRTUAL) this.degree[to]++;
      }
    }
    if (to >= FIRST_VIRTUAL && this.degree[to] >= COLOURS && this.state[to] === State.Freeze)
      this.state[to] = State.Spill;
  }

  private freezeOne(): boolean {
    let chosen = -1;
    let least = Number.POSITIVE_INFINITY;
    for (let name = FIRST_VIRTUAL; name < this.graph.count; name++) {
      if (this.state[name] !== State.Freeze) continue;
      let weight = 0;
      for (const move of this.movesOf[name]) if (this.waiting.has(move)) weight += move.weight;
      if (weight < least) {
        least = weight;
        chosen = name;
      }
    }
    if (chosen < 0) return false;
    this.giveUpMoves(chosen);
    this.toSimplify(chosen);
    return true;
  }

  private giveUpMoves(name: number): void {
    for (const move of this.movesOf[name]) {
      if (!this.waiting.delete(move)) continue;
      const to = this.representative(move.to);
      this.settle(to === this.representative(name) ? this.representative(move.from) : to);
    }
  }

  /** Take away the name that is cheapest to keep in memory for what it frees; it may still get a register. */
  private spillOne(): boolean {
    let chosen = -1;
    let least = Number.POSITIVE_INFINITY;
    for (let name = FIRST_VIRTUAL; name < this.graph.count; name++) {
      if (this.state[name] !== State.Spill) continue;
      const cost = this.maySpill[name] ? this.graph.cost[name] / this.degree[name] : Number.MAX_VALUE;
      if (cost < least) {
        least = cost;
        chosen = name;
      }
    }
    if (chosen < 0) return false;
    this.giveUpMoves(chosen);
    this.toSimplify(chosen);
    return true;
  }

  private assign(): Colouring {
    const { graph } = this;
    const colour = new Int8Array(graph.count).fill(-1);
    for (let r = 0; r < FIRST_VIRTUAL; r++) colour[r] = r;
    const spilled: number[] = [];
    while (this.stack.length > 0) {
      const name = this.stack.pop() as number;
      let free = ALLOCATABLE;
      for (const neighbour of graph.neighbours[name]) {
        const taken = colour[this.representative(neighbour)];
        if (taken >= 0) free &= ~(1 << taken);
      }
      if (free === 0) spilled.push(name);
      else colour[name] = this.choose(name, free, colour);
    }
    for (let name = FIRST_VIRTUAL; name < graph.count; name++) colour[name] = colour[this.representative(name)];
    const stuck = spilled.some((name) => this.maySpill[name] === 0);
    return { colour, spilled, stuck, representative: (name) => this.representative(name) };
  }

  /** A register of those free, if possible one that makes a copy vanish. */
  private choose(name: number, free: number, colour: Int8Array): number {
    let best = -1;
    let most = 0;
    for (const move of this.movesOf[name]) {
      const to = this.representative(move.to);
      const other = to === name ? this.representative(move.from) : to;
      const register = colour[other];
      if (register < 0 || !((free >>> register) & 1) || move.weight <= most) continue;
      best = register;
      most = move.weight;
    }
    return best >= 0 ? best : (PREFERENCE.find((register) => (free >>> register) & 1) as number);
  }
}
