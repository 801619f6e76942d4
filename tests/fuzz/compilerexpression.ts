/**
 * Random expressions in the language. Every operand has the type that asc wants to see, so that what is generated compiles;
 * the values are free. May import random, compilertypes.
 */
import { literal, randomValue, SHAPES, TYPES, type Type } from "./compilertypes";
import type { Random } from "./random";

export interface Variable {
  name: string;
  type: Type;
}

export interface FunctionShape {
  name: string;
  parameters: readonly Type[];
  result: Type;
}

export const SCRATCH_BYTES = 512;

export const GLOBALS: readonly Variable[] = TYPES.flatMap((type) => [
  { name: `g_${type}`, type },
  { name: `h_${type}`, type },
]);

const FIELDS: readonly Variable[] = [
  { name: "word", type: "u32" },
  { name: "byte", type: "u32" },
  { name: "last", type: "u32" },
];

/** A struct laid over scratch memory. */
export const STRUCT = {
  declaration: "@unmanaged class Item { word: u32 = 0; pad: u16 = 0; byte: u32 = 0; small: i8 = 0; last: u32 = 0; }",
  access: (random: Random) => `changetype<Item>(scratch + ${4 * random.below(64)}).${random.pick(FIELDS).name}`,
};

const BINARY = ["+", "-", "*", "&", "|", "^", "+", "-", "&"];
const COMPARISONS = ["<", "<=", ">", ">=", "==", "!="];

export class Expressions {
  constructor(
    private readonly random: Random,
    /** Those in scope; grows while the function is made. */
    private readonly variables: readonly Variable[],
    private readonly functions: readonly FunctionShape[],
  ) {}

  /** An expression of the type, at most `depth` operators deep. */
  make(type: Type, depth: number): string {
    if (depth <= 0 || this.random.oneIn(6)) return this.leaf(type);
    const deeper = () => this.make(type, depth - 1);
    const { random } = this;
    switch (random.below(20)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
        return `(${deeper()} ${random.pick(BINARY)} ${deeper()})`;
      case 5:
      case 6:
        return `(${deeper()} ${random.pick(["<<", ">>", ">>>"])} ${random.oneIn(2) ? this.leaf(type) : deeper()})`;
      case 7:
        return this.division(type, depth);
      case 8:
        return random.oneIn(2) ? `(-${deeper()})` : `(~${deeper()})`;
      case 9:
      case 10:
        return `${type}(${this.make(random.pick(TYPES), depth - 1)})`;
      case 11:
        return `(${this.condition(depth - 1)} ? ${deeper()} : ${deeper()})`;
      case 12:
        return `select<${type}>(${deeper()}, ${deeper()}, ${this.condition(depth - 1)})`;
      case 13:
        return `${random.pick(["rotl", "rotr"])}<${type}>(${deeper()}, ${deeper()})`;
      case 14:
        return `${random.pick(["clz", "ctz", "popcnt"])}<${type}>(${deeper()})`;
      case 15:
        return `${random.pick(["min", "max"])}<${type}>(${deeper()}, ${deeper()})`;
      case 16:
        return `${type}(${this.condition(depth - 1)})`;
      case 17:
      case 18:
        return this.load(type, depth);
      default:
        return random.oneIn(3) ? `${type}(${this.call(depth - 1)})` : this.effect(type, depth);
    }
  }

  /** A boolean expression. */
  condition(depth: number): string {
    const { random } = this;
    const kind = depth <= 0 ? random.below(6) : random.below(10);
    const type = random.pick(TYPES);
    if (kind < 6) return `(${this.make(type, depth - 1)} ${random.pick(COMPARISONS)} ${this.make(type, depth - 1)})`;
    if (kind === 6) return `(${this.condition(depth - 1)} && ${this.condition(depth - 1)})`;
    if (kind === 7) return `(${this.condition(depth - 1)} || ${this.condition(depth - 1)})`;
    if (kind === 8) return `!${this.condition(depth - 1)}`;
    return `((${this.make(type, depth - 1)} & ${literal(type, 1 << random.below(SHAPES[type].bits))}) != 0)`;
  }

