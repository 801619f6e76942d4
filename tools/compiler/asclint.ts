/**
 * Checks on asc's syntax trees that neither tsc nor asc makes: constructs that compile to something other than what they
 * say. May import errors only.
 *
 * 1. `get().count++` and `get().count += n`: asc evaluates the receiver twice, once to read and once to write. Where it
 *    has an effect (a call, an assignment) the source must bind it to a local first.
 * 2. Two exported functions of one name: the image has one name space.
 * 3. Template literals: they would need an allocator.
 * 4. 64-bit and floating-point types, as far as the source names them; the back end finds the others.
 *
 * It also names the functions that the optimiser must not inline (landmarks), and where functions are declared.
 */
import { CompileError, placeOf, type SourcePlace } from "./errors";

/** What is used of a node; every node has a kind and a range, and its children are among its properties. */
export interface LintNode {
  kind: number;
  range: { start: number; end: number; source: LintSource };
  [property: string]: unknown;
}

export interface LintSource {
  normalizedPath: string;
  text: string;
  statements: LintNode[];
}

/** asc's NodeKind, those that are looked at. */
const enum Kind {
  Identifier = 7,
  Binary = 9,
  Call = 10,
  ElementAccess = 13,
  Literal = 17,
  New = 18,
  Parenthesized = 21,
  PropertyAccess = 22,
  UnaryPostfix = 28,
  UnaryPrefix = 29,
  ClassDeclaration = 52,
  FunctionDeclaration = 56,
  MethodDeclaration = 59,
}
/** asc's Token: the operators that read and write their left side. */
const enum Token {
  PlusPlus = 87,
  MinusMinus = 88,
  Equals = 101,
  FirstCompound = 102,
  LastCompound = 113,
}
const LITERAL_FLOAT = 0;
const LITERAL_TEMPLATE = 3;
const FLAG_EXPORT = 2;
const FLAG_STATIC = 32;
const FLAG_AMBIENT = 32768;
const UNSUPPORTED_TYPES = new Set(["i64", "u64", "f32", "f64", "v128"]);

/** Source lines from which on an exported function is never inlined. */
const LANDMARK_LINES = 12;

/** Builtins without an effect: evaluating them twice changes nothing. */
const PURE = new Set(
  "changetype load offsetof sizeof i8 u8 i16 u16 i32 u32 isize usize bool min max clz ctz popcnt rotl rotr select unchecked".split(
    " ",
  ),
);

/** Throws CompileError for the first offence (with the number of the others). Sources of asc's library are not looked at. */
export function checkSources(sources: readonly LintSource[], shown: (name: string) => string): void {
  const errors: CompileError[] = [];
  const report = (node: LintNode, reason: string) => {
    const { source, start } = node.range;
    errors.push(new CompileError(reason, { file: shown(source.normalizedPath), ...placeOf(source.text, start) }));
  };
  const exported = new Map<string, LintNode>();
  for (const source of sources) {
    if (source.normalizedPath.startsWith("~lib/")) continue;
    for (const statement of source.statements) {
      checkExport(statement, exported, report, shown);
      visit(statement, (node) => checkNode(node, report));
    }
  }
  if (errors.length > 0) throw CompileError.ofMany(errors);
}

/**
 * The functions that stay functions whatever their size and callers: exported ones of some length, in their names within
 * the module. They are what people set breakpoints on and look for in traces.
 */
export function listLandmarks(sources: readonly LintSource[]): string[] {
  return sources
    .filter((source) => !source.normalizedPath.startsWith("~lib/"))
    .flatMap((source) => {
      const isLandmark = (node: LintNode) => {
        const lines = source.text.slice(node.range.start, node.range.end).split("\n").length;
        return isExportedFunction(node) && lines >= LANDMARK_LINES;
      };
      const prefix = source.normalizedPath.replace(/\.ts$/, "");
      return source.statements.filter(isLandmark).map((node) => `${prefix}/${nameOfDeclaration(node)}`);
    });
}

/**
 * Where each function and method is declared, by its plain name (`copyPageRange`, `Mm#find`, `Mm.make`). Several files may
 * declare private functions of one name.
 */
export function listDeclarations(sources: readonly LintSource[], shown: (name: string) => string): Declarations {
  const declarations = new Map<string, SourcePlace[]>();
  const add = (node: LintNode, prefix: string, lines: LineCounter) => {
    const name = prefix + nameOfDeclaration(node);
    const { source, start } = (node.name as LintNode).range;
    const place = { file: shown(source.normalizedPath), line: lines.at(start) };
    const places = declarations.get(name);
    if (places) places.push(place);
    else declarations.set(name, [place]);
  };
  for (const { statements, normalizedPath, text } of sources) {
    if (normalizedPath.startsWith("~lib/")) continue;
    const lines = new LineCounter(text);
    for (const statement of statements) {
      if (statement.kind === Kind.FunctionDeclaration) add(statement, "", lines);
      if (statement.kind !== Kind.ClassDeclaration) continue;
      for (const member of statement.members as LintNode[]) {
        const separator = (member.flags as number) & FLAG_STATIC ? "." : "#";
        if (member.kind === Kind.MethodDeclaration) add(member, nameOfDeclaration(statement) + separator, lines);
      }
    }
  }
  return declarations;
}

