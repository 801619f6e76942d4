/**
 * One instruction statement -> an item. May import cpu/encoder, operand, expression, section, lexer, error.
 */
import {
  EncodeError,
  type EncodeOptions,
  Encoder,
  far,
  imm,
  MNEMONIC_ALIASES,
  mem,
  type OperandValue,
  rel8,
  rel32,
} from "../../../cpu/encoder";
import { Prefix } from "../../../cpu/instruction";
import { ROWS, RowFlag } from "../../../cpu/isa";
import { SyntaxFault } from "./error";
import { type Expression, evaluateNumber, type Scope } from "./expression";
import type { TokenReader } from "./lexer";
import { type OperandSyntax, parseOperand } from "./operand";
import type { Fixup, Item } from "./section";

const PREFIXES: ReadonlyMap<string, Prefix> = new Map([
  ["lock", Prefix.Lock],
  ["rep", Prefix.Rep],
  ["repe", Prefix.Rep],
  ["repz", Prefix.Rep],
  ["repne", Prefix.Repne],
  ["repnz", Prefix.Repne],
]);

/** Instructions with a relative form: name -> whether it has a form of one byte and of four. */
const RELATIVE = new Map<string, { short: boolean; long: boolean }>();
for (const row of ROWS) {
  for (const name of [row.mnemonic, row.mnemonic16]) {
    const forms = RELATIVE.get(name) ?? { short: false, long: false };
    if (row.operands[0] === "Jb") forms.short = true;
    else if (row.operands[0] === "Jv") forms.long = true;
    else continue;
    RELATIVE.set(name, forms);
  }
}

const encoder = new Encoder();

/** Bytes before the distance. */
function head(mnemonic: string, options: EncodeOptions, long: boolean): Uint8Array {
  encoder.encode(mnemonic, [long ? rel32(0) : rel8(0)], options);
  return encoder.bytes.slice(0, encoder.immediateAt);
}

/** Parses the instruction, whose mnemonic has not been read, and encodes it. Throws SyntaxFault. */
export function parseInstruction(reader: TokenReader, scope: Scope, line: number): Item {
  let prefixes = 0;
  let name = reader.name().toLowerCase();
  for (let prefix = PREFIXES.get(name); prefix !== undefined; prefix = PREFIXES.get(name)) {
    prefixes |= prefix;
    name = reader.name().toLowerCase();
  }
  const operands: OperandSyntax[] = [];
  if (!reader.done) {
    do operands.push(parseOperand(reader));
    while (reader.accept(","));
  }
  reader.end();
  try {
    return build(MNEMONIC_ALIASES[name] ?? name, operands, { prefixes }, scope, line);
  } catch (error) {
    if (error instanceof EncodeError) throw new SyntaxFault(error.message);
    throw error;
  }
}

/** Short spellings that have an operand more in the instruction set. */
function complete(mnemonic: string, operands: OperandSyntax[]): OperandSyntax[] {
  if (mnemonic === "imul" && operands.length === 2 && operands[1].kind === "expression") {
    return [operands[0], operands[0], operands[1]];
  }
  if ((mnemonic === "aam" || mnemonic === "aad") && operands.length === 0) {
    return [{ kind: "expression", value: { op: "number", value: 10 }, short: false }];
  }
  return operands;
}

function build(mnemonic: string, written: OperandSyntax[], options: EncodeOptions, scope: Scope, line: number): Item {
  const operands = complete(mnemonic, written);
  checkRep(mnemonic, options);
  const relative = RELATIVE.get(mnemonic);
  const [target] = operands;
  if (relative !== undefined && operands.length === 1 && target.kind === "expression") {
    if (evaluateNumber(target.value, scope) !== undefined) throw new SyntaxFault(`'${mnemonic}' goes to a label`);
    if (target.short && !relative.short) throw new SyntaxFault(`'${mnemonic}' has no short form`);
    return {
      kind: "jump",
      line,
      target: target.value,
      short: relative.short ? head(mnemonic, options, false) : undefined,
      long: relative.long && !target.short ? head(mnemonic, options, true) : undefined,
      isLong: !relative.short,
    };
  }
  const values = operands.map((operand) => valueOfSyntax(operand, scope));
  const length = encoder.encode(mnemonic, values, options);
  const fixups: Fixup[] = [];
  for (const operand of operands) {
    const open = openExpression(operand, scope);
    if (open === undefined) continue;
    const at = operand.kind === "memory" ? encoder.displacementAt : encoder.immediateAt;
    // A displacement beside a label is always wide; an immediate reaches to the end of the instruction.
    const size = operand.kind === "expression" ? length - at : 4;
    fixups.push({ at, size: size as Fixup["size"], value: open });
  }
  return { kind: "bytes", line, bytes: encoder.bytes.slice(0, length), fixups, instruction: true };
}

const REPEATABLE = new Set(
  ROWS.filter((row) => row.flags & RowFlag.RepAllowed).flatMap((row) => [row.mnemonic, row.mnemonic16]),
);

function checkRep(mnemonic: string, { prefixes = 0 }: EncodeOptions): void {
  if (prefixes & (Prefix.Rep | Prefix.Repne) && !REPEATABLE.has(mnemonic)) {
    throw new SyntaxFault(`'${mnemonic}' cannot be repeated`);
  }
}

/** The operand's expression if it is no number before the layout: its field is then wide, and filled in later. */
function openExpression(operand: OperandSyntax, scope: Scope): Expression | undefined {
  if (operand.kind === "register") return undefined;
  const expression =
    operand.kind === "expression" ? operand.value : operand.kind === "far" ? operand.offset : operand.displacement;
  return evaluateNumber(expression, scope) === undefined ? expression : undefined;
}

function valueOfSyntax(operand: OperandSyntax, scope: Scope): OperandValue {
  switch (operand.kind) {
    case "register":
      return operand.value;
    case "expression": {
      const value = evaluateNumber(operand.value, scope);
      return value === undefined ? imm(0, true) : imm(value);
    }
    case "far": {
      const selector = evaluateNumber(operand.selector, scope);
      if (selector === undefined) throw new SyntaxFault("a selector must be a number");
      return far(selector, evaluateNumber(operand.offset, scope) ?? 0);
    }
    default: {
      const { size, base, index, scale, segment, addressSize, far: isFar } = operand;
      const value = evaluateNumber(operand.displacement, scope);
      if (value === undefined && addressSize === 2) throw new SyntaxFault("a 16-bit address cannot hold a label");
      const displacement = value ?? 0;
      if (displacement < -(2 ** 31) || displacement >= 2 ** 32)
        throw new SyntaxFault("an address of more than 32 bits");
      const wide = value === undefined;
      return mem(size, { base, index, scale, segment, addressSize, displacement, wide, far: isFar });
    }
  }
}
