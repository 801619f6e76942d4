/**
 * Checks a register allocation without knowing how it was made: follows, along every path, which virtual registers each
 * place (register or frame slot) holds the value of, and asks at every use whether the place that was assigned holds what
 * the instruction reads. May import mir only, nothing of the allocator.
 *
 * State: for each place the set of register numbers whose current value is there. An instruction that writes v puts {v} in
 * its place and takes v out of all others, where an old value now stands; a copy adds its target to what the source's
 * place holds; a move copies the set. Where paths meet, the sets intersect. Physical registers are values too, within a
 * block: a call's argument in EAX is the value "EAX".
 * Source: the idea of regalloc2's checker (symbolic execution of the allocated code, meet by intersection).
 */
import {
  type AllocatedInstruction,
  type Allocation,
  CALL_CLOBBERS,
  FIRST_VIRTUAL,
  type Location,
  type MachineBlock,
  type MachineFunction,
  type MachineInstruction,
  REGISTER_NAMES,
  Register,
  Role,
} from "./mir";

/** What is wrong, and where; a mistake of the compiler's, not of the program's. */
export class AllocationError extends Error {}

const REGISTERS = 8;
const FRAME_REGISTERS = (1 << Register.ESP) | (1 << Register.EBP);
/** Places that need no saving. */
const FREE_TO_CHANGE = CALL_CLOBBERS | FRAME_REGISTERS;

/** Throws AllocationError for the first violation. */
export function checkAllocation(machine: MachineFunction, allocation: Allocation): void {
  new Checker(machine, allocation).run();
}

/** For each place, in the order registers then slots, the registers whose value it holds. Lists are never changed. */
type State = (readonly number[])[];

const NOTHING: readonly number[] = [];

class Checker {
  private readonly entryStates: (State | undefined)[];
  private state: State = [];
  private block = 0;
  private position = 0;
  /** False while the states are being found, true on the pass that judges. */
  private judging = false;

  constructor(
    private readonly machine: MachineFunction,
    private readonly allocation: Allocation,
  ) {
    this.entryStates = machine.blocks.map(() => undefined);
  }

  run(): void {
    this.checkShape();
    this.solve();
    this.judging = true;
    this.machine.blocks.forEach((block, i) => {
      if (this.entryStates[i]) this.walk(block);
    });
  }

  /** Every instruction once, in order, and nothing but moves between them. */
  private checkShape(): void {
    const { machine, allocation } = this;
    if (allocation.blocks.length !== machine.blocks.length)
      throw new AllocationError(`${machine.name}: blocks are missing`);
    machine.blocks.forEach((block, i) => {
      const kept = allocation.blocks[i].flatMap((one) => (one.kind === "original" ? [one] : []));
      const same = kept.length === block.code.length && kept.every((one, at) => one.instruction === block.code[at]);
      if (!same) throw new AllocationError(`${machine.name}: block ${i} does not hold its instructions in order`);
    });
  }

  /** The entry state of each block: the greatest that all paths to it allow. */
  private solve(): void {
    const { blocks } = this.machine;
    const index = new Map<MachineBlock, number>(blocks.map((block, i) => [block, i]));
    const places = REGISTERS + this.allocation.slots;
    // At the entry every register holds what the caller put there.
    this.entryStates[0] = Array.from({ length: places }, (_, place) => (place < REGISTERS ? [place] : NOTHING));
    const work = [0];
    const queued = new Set(work);
    for (let at = work.shift(); at !== undefined; at = work.shift()) {
      queued.delete(at);
      this.walk(blocks[at]);
      // Physical registers carry nothing across blocks.
      const exit = this.state.map((values) => values.filter((value) => value >= FIRST_VIRTUAL));
      for (const successor of blocks[at].successors) {
        const to = index.get(successor)!;
        if (this.meet(to, exit) && !queued.has(to)) {
          queued.add(to);
          work.push(to);
        }
      }
    }
  }

  /** Narrows the entry state of a block to what `exit` allows too; whether that changed it. */
  private meet(to: number, exit: State): boolean {
    const known = this.entryStates[to];
    if (!known) {
      this.entryStates[to] = exit;
      return true;
    }
    let changed = false;
    this.entryStates[to] = known.map((values, place) => {
      const kept = values.filter((value) => exit[place].includes(value));
      changed ||= kept.length !== values.length;
      return kept.length === values.length ? values : kept;
    });
    return changed;
  }

  private walk(block: MachineBlock): void {
    this.block = this.machine.blocks.indexOf(block);
    this.state = [...this.entryStates[this.block]!];
    this.allocation.blocks[this.block].forEach((one, position) => {
      this.position = position;
      this.step(one);
    });
  }

