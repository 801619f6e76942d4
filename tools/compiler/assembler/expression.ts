/**
 * Constant expressions over numbers and symbols: parsing, and evaluation to `symbol + addend`. May import lexer, error.
 *
 * Evaluation is asked twice: before the layout, when a label's place is unknown (the answer is then undefined unless it
 * needs no place), and after it, when the difference of two labels of one section is a number.
 */
import { SyntaxFault } from "./error";
import type { TokenReader } from "./lexer";

export type Expression =
  | { readonly op: "number"; readonly value: number }
  | { readonly op: "symbol"; readonly name: string }
  | { readonly op: "-" | "~"; readonly a: Expression; readonly b?: undefined }
  | { readonly op: BinaryOp; readonly a: Expression; readonly b: Expression };

type BinaryOp = "+" | "-" | "*" | "/" | "%" | "<<" | ">>" | "&" | "^" | "|";

/** Binary operators, loosest first, as in C. */
const LEVELS: readonly (readonly string[])[] = [["|"], ["^"], ["&"], ["<<", ">>"], ["+", "-"], ["*", "/", "%"]];

/** Parses an expression; throws SyntaxFault. */
export function parseExpression(reader: TokenReader, level = 0): Expression {
  if (level === LEVELS.length) return parseUnary(reader);
  let left = parseExpression(reader, level + 1);
  for (;;) {
    const token = reader.peek();
    if (token?.kind !== "punctuation" || !LEVELS[level].includes(token.text)) return left;
    reader.next();
    left = { op: token.text as BinaryOp, a: left, b: parseExpression(reader, level + 1) };
  }
}

/** A product: what stands between the + and - of an address. */
export function parseTerm(reader: TokenReader): Expression {
  return parseExpression(reader, LEVELS.length - 1);
}

function parseUnary(reader: TokenReader): Expression {
  if (reader.accept("-")) return { op: "-", a: parseUnary(reader) };
  if (reader.accept("~")) return { op: "~", a: parseUnary(reader) };
  if (reader.accept("+")) return parseUnary(reader);
  if (reader.accept("(")) {
    const inner = parseExpression(reader);
    reader.expect(")");
    return inner;
  }
  const token = reader.peek();
  if (token === undefined || token.kind === "punctuation") throw new SyntaxFault(`a value expected${reader.found()}`);
  reader.next();
  if (token.kind === "number") return { op: "number", value: token.value };
  return { op: "symbol", name: token.text };
}

/** Where symbols stand. */
export interface Scope {
  /** What .equ said, if the name is one of its. */
  constant(name: string): Expression | undefined;
  /** Section and offset of a label of this file; undefined before the layout and for symbols of other files. */
  place(name: string): { readonly section: string; readonly offset: number } | undefined;
}

/** `symbol + addend`, or a number when there is no symbol. */
export interface Value {
  readonly symbol: string | undefined;
  readonly addend: number;
}

/** A sum in which symbols occur with both signs. */
interface Sum {
  readonly plus: readonly string[];
  readonly minus: readonly string[];
  readonly addend: number;
}

const DEEPEST = 100;

function sum(expression: Expression, scope: Scope, depth: number): Sum | undefined {
  if (depth > DEEPEST) throw new SyntaxFault("an expression that is defined by itself");
  if (expression.op === "number") return { plus: [], minus: [], addend: expression.value };
  if (expression.op === "symbol") {
    const constant = scope.constant(expression.name);
    if (constant !== undefined) return sum(constant, scope, depth + 1);
    return { plus: [expression.name], minus: [], addend: 0 };
  }
  const a = sum(expression.a, scope, depth + 1);
  if (a === undefined) return undefined;
  if (expression.b === undefined) {
    if (expression.op === "-") return { plus: a.minus, minus: a.plus, addend: -a.addend };
    const value = numberOf(a, scope);
    return value === undefined ? undefined : { plus: [], minus: [], addend: ~value };
  }
  const b = sum(expression.b, scope, depth + 1);
  if (b === undefined) return undefined;
  if (expression.op === "+") {
    return { plus: [...a.plus, ...b.plus], minus: [...a.minus, ...b.minus], addend: a.addend + b.addend };
  }
  if (expression.op === "-") {
    return { plus: [...a.plus, ...b.minus], minus: [...a.minus, ...b.plus], addend: a.addend - b.addend };
  }
  const left = numberOf(a, scope);
  const right = numberOf(b, scope);
  if (left === undefined || right === undefined) return undefined;
  return { plus: [], minus: [], addend: apply(expression.op, left, right) };
}

/** Numbers are whole and exact below 2^53; bit operations work on 32 bits and give an unsigned result. */
function apply(op: BinaryOp, left: number, right: number): number {
  switch (op) {
    case "*":
      return left * right;
    case "/":
    case "%":
      if (right === 0) throw new SyntaxFault("division by zero");
      return op === "/" ? Math.trunc(left / right) : left % right;
    case "<<":
      return (left << right) >>> 0;
    case ">>":
      return left >>> right;
    case "&":
      return (left & right) >>> 0;
    case "^":
      return (left ^ right) >>> 0;
    default:
      return (left | right) >>> 0;
  }
}

/** Cancels symbols of both signs: the same name, or two labels of one section whose places are known. */
function simplify({ plus, minus, addend }: Sum, scope: Scope): Sum {
  const left: string[] = [];
  const open = [...minus];
  let total = addend;
  for (const name of plus) {
    const place = scope.place(name);
    const match = open.findIndex((other) => {
      if (other === name) return true;
      return place !== undefined && scope.place(other)?.section === place.section;
    });
    if (match < 0) left.push(name);
    else {
      const [other] = open.splice(match, 1);
      if (other !== name) total += place!.offset - scope.place(other)!.offset;
    }
  }
  return { plus: left, minus: open, addend: total };
}

function numberOf(value: Sum, scope: Scope): number | undefined {
  const { plus, minus, addend } = simplify(value, scope);
  return plus.length === 0 && minus.length === 0 ? addend : undefined;
}

/** The expression as `symbol + addend`; undefined when it is not of that form (or not yet, before the layout). */
export function evaluate(expression: Expression, scope: Scope): Value | undefined {
  const raw = sum(expression, scope, 0);
  if (raw === undefined) return undefined;
  const { plus, minus, addend } = simplify(raw, scope);
  if (minus.length > 0 || plus.length > 1) return undefined;
  return { symbol: plus[0], addend };
}

/** The expression as a number; undefined when it is none (or not yet). */
export function evaluateNumber(expression: Expression, scope: Scope): number | undefined {
  const value = evaluate(expression, scope);
  return value === undefined || value.symbol !== undefined ? undefined : value.addend;
}