/** Line numbers of ascending positions in a text, each counted from the one before. */
class LineCounter {
  private position = 0;
  private line = 1;

  constructor(private readonly text: string) {}

  /** The line, from 1, of a position not before the last one asked for. */
  at(position: number): number {
    for (let next = this.text.indexOf("\n", this.position); next >= 0 && next < position; ) {
      this.line++;
      this.position = next + 1;
      next = this.text.indexOf("\n", this.position);
    }
    return this.line;
  }
}

export type Declarations = ReadonlyMap<string, readonly SourcePlace[]>;

function isExportedFunction(node: LintNode): boolean {
  const flags = node.flags as number;
  return node.kind === Kind.FunctionDeclaration && (flags & FLAG_EXPORT) !== 0 && (flags & FLAG_AMBIENT) === 0;
}

export function nameOfDeclaration(node: LintNode): string {
  return (node.name as LintNode).text as string;
}

type Report = (node: LintNode, reason: string) => void;

function checkExport(node: LintNode, exported: Map<string, LintNode>, report: Report, shown: (s: string) => string) {
  if (!isExportedFunction(node)) return;
  const name = nameOfDeclaration(node);
  const other = exported.get(name);
  if (other) report(node, `"${name}" is already exported by ${shown(other.range.source.normalizedPath)}`);
  else exported.set(name, node);
}

function checkNode(node: LintNode, report: Report): void {
  if (node.kind === Kind.Literal && node.literalKind === LITERAL_TEMPLATE) {
    report(node, "template literals allocate memory, and there is no allocator for strings");
    return;
  }
  const isFloat = node.kind === Kind.Literal && node.literalKind === LITERAL_FLOAT;
  if (isFloat || (node.kind === Kind.Identifier && UNSUPPORTED_TYPES.has(node.text as string))) {
    report(node, "64-bit and floating-point types are not supported: the machine has 32-bit integers only");
    return;
  }
  const target = twiceEvaluated(node);
  if (!target) return;
  const receiver = target.expression as LintNode;
  const culprit = findEffect(receiver) ?? (target.kind === Kind.ElementAccess && findEffect(target.elementExpression));
  if (culprit) {
    const text = culprit.range.source.text.slice(culprit.range.start, culprit.range.end);
    report(node, `"${text}" would be evaluated twice here; bind it to a local variable first`);
  }
}

/** The operand of `++`, `--` or a compound assignment that is a field or element access; undefined for anything else. */
function twiceEvaluated(node: LintNode): LintNode | undefined {
  const operator = node.operator as number;
  let operand: LintNode | undefined;
  if (node.kind === Kind.UnaryPostfix || node.kind === Kind.UnaryPrefix) {
    if (operator === Token.PlusPlus || operator === Token.MinusMinus) operand = node.operand as LintNode;
  } else if (node.kind === Kind.Binary && operator >= Token.FirstCompound && operator <= Token.LastCompound) {
    operand = node.left as LintNode;
  }
  while (operand?.kind === Kind.Parenthesized) operand = operand.expression as LintNode;
  return operand && (operand.kind === Kind.PropertyAccess || operand.kind === Kind.ElementAccess) ? operand : undefined;
}

/** The first sub-expression with an effect of its own: a call of anything but a pure builtin, `new`, an assignment. */
function findEffect(root: unknown): LintNode | undefined {
  let found: LintNode | undefined;
  visit(root as LintNode, (node) => {
    found ??= hasEffect(node) ? node : undefined;
  });
  return found;
}

function hasEffect(node: LintNode): boolean {
  const operator = node.operator as number;
  switch (node.kind) {
    case Kind.Call: {
      const callee = node.expression as LintNode;
      return callee.kind !== Kind.Identifier || !PURE.has(callee.text as string);
    }
    case Kind.New:
      return true;
    case Kind.UnaryPostfix:
      return true;
    case Kind.UnaryPrefix:
      return operator === Token.PlusPlus || operator === Token.MinusMinus;
    case Kind.Binary:
      return operator >= Token.Equals && operator <= Token.LastCompound;
    default:
      return false;
  }
}

/** Calls `each` for the node and all below it, in source order of the properties. */
export function visit(node: LintNode, each: (node: LintNode) => void): void {
  each(node);
  for (const key in node) {
    if (key === "range") continue;
    const value = node[key];
    if (Array.isArray(value)) {
      for (const item of value) if (isNode(item)) visit(item, each);
    } else if (isNode(value)) {
      visit(value, each);
    }
  }
}

function isNode(value: unknown): value is LintNode {
  return typeof value === "object" && value !== null && "kind" in value && "range" in value;
}
