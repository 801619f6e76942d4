/**
 * Random WebAssembly modules in shapes that asc hardly makes: operands kept on the stack across branches, br_if with a
 * value, br_table, deep nesting. They always end, and touch no memory but their own. Imports backendwasm, tests/fuzz/random.
 */
import { Random } from "../fuzz/random";
import { buildWasm, constant, I32, type Signature, typeIndex, unsignedLeb } from "./backendwasm";

const INTERESTING = [
  ...[0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 15, 16, 24, 31, 32, 33, 63, 64, 100, 127, 128, 129, 255, 256, 257, 4095, 4096],
  ...[32767, 32768, 65535, 65536, 0x7fffffff, -1, -2, -3, -4, -5, -8, -128, -129, -256, -32768, -65536, -0x80000000],
];

/** Bytes of memory that generated functions touch, from `base` on. */
export const SCRATCH_BYTES = 0x10000;
const GLOBALS = 5;
/** Global 0 counts down at each call and loop round; below zero the function traps. */
const FUEL = 300;
const TABLE_ENTRIES = 8;

export interface GeneratedModule {
  wasm: Uint8Array;
  functions: readonly { name: string; type: Signature }[];
}

/**
 * A module of `count` random functions named f0, f1, … that read and write SCRATCH_BYTES of memory at `base`; besides,
 * `refuel()` prepares for a call, and `digest()` sums up memory and globals.
 */
export function generateWasm(seed: number, count: number, base: number): GeneratedModule {
  const random = new Random(seed);
  const types: Signature[] = [];
  for (let i = 0; i < count; i++) {
    types.push({ parameters: random.oneIn(5) ? random.below(7) : random.below(4), results: random.oneIn(7) ? 0 : 1 });
  }
  const table = Array.from({ length: TABLE_ENTRIES }, () => random.below(Math.max(1, count >> 1)));
  const functions = types.map((type, i) => {
    const body = new BodyGenerator(random, i, types, table, base).generate();
    return { name: `f${i}`, type, ...body };
  });
  const helpers = [
    { name: "refuel", type: { parameters: 0, results: 0 }, locals: 0, code: [...constant(FUEL), 0x24, 0] },
    { name: "digest", type: { parameters: 0, results: 1 }, locals: 2, code: digestCode(base) },
  ];
  const wasm = buildWasm({
    functions: [...functions, ...helpers],
    globals: Array.from({ length: GLOBALS }, (_, i) => i * 1000),
    pages: (base + SCRATCH_BYTES + 0xffff) >>> 16,
    table,
    data: [{ address: base, bytes: Array.from({ length: 256 }, () => random.below(256)) }],
  });
  return { wasm, functions };
}

/** for (p = base; p != base + SCRATCH_BYTES; p += 4) sum = rotl(sum, 5) ^ load(p); then the globals likewise. */
function digestCode(base: number): number[] {
  const mix = (value: number[]) => [0x20, 1, ...constant(5), 0x77, ...value, 0x73, 0x21, 1];
  const step = [0x20, 0, ...constant(4), 0x6a, 0x22, 0, ...constant(base + SCRATCH_BYTES), 0x47, 0x0d, 0];
  const loop = [...constant(base), 0x21, 0, 0x03, 0x40, ...mix([0x20, 0, 0x28, 2, 0]), ...step, 0x0b];
  const globals = Array.from({ length: GLOBALS }, (_, i) => mix([0x23, i])).flat();
  return [...loop, ...globals, 0x20, 1];
}

interface Label {
  results: number;
  loop: boolean;
}

class BodyGenerator {
  private readonly out: number[] = [];
  private readonly labels: Label[] = [];
  private readonly variables: number;
  private allLocals: number;
  private loopDepth = 0;
  private budget: number;
  private readonly type: Signature;

  constructor(
    private readonly random: Random,
    private readonly index: number,
    private readonly types: readonly Signature[],
    private readonly table: readonly number[],
    private readonly base: number,
  ) {
    this.type = types[index];
    this.budget = 20 + random.below(random.oneIn(7) ? 500 : 90);
    this.variables = this.type.parameters + 1 + random.below(random.oneIn(3) ? 14 : 6);
    this.allLocals = this.variables;
  }

