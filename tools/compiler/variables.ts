/**
 * Where a function's parameters and variables are, instruction by instruction: a map that only debuggers read; the code does not depend on
 * it. May import mir, frames' types.
 *
 * A variable is known as a virtual register that holds its one value: only parameters and variables that are never assigned again are
 * told of. A place is believed only if, along every path, the value was put there and nothing else since, and the value is still needed, so
 * that no later pass has dropped it. A parameter is also believed where the call left it.
 */
import {
  type Allocation,
  CALL_CLOBBERS,
  type Location,
  type MachineFunction,
  type MachineInstruction,
  Role,
} from "./mir";

/** What the source says of a variable. */
export interface SourceVariable {
  name: string;
  /** `i32` or another type of 32 bits or less. */
  type: string;
  /** Position among the wasm function's parameters; -1 for a variable. */
  parameter: number;
  /** A parameter that the function assigns to: where it is, is not known. */
  assigned: boolean;
}

/** A variable with what lowering has made of it: a virtual register, a constant, or nothing. */
export interface MachineVariable extends SourceVariable {
  register: number;
  constant: number | undefined;
}

/** A physical register (0 to 7), or a frame slot (negative, ~number), as in an Allocation. */
export type VariablePlaces = ReadonlyMap<MachineVariable, Location>;

/** Variables that are followed: one bit each for the value, and one for where the call left a parameter. */
const MOST = 15;
const REGISTERS = 8;
const IN_REGISTERS = [0, 2, 1];

/**
 * For each instruction of each block of an allocation, moves included, the places before it; one more entry for a block's end. An
 * instruction whose places are not known has an empty map.
 */
export function placesOf(machine: MachineFunction, allocation: Allocation): VariablePlaces[][] {
  const followed = machine.variables.filter(({ register }) => register >= 0).slice(0, MOST);
  const left = machine.variables
    .filter(({ parameter, assigned }) => !assigned && parameter >= 0 && parameter < IN_REGISTERS.length)
    .slice(0, MOST);
  if (followed.length === 0 && left.length === 0)
    return allocation.blocks.map((code) => [...code, null].map(() => NOWHERE));
  return new Places(machine, allocation, followed, left).run();
}

const NOWHERE: VariablePlaces = new Map();

class Places {
  /** Bits of the variables whose value a virtual register is. */
  private readonly bits = new Map<number, number>();
  private readonly count: number;
  /** All places, those first that calls keep. */
  private readonly order: readonly number[];
  private readonly entries: (Int32Array | undefined)[];
  private readonly liveOut: Int32Array;

  constructor(
    private readonly machine: MachineFunction,
    private readonly allocation: Allocation,
    private readonly followed: readonly MachineVariable[],
    private readonly left: readonly MachineVariable[],
  ) {
    for (const [i, { register }] of followed.entries()) this.bits.set(register, this.bitsOf(register) | (1 << i));
    this.count = REGISTERS + allocation.slots;
    const changes = (place: number): number => (place < REGISTERS ? (CALL_CLOBBERS >>> place) & 1 : 0);
    this.order = Array.from({ length: this.count }, (_, place) => place).sort((a, b) => changes(a) - changes(b));
    this.entries = allocation.blocks.map(() => undefined);
    this.liveOut = new Int32Array(allocation.blocks.length);
  }

  private bitsOf(register: number): number {
    return this.bits.get(register) ?? 0;
  }

  run(): VariablePlaces[][] {
    this.findLive();
    this.solve();
    return this.allocation.blocks.map((_, block) => this.tell(block));
  }

  /** Bits of values that are needed at the end of each block. */
  private findLive(): void {
    const { blocks } = this.machine;
    for (let changed = true; changed; ) {
      changed = false;
      for (let b = blocks.length - 1; b >= 0; b--) {
        let live = 0;
        for (const successor of blocks[b].successors) {
          live |= blocks[successor.id].code.reduceRight(
            (after, one) => this.liveBefore(one, after),
            this.liveOut[successor.id],
          );
        }
        if (live === this.liveOut[b]) continue;
        this.liveOut[b] = live;
        changed = true;
      }
    }
  }

