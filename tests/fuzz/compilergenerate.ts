/**
 * Random modules in the language, for comparing the two ways of running them. A module is a function of its seed, and each
 * function of (seed, number), so a part of a module can be made again alone. May import random, compilertypes,
 * compilerexpression.
 *
 * Every program ends: loops are bounded, and each entry of a function takes one unit of `fuel`, without which it returns.
 * All memory accesses lie in `scratch`. What is observable: results, traps, and `digest()` over scratch and globals.
 */
import { Expressions, type FunctionShape, GLOBALS, SCRATCH_BYTES, STRUCT, type Variable } from "./compilerexpression";
import { literal, randomValue, TYPES, type Type } from "./compilertypes";
import { Random } from "./random";

/** A statement: one line, or a construct with bodies, from which a shrinker can take statements away. */
export interface Statement {
  text: string;
  parts?: { head: string; body: Statement[] }[];
}

export interface GeneratedFunction {
  shape: FunctionShape;
  head: string;
  body: Statement[];
  tail: string;
}

export interface GeneratedModule {
  seed: number;
  functions: GeneratedFunction[];
}

/** Calls that one call from outside may lead to. */
const FUEL = 12;
/** Statements in a function's outermost block, at most. */
const MAX_STATEMENTS = 4;
const MAX_DEPTH = 3;

/** The module of a seed with `count` functions. */
export function generateModule(seed: number, count: number): GeneratedModule {
  const shapes = Array.from({ length: count }, (_, number) => makeShape(seed, number));
  return { seed, functions: shapes.map((shape) => new FunctionMaker(seed, shape, shapes).make()) };
}

function makeShape(seed: number, number: number): FunctionShape {
  const random = new Random(seed, 2 * number);
  // Every fifth has one signature, so that there is something to call through the table.
  if (number % 5 === 0) return { name: `fn${number}`, parameters: ["i32", "i32"], result: "i32" };
  const parameters = Array.from({ length: random.below(7) }, () => random.pick(TYPES));
  return { name: `fn${number}`, parameters, result: random.pick(TYPES) };
}

class FunctionMaker {
  private readonly random: Random;
  private readonly expressions: Expressions;
  private readonly variables: Variable[] = [];
  private loops = 0;

  constructor(
    seed: number,
    private readonly shape: FunctionShape,
    shapes: readonly FunctionShape[],
  ) {
    const number = Number(shape.name.slice(2));
    this.random = new Random(seed, 2 * number + 1);
    this.expressions = new Expressions(this.random, this.variables, shapes);
  }

  make(): GeneratedFunction {
    const { name, parameters, result } = this.shape;
    parameters.forEach((type, i) => {
      this.variables.push({ name: `p${i}`, type });
    });
    const locals: string[] = [];
    for (let i = this.random.below(4); i >= 0; i--) {
      const type = this.random.pick(TYPES);
      locals.push(`  let v${i}: ${type} = ${this.expressions.make(type, 1)};`);
      this.variables.push({ name: `v${i}`, type });
    }
    const list = parameters.map((type, i) => `p${i}: ${type}`).join(", ");
    const head = [
      `export function ${name}(${list}): ${result} {`,
      "  if (fuel < 1) return 0;",
      "  fuel--;",
      ...locals,
    ].join("\n");
    const body = this.block(0, false, MAX_STATEMENTS);
    const kept = this.variables.map((variable) => `${result}(${variable.name})`).join(" ^ ");
    return { shape: this.shape, head, body, tail: `  return ${kept} + ${this.expressions.make(result, 3)};\n}` };
  }

  private block(depth: number, inLoop: boolean, most: number): Statement[] {
    return Array.from({ length: 1 + this.random.below(most) }, () => this.statement(depth, inLoop));
  }

  private statement(depth: number, inLoop: boolean): Statement {
    const { random } = this;
    if (depth < MAX_DEPTH && random.oneIn(3)) return this.construct(depth, inLoop);
    const kind = random.below(24);
    if (kind < 9) return { text: this.assignment() };
    if (kind < 14) return { text: this.expressions.store() };
    if (kind < 16) return { text: this.globalAssignment() };
    if (kind < 18) return { text: `${STRUCT.access(random)} = ${this.expressions.make("u32", 3)};` };
    if (kind === 18) return { text: this.expressions.bulk() };
    if (kind === 19) return { text: `${this.expressions.call()};` };
    if (kind === 20 && inLoop) return { text: `if (${this.expressions.condition(2)}) break;` };
    if (kind === 21 && inLoop) return { text: `if (${this.expressions.condition(2)}) continue;` };
    if (kind === 22 && random.oneIn(3)) {
      return { text: `if (${this.expressions.condition(2)}) return ${this.expressions.make(this.shape.result, 2)};` };
    }
    if (kind === 23 && random.oneIn(6)) return { text: `if (${this.expressions.condition(3)}) unreachable();` };
    return { text: this.assignment() };
  }