  generate(): { locals: number; code: number[] } {
    this.labels.push({ results: this.type.results, loop: false });
    this.burnFuel();
    this.statements(2 + this.random.below(6));
    if (this.type.results === 1) this.expression(3);
    return { locals: this.allLocals - this.type.parameters, code: this.out };
  }

  private put(...bytes: number[]): void {
    this.out.push(...bytes);
    this.budget--;
  }

  private burnFuel(): void {
    this.put(0x23, 0, ...constant(1), 0x6b, 0x24, 0, 0x23, 0, ...constant(0), 0x48, 0x04, 0x40, 0x00, 0x0b);
  }

  private chance(percent: number): boolean {
    return this.random.below(100) < percent;
  }

  private constant(): void {
    const { random } = this;
    const small = () => random.below(300) - 50;
    this.put(...constant(this.chance(60) ? random.pick(INTERESTING) : this.chance(50) ? small() : random.next()));
  }

  private get(): void {
    this.put(0x20, this.random.below(this.variables));
  }

  private constantOr(depth: number): void {
    if (this.chance(40)) this.constant();
    else this.expression(depth);
  }

  /** Pushes an address inside the scratch memory, with room for any offset of memarg() behind it. */
  private address(): void {
    const { random, base } = this;
    const shape = random.below(6);
    if (shape === 0) this.put(...constant(base + random.below(0x200) * 4));
    else if (shape === 1) {
      this.get();
      this.put(...constant(0x3ff), 0x71, ...constant(random.below(4)), 0x74, ...constant(base), 0x6a);
    } else if (shape === 2) {
      this.expression(1);
      this.put(...constant(0xff), 0x71, ...constant(random.below(4)), 0x74);
      this.expression(1);
      this.put(...constant(0x7ff), 0x71, ...constant(base), 0x6a, 0x6a);
    } else {
      this.expression(1);
      this.put(...constant(0x7ffc), 0x71, ...constant(base), 0x6a);
    }
  }

  private memarg(): number[] {
    return [0, ...unsignedLeb(this.chance(50) ? 0 : this.random.below(0x400))];
  }

  private expression(depth: number): void {
    const { random } = this;
    if (depth <= 0 || this.budget <= 0) {
      if (this.chance(65)) this.get();
      else this.constant();
      return;
    }
    const kind = random.below(30);
    if (kind < 9) this.binary(depth, random.pick([0x6a, 0x6a, 0x6a, 0x6b, 0x6b, 0x6c, 0x71, 0x71, 0x72, 0x73]));
    else if (kind < 11) this.shift(depth);
    else if (kind < 14) this.binary(depth, 0x46 + random.below(10));
    else if (kind < 15) this.division(depth);
    else if (kind < 17) {
      this.expression(depth - 1);
      this.put(random.pick([0x45, 0x67, 0x68, 0x69, 0xc0, 0xc1]));
    } else if (kind < 20) {
      const load = random.pick([0x28, 0x28, 0x28, 0x2c, 0x2d, 0x2d, 0x2e, 0x2f]);
      this.address();
      this.put(load, ...this.memarg());
    } else if (kind < 21) this.put(0x23, random.below(GLOBALS));
    else if (kind < 22) {
      this.expression(depth - 1);
      this.put(0x22, random.below(this.variables));
    } else if (kind < 23) {
      this.expression(depth - 1);
      this.expression(depth - 1);
      this.expression(1);
      this.put(0x1b);
    } else if (kind < 25) this.conditional(depth);
    else if (kind < 27) this.blockWithValue(depth);
    else if (kind < 29) this.call(depth, true);
    else this.get();
  }

  private binary(depth: number, opcode: number): void {
    this.expression(depth - 1);
    this.constantOr(depth - 1);
    this.put(opcode);
  }

