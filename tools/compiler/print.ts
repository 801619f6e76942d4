/**
 * Text of the three representations, for dumps. Assembly is in Intel syntax as GNU as takes it. Imports ir, mir, emitasm.
 */

import type { AsmInstruction, AsmOperand } from "./emitasm";
import { End, type IrFunction, Op, type Value } from "./ir";
import { CONDITION_NAMES, FIRST_VIRTUAL, type MachineFunction, type Operand, REGISTER_NAMES } from "./mir";

const OP_NAMES =
  "const param phi add sub mul divS divU remS remU and or xor shl shrS shrU rotl rotr eq ne ltS ltU gtS gtU leS leU geS geU clz ctz extend8 extend16 select load store globalGet globalSet call callIndirect intrinsic memoryCopy memoryFill cString barrier".split(
    " ",
  );
const END_NAMES: Readonly<Record<End, string>> = {
  ...{ [End.Jump]: "jump", [End.Branch]: "branch", [End.Switch]: "switch" },
  ...{ [End.Return]: "return", [End.Trap]: "trap" },
};

function nameOf(value: Value): string {
  return value.op === Op.Const ? `${value.imm}` : `v${value.id}`;
}

/** The intermediate representation of a function. */
export function printIr(fn: IrFunction): string {
  const lines = [`${fn.name}:`];
  for (const block of fn.blocks) {
    const from = block.preds.map(({ order }) => `b${order}`).join(" ");
    lines.push(`b${block.order}: depth ${block.depth}${block.cold ? " cold" : ""} from ${from}`);
    for (const value of [...block.phis, ...block.body]) {
      const extra = value.name || (value.imm !== 0 ? `#${value.imm}` : "");
      lines.push(`  v${value.id} = ${OP_NAMES[value.op]} ${value.args.map(nameOf).join(", ")} ${extra}`.trimEnd());
    }
    const control = block.control === null ? "" : ` ${nameOf(block.control)}`;
    lines.push(`  ${END_NAMES[block.end]}${control} ${block.successors.map(({ order }) => `b${order}`).join(" ")}`);
  }
  return `${lines.join("\n")}\n`;
}

function registerName(register: number): string {
  return register < FIRST_VIRTUAL ? REGISTER_NAMES[register] : `r${register}`;
}

function address(base: string, index: string, scale: number, displacement: number, symbol: string | null): string {
  const parts = [symbol ?? "", base, index === "" ? "" : `${index}*${1 << scale}`, `${displacement}`];
  return `[${parts.filter((part) => part !== "" && part !== "0").join(" + ") || "0"}]`;
}

/** Machine code over virtual registers. */
export function printMachine(machine: MachineFunction): string {
  const lines = [`${machine.name}:`];
  for (const block of machine.blocks) {
    lines.push(`b${block.id}: depth ${block.depth}${block.cold ? " cold" : ""}`);
    for (const { op, operands, registers, symbol, condition } of block.code) {
      const name = (at: number) => (at < 0 ? "" : registerName(registers[at]));
      const show = (operand: Operand): string => {
        if (operand.kind === "register") return `${name(operand.at)}${operand.size === 4 ? "" : `.${operand.size}`}`;
        if (operand.kind === "immediate") return `${operand.symbol ?? ""}${operand.value}`;
        const { base, index, scale, displacement, size } = operand;
        return `${size}${address(name(base), name(index), scale, displacement, operand.symbol)}`;
      };
      const mnemonic = op === "jcc" || op === "setcc" ? `${op}.${CONDITION_NAMES[condition]}` : op;
      lines.push(`  ${mnemonic} ${operands.map(show).join(", ")} ${symbol}`.trimEnd());
    }
    lines.push(`  -> ${block.successors.map(({ id }) => `b${id}`).join(" ")}`);
  }
  return `${lines.join("\n")}\n`;
}

const BYTE_NAMES = ["al", "cl", "dl", "bl"];
const SIZE_NAMES: Readonly<Record<number, string>> = { 1: "byte", 2: "word", 4: "dword", 6: "fword" };

function asmRegister(number: number, size: number): string {
  if (size === 1) return BYTE_NAMES[number];
  return size === 2 ? REGISTER_NAMES[number].slice(1) : REGISTER_NAMES[number];
}

function asmOperand(operand: AsmOperand): string {
  switch (operand.kind) {
    case "reg":
      return asmRegister(operand.number, operand.size);
    case "imm":
      return operand.symbol === null ? `${operand.value}` : `offset ${operand.symbol} + ${operand.value}`;
    case "creg":
      return `cr${operand.number}`;
    case "label":
      return `.L${operand.label}`;
    case "function":
      return `"${operand.symbol}"`;
    case "mem": {
      const { base, index, scale, displacement, symbol, size } = operand;
      const name = (register: number) => (register < 0 ? "" : REGISTER_NAMES[register]);
      return `${SIZE_NAMES[size]} ptr ${address(name(base), name(index), scale, displacement, symbol)}`;
    }
  }
}

/** Assembly after allocation and layout. */
export function printAssembly(name: string, code: readonly AsmInstruction[]): string {
  const lines = [`"${name}":`];
  for (const { mnemonic, operands, rep } of code) {
    if (mnemonic === "label") lines.push(`${asmOperand(operands[0])}:`);
    else lines.push(`  ${rep ? "rep " : ""}${mnemonic} ${operands.map(asmOperand).join(", ")}`.trimEnd());
  }
  return `${lines.join("\n")}\n`;
}