  private assignment(): string {
    const { random } = this;
    const { name, type } = random.pick(this.variables);
    const kind = random.below(8);
    if (kind === 0) return `${name}${random.pick(["++", "--"])};`;
    if (kind < 3)
      return `${name} ${random.pick(["+=", "-=", "*=", "&=", "|=", "^="])} ${this.expressions.make(type, 3)};`;
    if (kind === 3) return `${name} ${random.pick(["<<=", ">>="])} ${this.expressions.make(type, 2)};`;
    return `${name} = ${this.expressions.make(type, 3)};`;
  }

  private globalAssignment(): string {
    const { name, type } = this.random.pick(GLOBALS);
    return `${name} = ${this.expressions.make(type, 3)};`;
  }

  private construct(depth: number, inLoop: boolean): Statement {
    const { random, expressions } = this;
    const body = (loop: boolean) => this.block(depth + 1, loop, 2);
    switch (random.below(7)) {
      case 0:
      case 1:
        return { text: "}", parts: [{ head: `if (${expressions.condition(3)}) {`, body: body(inLoop) }] };
      case 2: {
        const first = { head: `if (${expressions.condition(3)}) {`, body: body(inLoop) };
        return { text: "}", parts: [first, { head: "} else {", body: body(inLoop) }] };
      }
      case 3: {
        const counter = `k${this.loops++}`;
        const head = `for (let ${counter}: i32 = 0; ${counter} < ${1 + random.below(5)}; ${counter}++) {`;
        return { text: "}", parts: [{ head: head, body: body(true) }] };
      }
      case 4: {
        const counter = `k${this.loops++}`;
        const head = `let ${counter}: u32 = ${1 + random.below(5)};\nwhile (${counter} > 0) {\n${counter}--;`;
        return { text: "}", parts: [{ head, body: body(true) }] };
      }
      case 5: {
        const counter = `k${this.loops++}`;
        const head = `let ${counter}: u32 = ${1 + random.below(4)};\ndo {\n${counter}--;`;
        return {
          text: `} while (${counter} > 0 && ${expressions.condition(2)});`,
          parts: [{ head, body: body(true) }],
        };
      }
      default:
        return this.switchStatement(depth, inLoop);
    }
  }

  /** Cases dense or sparse, some falling through; a `break` inside leaves the switch. */
  private switchStatement(depth: number, inLoop: boolean): Statement {
    const { random, expressions } = this;
    const dense = random.oneIn(2);
    const cases = new Set<number>();
    const count = 2 + random.below(dense ? 6 : 4);
    while (cases.size < count) cases.add(dense ? cases.size : random.below(1000));
    const parts = [...cases].map((value, i) => {
      const end = i > 0 && !random.oneIn(4) ? "break;\n}\n" : "}\n";
      const body = this.block(depth + 1, inLoop, 2);
      return {
        head: `${i > 0 ? end : `switch (${expressions.make("u32", 2)} % ${dense ? 8 : 1000}) {\n`}case ${value}: {`,
        body,
      };
    });
    if (random.oneIn(2)) parts.push({ head: "}\ndefault: {", body: this.block(depth + 1, inLoop, 2) });
    return { text: "}\n}", parts };
  }
}

/** The source of a module: its functions, or only those whose names are given (others are then not called either). */
export function printModule(module: GeneratedModule): string {
  const random = new Random(module.seed, 0x10000);
  const globals = GLOBALS.map(
    ({ name, type }) => `let ${name}: ${type} = ${literal(type, randomValue(random, type))};`,
  );
  const table = Array.from({ length: 8 }, () => randomValue(random, "i32")).join(", ");
  const mixGlobals = GLOBALS.map(({ name }) => `  hash = (hash ^ u32(${name})) * 16777619;`);
  return [
    `const scratch: usize = memory.data(${SCRATCH_BYTES}, 16);`,
    `const table: StaticArray<i32> = [${table}];`,
    STRUCT.declaration,
    ...globals,
    `let fuel: i32 = ${FUEL};`,
    "export function abortFuzz(_message: usize, _file: usize, _line: u32, _column: u32): void { unreachable(); }",
    "export function prepare(seed: u32): void {",
    `  for (let i: u32 = 0; i < ${SCRATCH_BYTES}; i++) store<u8>(scratch + i, u8((seed + i) * 2654435761 >> 13));`,
    "}",
    "export function digest(): u32 {",
    "  let hash: u32 = 2166136261;",
    `  for (let i: u32 = 0; i < ${SCRATCH_BYTES}; i += 4) hash = (hash ^ load<u32>(scratch + i)) * 16777619;`,
    ...mixGlobals,
    `  fuel = ${FUEL};`,
    "  return hash;",
    "}",
    ...module.functions.map(printFunction),
    "",
  ].join("\n");
}

/** One function's source. */
export function printFunction({ head, body, tail }: GeneratedFunction): string {
  return `${head}\n${printBlock(body, "  ")}${tail}`;
}

function printBlock(statements: readonly Statement[], indent: string): string {
  return statements
    .map(({ text, parts }) => {
      if (!parts) return `${indent}${text}\n`;
      const inner = parts.map(({ head, body }) => `${indent}${head}\n${printBlock(body, `${indent}  `)}`).join("");
      return `${inner}${indent}${text}\n`;
    })
    .join("");
}

/** The types that a call of the function passes. */
export function inputsOf(random: Random, parameters: readonly Type[]): number[] {
  return parameters.map((type) => randomValue(random, type));
}