  private shift(depth: number): void {
    this.expression(depth - 1);
    if (this.chance(60)) this.put(...constant(this.random.below(34)));
    else this.expression(depth - 1);
    this.put(this.random.pick([0x74, 0x75, 0x76, 0x77, 0x78]));
  }

  private division(depth: number): void {
    this.expression(depth - 1);
    this.constantOr(depth - 1);
    if (this.chance(70)) this.put(...constant(1), 0x72);
    this.put(this.random.pick([0x6d, 0x6e, 0x6f, 0x70]));
  }

  private inside(label: Label, body: () => void): void {
    this.labels.push(label);
    body();
    this.labels.pop();
  }

  private conditional(depth: number): void {
    const arm = () => {
      if (this.chance(40) && depth > 1) this.statements(1);
      this.expression(depth - 1);
    };
    this.expression(1);
    this.put(0x04, I32);
    this.inside({ results: 1, loop: false }, () => {
      arm();
      this.put(0x05);
      arm();
    });
    this.put(0x0b);
  }

  /** block (result i32) value condition br_if 0 … end */
  private blockWithValue(depth: number): void {
    this.put(0x02, I32);
    this.inside({ results: 1, loop: false }, () => {
      if (this.chance(40) && depth > 1) this.statements(1);
      this.expression(depth - 1);
      this.expression(1);
      this.put(0x0d, 0);
      if (!this.chance(50)) return;
      this.put(0x1a);
      this.expression(depth - 1);
    });
    this.put(0x0b);
  }

  /** Calls an earlier function, so that there is no recursion; not from deep in loops. */
  private call(depth: number, wanted: boolean): void {
    const { random, index, table } = this;
    if (index === 0 || this.loopDepth > 1 || this.chance(15)) {
      if (wanted) this.get();
      return;
    }
    const indirect = this.chance(25) && index > this.types.length >> 1;
    const entry = random.below(TABLE_ENTRIES);
    const target = indirect ? table[entry] : random.below(index);
    const type = this.types[target];
    for (let i = 0; i < type.parameters; i++) this.expression(depth - 1);
    if (indirect) {
      this.put(...constant(entry + 1));
      if (this.chance(50)) {
        this.get();
        this.put(...constant(0), 0x71, 0x6a);
      }
      if (this.chance(5)) this.put(0x1a, ...constant(random.pick([0, TABLE_ENTRIES + 1, 100, -1])));
      this.put(0x11, typeIndex(type), 0);
    } else this.put(0x10, ...unsignedLeb(target));
    if (type.results === 1 && !wanted) {
      if (this.chance(30)) this.put(0x1a);
      else this.put(0x21, random.below(this.variables));
    } else if (type.results === 0 && wanted) this.get();
  }

  private statements(count: number): void {
    for (let i = 0; i < count && this.budget > 0; i++) this.statement();
  }

  private statement(): void {
    const { random } = this;
    const kind = random.below(26);
    if (kind < 7) {
      this.expression(3);
      this.put(0x21, random.below(this.variables));
    } else if (kind < 10) {
      this.address();
      this.expression(2);
      this.put(random.pick([0x36, 0x36, 0x3a, 0x3b]), ...this.memarg());
    } else if (kind < 12) this.update();
    else if (kind < 13) {
      this.expression(2);
      this.put(0x24, 1 + random.below(GLOBALS - 1));
    } else if (kind < 16) this.ifStatement();
    else if (kind < 18) this.loop();
    else if (kind < 19) {
      this.put(0x02, 0x40);
      this.inside({ results: 0, loop: false }, () => {
        this.statements(1 + random.below(3));
        this.branch();
        this.statements(random.below(2));
      });
      this.put(0x0b);
    } else if (kind < 20) this.branch();
    else if (kind < 21) this.branchTable();
    else if (kind < 23) this.call(2, false);
    else if (kind < 24) this.moveOrFill();
    else if (kind < 25) {
      this.expression(2);
      this.put(0x1a);
    } else if (this.chance(20)) {
      this.expression(1);
      this.put(0x04, 0x40, 0x00, 0x0b);
    }
  }