  private liveBefore({ registers, roles }: MachineInstruction, after: number): number {
    let live = after;
    for (let i = 0; i < registers.length; i++) if (roles[i] & Role.Def) live &= ~this.bitsOf(registers[i]);
    for (let i = 0; i < registers.length; i++) if (roles[i] & Role.Use) live |= this.bitsOf(registers[i]);
    return live;
  }

  /** What each place holds at the beginning of each block: what all paths agree on. */
  private solve(): void {
    const { blocks } = this.machine;
    const entry = new Int32Array(this.count);
    for (const [i, { parameter }] of this.left.entries()) entry[IN_REGISTERS[parameter]] |= 1 << (MOST + i);
    this.entries[0] = entry;
    const work = [0];
    for (let at = work.pop(); at !== undefined; at = work.pop()) {
      const exit = Int32Array.from(this.entries[at]!);
      for (const item of this.allocation.blocks[at]) this.step(item, exit);
      for (const successor of blocks[at].successors) {
        const known = this.entries[successor.id];
        if (known === undefined) this.entries[successor.id] = Int32Array.from(exit);
        else {
          let changed = false;
          for (let place = 0; place < this.count; place++) {
            const both = known[place] & exit[place];
            changed ||= both !== known[place];
            known[place] = both;
          }
          if (!changed) continue;
        }
        work.push(successor.id);
      }
    }
  }

  private step(item: Allocation["blocks"][number][number], held: Int32Array): void {
    const index = (location: Location): number => (location >= 0 ? location : REGISTERS + ~location);
    if (item.kind === "move") {
      held[index(item.to)] = held[index(item.from)];
      return;
    }
    const { instruction, locations } = item;
    const { registers, roles, fixedDefs, op } = instruction;
    const copied = op === "copy" ? held[index(locations[1])] : 0;
    const clobbered = fixedDefs | (op === "call" || op === "callTable" ? CALL_CLOBBERS : 0);
    // ENTER names the registers of parameters as written: by the caller.
    if (op !== "enter") for (let place = 0; place < REGISTERS; place++) if ((clobbered >>> place) & 1) held[place] = 0;
    for (let i = 0; i < registers.length; i++) {
      if (!(roles[i] & Role.Def)) continue;
      const bits = this.bitsOf(registers[i]);
      for (let place = 0; bits !== 0 && place < this.count; place++) held[place] &= ~bits;
      held[index(locations[i])] = bits | (copied & ~bits);
    }
  }

  private tell(block: number): VariablePlaces[] {
    const code = this.allocation.blocks[block];
    const entry = this.entries[block];
    if (entry === undefined) return [...code, null].map(() => NOWHERE);
    const live = new Int32Array(code.length + 1);
    live[code.length] = this.liveOut[block];
    for (let i = code.length - 1; i >= 0; i--) {
      const item = code[i];
      live[i] = item.kind === "original" ? this.liveBefore(item.instruction, live[i + 1]) : live[i + 1];
    }
    const held = Int32Array.from(entry);
    const told: VariablePlaces[] = [];
    for (let i = 0; i <= code.length; i++) {
      told.push(this.read(held, live[i]));
      if (i < code.length) this.step(code[i], held);
    }
    return told;
  }

  /** The places of variables by what is held and needed: of several the one that lasts, since registers that a call may change often do not. */
  private read(held: Int32Array, live: number): VariablePlaces {
    const found = new Map<MachineVariable, Location>();
    const look = (variable: MachineVariable, bit: number): void => {
      const place = this.order.find((one) => (held[one] & bit) !== 0) ?? -1;
      if (place >= 0 && !found.has(variable)) found.set(variable, place < REGISTERS ? place : ~(place - REGISTERS));
    };
    for (const [i, variable] of this.followed.entries()) if ((live >>> i) & 1) look(variable, 1 << i);
    for (const [i, variable] of this.left.entries()) look(variable, 1 << (MOST + i));
    return found.size === 0 ? NOWHERE : found;
  }
}