  /** A store of any width. */
  store(): string {
    const type = this.random.pick(TYPES);
    const kind = this.random.below(5);
    if (kind === 0) return `atomic.store<${type}>(${this.aligned(type)}, ${this.make(type, 3)});`;
    // A read-modify-write of one place, as kernels do to page tables and counters.
    if (kind === 1) {
      const place = `scratch + ${this.random.below(500)}`;
      return `store<${type}>(${place}, ${type}(load<${type}>(${place})) ${this.random.pick(BINARY)} ${this.make(type, 2)});`;
    }
    return `store<${type}>(${this.address()}, ${this.make(type, 3)}${this.offset()});`;
  }

  /** memory.copy, perhaps onto itself, or memory.fill. */
  bulk(): string {
    const place = () => `scratch + (${this.make("u32", 2)} & 127)`;
    const size = this.random.oneIn(2) ? `${this.random.below(40)}` : `(${this.make("u32", 2)} & 63)`;
    return this.random.oneIn(3)
      ? `memory.fill(${place()}, ${this.make("u8", 2)}, ${size});`
      : `memory.copy(${place()}, ${place()}, ${size});`;
  }

  /** A call of any function, direct or through the table. */
  call(depth = 2): string {
    const { random } = this;
    if (random.oneIn(4)) {
      const candidates = this.functions.filter((_, number) => number % 5 === 0);
      const [first, second] = [random.pick(candidates).name, random.pick(candidates).name];
      const index = `select<u32>(${first}.index, ${second}.index, ${this.condition(1)})`;
      return `call_indirect<i32>(${index}, ${this.make("i32", depth)}, ${this.make("i32", depth)})`;
    }
    const { name, parameters } = random.pick(this.functions);
    return `${name}(${parameters.map((type) => this.make(type, depth)).join(", ")})`;
  }

  private leaf(type: Type): string {
    const { random } = this;
    const kind = random.below(10);
    if (kind < 3) return literal(type, randomValue(random, type));
    if (kind === 3) return random.pick(GLOBALS.filter((one) => one.type === type)).name;
    if (this.variables.length === 0) return literal(type, randomValue(random, type));
    const own = this.variables.filter((one) => one.type === type);
    if (own.length > 0 && kind < 8) return random.pick(own).name;
    return `${type}(${random.pick(this.variables).name})`;
  }

  /** Most divisors are odd, so that not every program ends in a trap; some are not. */
  private division(type: Type, depth: number): string {
    const divisor = this.make(type, depth - 1);
    const operator = this.random.pick(["/", "%"]);
    const dividend = this.make(type, depth - 1);
    if (this.random.oneIn(12)) return `(${dividend} ${operator} ${divisor})`;
    if (this.random.oneIn(2)) {
      const constant = randomValue(this.random, type);
      return `(${dividend} ${operator} ${literal(type, constant === 0 ? 10 : constant)})`;
    }
    return `(${dividend} ${operator} (${divisor} | 1))`;
  }

  /** asc widens a small load to what its context wants; the conversion around it fixes the type. */
  private load(type: Type, depth: number): string {
    const { random } = this;
    const kind = random.below(8);
    if (kind === 0) return `${type}(atomic.load<${type}>(${this.aligned(type)}))`;
    if (kind === 1) return `${type}(${STRUCT.access(random)})`;
    if (kind === 2) return `${type}(unchecked(table[i32(${this.make("u32", depth - 1)} & 7)]))`;
    if (kind === 3 && random.oneIn(4)) return `${type}(table[i32(${this.make("u32", depth - 1)} & 15)])`;
    return `${type}(load<${type}>(${this.address()}${this.offset()}))`;
  }

  /** An assignment as a value: the order in which operands are evaluated shows. */
  private effect(type: Type, depth: number): string {
    const own = this.variables.filter((one) => one.type === type);
    if (own.length === 0) return this.leaf(type);
    const { name } = this.random.pick(own);
    return this.random.oneIn(2) ? `${name}++` : `(${name} = ${this.make(type, depth - 1)})`;
  }

  private address(): string {
    if (this.random.oneIn(3)) return `scratch + ${this.random.below(380)}`;
    const scale = this.random.pick(["", "", " << 1", " << 2", " * 4", " * 8"]);
    if (scale === "") return `scratch + usize(${this.make("u32", 2)} & 255)`;
    return `scratch + usize((${this.make("u32", 2)} & 31)${scale})`;
  }

  private aligned(type: Type): string {
    return `scratch + usize(${this.make("u32", 2)} & ${256 - SHAPES[type].bits / 8})`;
  }

  private offset(): string {
    return this.random.oneIn(3) ? `, ${this.random.below(120)}` : "";
  }
}