  /** memory[a] = memory[a] op x, of one width. */
  private update(): void {
    const { random, base } = this;
    const [load, store] = random.pick([
      [0x28, 0x36],
      [0x2d, 0x3a],
      [0x2f, 0x3b],
    ]);
    const address = [0x20, random.below(this.variables), ...constant(0x7ffc), 0x71, ...constant(base), 0x6a];
    const memarg = this.memarg();
    this.put(...address, ...address, load, ...memarg);
    this.expression(1);
    this.put(random.pick([0x6a, 0x6b, 0x71, 0x72, 0x73, 0x74, 0x76]), store, ...memarg);
  }

  private ifStatement(): void {
    this.expression(2);
    this.put(0x04, 0x40);
    this.inside({ results: 0, loop: false }, () => {
      this.statements(1 + this.random.below(3));
      if (!this.chance(50)) return;
      this.put(0x05);
      this.statements(1 + this.random.below(2));
    });
    this.put(0x0b);
  }

  private loop(): void {
    const { random } = this;
    if (this.loopDepth > 2 || this.allLocals > 40) return;
    const counter = this.allLocals++;
    const countDown = [0x20, counter, ...constant(1), 0x6b];
    this.loopDepth++;
    this.put(...constant(1 + random.below(12)), 0x21, counter);
    const body = () => this.statements(1 + random.below(3));
    const style = random.below(3);
    const outer = { results: 0, loop: false };
    const inner = { results: 0, loop: true };
    if (style === 0) {
      this.put(0x03, 0x40);
      this.inside(inner, () => {
        this.burnFuel();
        body();
        this.put(...countDown, 0x22, counter, 0x0d, 0);
      });
      this.put(0x0b);
    } else if (style === 1) {
      this.put(0x02, 0x40);
      this.inside(outer, () => {
        this.put(0x03, 0x40);
        this.inside(inner, () => {
          this.burnFuel();
          this.put(0x20, counter, 0x45, 0x0d, 1, ...countDown, 0x21, counter);
          body();
          this.put(0x0c, 0);
        });
        this.put(0x0b);
      });
      this.put(0x0b);
    } else {
      this.put(0x03, 0x40);
      this.inside(inner, () => {
        this.burnFuel();
        this.put(0x20, counter, ...constant(0), 0x4a, 0x04, 0x40);
        this.inside(outer, () => {
          body();
          this.put(...countDown, 0x21, counter, 0x0c, 1);
        });
        this.put(0x0b);
      });
      this.put(0x0b);
    }
    this.loopDepth--;
  }

  private branch(): void {
    const depth = this.random.below(this.labels.length);
    const label = this.labels[this.labels.length - 1 - depth];
    if (label.loop && this.chance(60)) return;
    const carries = label.results === 1 && !label.loop;
    if (carries) this.expression(1);
    this.expression(2);
    this.put(0x0d, depth);
    if (carries) this.put(0x1a);
  }

  private branchTable(): void {
    const { random } = this;
    const count = 1 + random.below(6);
    for (let i = 0; i < count; i++) {
      this.put(0x02, 0x40);
      this.labels.push({ results: 0, loop: false });
    }
    this.expression(1);
    if (this.chance(70)) this.put(...constant(random.pick([1, 3, 7])), 0x71);
    const targets = Array.from({ length: count - 1 }, () => random.below(count));
    this.put(0x0e, ...unsignedLeb(count - 1), ...targets, count - 1);
    for (let i = 0; i < count; i++) {
      this.put(0x0b);
      this.labels.pop();
      this.statements(1);
    }
  }

  private moveOrFill(): void {
    const { random } = this;
    const move = random.below(4) > 0;
    this.address();
    if (move) this.address();
    else this.expression(1);
    if (this.chance(50)) this.put(...constant(random.below(70)));
    else {
      this.expression(1);
      this.put(...constant(63), 0x71);
    }
    if (move) this.put(0xfc, 10, 0, 0);
    else this.put(0xfc, 11, 0);
  }
}