  private step(one: AllocatedInstruction): void {
    if (one.kind === "move") {
      if (one.to < 0 && one.from < 0) this.fail("a move from slot to slot");
      this.checkWritable(one.to);
      this.state[this.place(one.to)] = this.state[this.place(one.from)];
      return;
    }
    const { instruction, locations } = one;
    if (locations.length !== instruction.registers.length) this.fail("not one place for each register");
    this.checkUses(instruction, locations);
    if (this.judging) this.checkConstraints(instruction, locations);
    if (instruction.op === "copy") this.copy(instruction, locations);
    else this.write(instruction, locations);
  }

  private checkUses(instruction: MachineInstruction, locations: readonly Location[]): void {
    if (!this.judging) return;
    instruction.registers.forEach((register, i) => {
      if (instruction.roles[i] & Role.Use) this.checkHolds(locations[i], register);
    });
    for (let register = 0; register < REGISTERS; register++) {
      if (instruction.fixedUses & (1 << register)) this.checkHolds(register, register);
    }
  }

  private checkHolds(location: Location, register: number): void {
    if (register < REGISTERS && FRAME_REGISTERS & (1 << register)) return;
    if (this.state[this.place(location)].includes(register)) return;
    const held = this.state[this.place(location)].map(registerName).join(" ") || "nothing known";
    this.fail(`reads ${registerName(register)} from ${locationName(location)}, which holds ${held}`);
  }

  /** What the roles demand of the places, and that what an instruction writes at once does not collide. */
  private checkConstraints(instruction: MachineInstruction, locations: readonly Location[]): void {
    const { registers, roles, op, fixedDefs } = instruction;
    const written = new Set<Location>();
    let memories = instruction.operands.filter((operand) => operand.kind === "memory").length;
    registers.forEach((register, i) => {
      const location = locations[i];
      if (register < REGISTERS && location !== register) this.fail(`${registerName(register)} was moved elsewhere`);
      if (location < 0) {
        if (op !== "copy" && !(roles[i] & Role.Memory)) this.fail(`${registerName(register)} must be in a register`);
        memories++;
      } else if (roles[i] & Role.Byte && location > Register.EBX) {
        this.fail(`${registerName(register)} must be in a register that has a low byte`);
      }
      if (!(roles[i] & Role.Def)) return;
      this.checkWritable(location);
      if (written.has(location)) this.fail(`writes ${locationName(location)} twice`);
      written.add(location);
      if (location >= 0 && fixedDefs & (1 << location))
        this.fail(`changes ${locationName(location)}, its result's place`);
    });
    for (let register = 0; register < REGISTERS; register++) {
      if (fixedDefs & (1 << register)) this.checkWritable(register);
    }
    const copiesInPlace = op === "copy" && locations[0] === locations[1];
    if (memories > 1 && !copiesInPlace) this.fail("more than one operand is memory");
  }

  private checkWritable(location: Location): void {
    if (location < 0 || !this.judging) return;
    if (FRAME_REGISTERS & (1 << location)) this.fail(`writes ${locationName(location)}`);
    if (!((FREE_TO_CHANGE | this.allocation.saved) & (1 << location))) {
      this.fail(`writes ${locationName(location)}, which is not saved`);
    }
  }

  /** The target's place holds what the source's holds, and the target besides. */
  private copy({ registers, roles }: MachineInstruction, locations: readonly Location[]): void {
    const target = roles.findIndex((role) => (role & Role.Def) !== 0);
    const source = roles.findIndex((role) => (role & Role.Use) !== 0);
    const values = this.state[this.place(locations[source])].filter((value) => value !== registers[target]);
    this.forget(registers[target]);
    this.state[this.place(locations[target])] = [...values, registers[target]];
  }

  private write(instruction: MachineInstruction, locations: readonly Location[]): void {
    for (let register = 0; register < REGISTERS; register++) {
      if (instruction.fixedDefs & (1 << register)) this.define(register, register);
    }
    instruction.registers.forEach((register, i) => {
      if (instruction.roles[i] & Role.Def) this.define(register, locations[i]);
    });
  }

  private define(register: number, location: Location): void {
    this.forget(register);
    this.state[this.place(location)] = [register];
  }

  /** The register gets a new value: no place has it any more. */
  private forget(register: number): void {
    this.state.forEach((values, place) => {
      if (values.includes(register)) this.state[place] = values.filter((value) => value !== register);
    });
  }

  private place(location: Location): number {
    const place = location >= 0 ? location : REGISTERS + ~location;
    if (place >= this.state.length || (location >= 0 && location >= REGISTERS)) this.fail(`no such place: ${location}`);
    return place;
  }

  private fail(what: string): never {
    const one = this.allocation.blocks[this.block][this.position];
    const op = one.kind === "move" ? "move" : one.instruction.op;
    throw new AllocationError(
      `${this.machine.name}: block ${this.block}, instruction ${this.position} (${op}): ${what}`,
    );
  }
}

function registerName(register: number): string {
  return register < REGISTERS ? REGISTER_NAMES[register] : `v${register}`;
}

function locationName(location: Location): string {
  return location < 0 ? `slot ${~location}` : REGISTER_NAMES[location];
}
