/**
 * Operands as written: registers, `dword ptr fs:[ebx + ecx*4 + label - 8]`, expressions, `0x08:label`.
 * May import cpu/encoder, lexer, expression, error. Source: the syntax of Intel's manuals as MASM and GNU as write it.
 */
import { creg, dreg, type Gpr, type OperandValue, reg, sreg, st, treg } from "../../../cpu/encoder";
import { NO_REGISTER } from "../../../cpu/instruction";
import { SyntaxFault } from "./error";
import { type Expression, parseExpression, parseTerm } from "./expression";
import type { TokenReader } from "./lexer";

/** An operand whose numbers may still depend on where labels come to stand. */
export type OperandSyntax =
  | { readonly kind: "register"; readonly value: OperandValue }
  | { readonly kind: "expression"; readonly value: Expression; readonly short: boolean }
  | { readonly kind: "far"; readonly selector: Expression; readonly offset: Expression }
  | MemorySyntax;

export interface MemorySyntax {
  readonly kind: "memory";
  /** Bytes, or 0 when not written. */
  readonly size: number;
  readonly far: boolean;
  readonly base: number;
  readonly index: number;
  readonly scale: number;
  /** Segment, or −1. */
  readonly segment: number;
  readonly addressSize: number;
  readonly displacement: Expression;
}

const REGISTERS = new Map<string, OperandValue>();
for (const [size, names] of [
  [4, "eax ecx edx ebx esp ebp esi edi"],
  [2, "ax cx dx bx sp bp si di"],
  [1, "al cl dl bl ah ch dh bh"],
] as const) {
  for (const [number, name] of names.split(" ").entries()) REGISTERS.set(name, reg(number as Gpr, size));
}
for (const [number, name] of "es cs ss ds fs gs".split(" ").entries()) REGISTERS.set(name, sreg(number));
REGISTERS.set("st", st(0));
for (const number of [0, 2, 3, 4]) REGISTERS.set(`cr${number}`, creg(number));
for (const number of [0, 1, 2, 3, 4, 5, 6, 7]) REGISTERS.set(`dr${number}`, dreg(number));
for (const number of [3, 4, 5, 6, 7]) REGISTERS.set(`tr${number}`, treg(number));

const SIZES: ReadonlyMap<string, number> = new Map([
  ["byte", 1],
  ["word", 2],
  ["dword", 4],
  ["fword", 6],
  ["qword", 8],
  ["tbyte", 10],
]);

const WORDS = new Set(["short", "far", "ptr", "offset", ...SIZES.keys()]);

/** Whether the name means something in operands, so that no label may have it. */
export function isReserved(name: string): boolean {
  const lower = name.toLowerCase();
  return REGISTERS.has(lower) || WORDS.has(lower);
}

/** Takes the name if it is next, in any case. */
function acceptName(reader: TokenReader, name: string): boolean {
  if (!reader.seesName({ has: (other) => other === name })) return false;
  reader.next();
  return true;
}

/** Takes a segment register and its colon, if they are next; −1 otherwise. */
function acceptSegment(reader: TokenReader): number {
  const value = reader.seesName(REGISTERS) ? REGISTERS.get(reader.peek()!.text.toLowerCase()) : undefined;
  if (value?.kind !== "sreg" || !reader.sees(":", 1)) return -1;
  reader.next();
  reader.next();
  return value.number;
}

/** Parses one operand; throws SyntaxFault. */
export function parseOperand(reader: TokenReader): OperandSyntax {
  const short = acceptName(reader, "short");
  let size = 0;
  const far = acceptName(reader, "far");
  if (reader.seesName(SIZES) && !short) {
    size = SIZES.get(reader.next().text.toLowerCase())!;
    acceptName(reader, "ptr");
  }
  const segment = acceptSegment(reader);
  if (reader.sees("[")) return parseMemory(reader, size, far || size === 6, segment);
  if (size !== 0 || segment >= 0) throw new SyntaxFault(`'[' expected${reader.found()}`);
  if (reader.seesName(REGISTERS)) {
    const value = REGISTERS.get(reader.next().text.toLowerCase())!;
    return { kind: "register", value: value.kind === "st" ? parseStackRegister(reader) : value };
  }
  acceptName(reader, "offset");
  const value = parseExpression(reader);
  if (reader.accept(":")) return { kind: "far", selector: value, offset: parseExpression(reader) };
  if (far) throw new SyntaxFault("a far pointer is written selector:offset or far [address]");
  return { kind: "expression", value, short };
}

/** What follows `st`: nothing, or a number from 0 to 7 in parentheses. */
function parseStackRegister(reader: TokenReader): OperandValue {
  if (!reader.accept("(")) return st(0);
  const token = reader.next();
  if (token.kind !== "number" || token.value > 7) throw new SyntaxFault("st(0) to st(7) is expected");
  reader.expect(")");
  return st(token.value);
}

/** The parts of an address as they are gathered. */
class Address {
  base = NO_REGISTER;
  index = NO_REGISTER;
  scale = 0;
  addressSize = 0;
  displacement: Expression | undefined;

  /** Adds a register times 1, 2, 4 or 8; `scaled` when a factor was written. */
  add(value: OperandValue, factor: number, scaled: boolean): void {
    if (value.kind !== "reg" || value.size === 1) throw new SyntaxFault("an address has only 16- or 32-bit registers");
    if (this.addressSize !== 0 && this.addressSize !== value.size) throw new SyntaxFault("an address of two sizes");
    this.addressSize = value.size;
    if (!scaled && this.base === NO_REGISTER) this.base = value.number;
    else if (this.index === NO_REGISTER) {
      this.index = value.number;
      this.scale = [1, 2, 4, 8].indexOf(factor);
      if (this.scale < 0) throw new SyntaxFault("an index is multiplied by 1, 2, 4 or 8");
    } else throw new SyntaxFault("too many registers in an address");
  }

  addTerm(term: Expression, negative: boolean): void {
    if (this.displacement === undefined) this.displacement = negative ? { op: "-", a: term } : term;
    else this.displacement = { op: negative ? "-" : "+", a: this.displacement, b: term };
  }
}

const BX = 3;
const BP = 5;

function parseMemory(reader: TokenReader, size: number, far: boolean, outerSegment: number): MemorySyntax {
  reader.expect("[");
  const innerSegment = acceptSegment(reader);
  const address = new Address();
  for (let first = true; !reader.sees("]"); first = false) {
    const negative = reader.accept("-");
    if (!negative && !reader.accept("+") && !first) throw new SyntaxFault(`'+', '-' or ']' expected${reader.found()}`);
    parsePart(reader, address, negative);
  }
  reader.expect("]");
  // [si + bx] is [bx + si].
  const swap = address.addressSize === 2 && (address.index === BX || address.index === BP);
  return {
    kind: "memory",
    size,
    far,
    base: swap ? address.index : address.base,
    index: swap ? address.base : address.index,
    scale: address.scale,
    segment: innerSegment >= 0 ? innerSegment : outerSegment,
    addressSize: address.addressSize || 4,
    displacement: address.displacement ?? { op: "number", value: 0 },
  };
}

/** One summand: register, register * n, n * register, or a product of constants and symbols. */
function parsePart(reader: TokenReader, address: Address, negative: boolean): void {
  const factorFirst =
    reader.peek()?.kind === "number" && reader.sees("*", 1) && REGISTERS.has(reader.peek(2)?.text.toLowerCase() ?? "");
  if (!factorFirst && !reader.seesName(REGISTERS)) {
    address.addTerm(parseTerm(reader), negative);
    return;
  }
  if (negative) throw new SyntaxFault("a register cannot be subtracted in an address");
  let factor = 1;
  if (factorFirst) {
    factor = reader.next().value;
    reader.expect("*");
  }
  const register = REGISTERS.get(reader.next().text.toLowerCase())!;
  let scaled = factorFirst;
  if (!factorFirst && reader.accept("*")) {
    const token = reader.next();
    if (token.kind !== "number") throw new SyntaxFault("an index is multiplied by 1, 2, 4 or 8");
    factor = token.value;
    scaled = true;
  }
  address.add(register, factor, scaled);
}
