/**
 * Frame rules of a compiled function. Its code has one shape (emitexpand.ts): PUSH EBP; MOV EBP, ESP; pushes of saved registers; SUB ESP; and
 * before each RET the pops or LEAVE that undo them. May import emitasm, frames, mir.
 */
import type { AsmInstruction } from "./emitasm";
import type { FrameRule } from "./frames";
import { Register } from "./mir";

const RETURN_ADDRESS = 4;
/** From EBP, behind the frame's setup, to the CFA. */
const EBP_TO_CFA = 8;

/** `starts[i]` is where instruction i begins, in bytes; the last entry is the end. Rules are in the same bytes. */
export function frameRules(code: readonly AsmInstruction[], starts: ArrayLike<number>): FrameRule[] {
  const rules: FrameRule[] = [];
  /** Where registers are saved, as distances from the CFA, while the frame stands. */
  const saved = new Map<number, number>();
  let depth = RETURN_ADDRESS;
  let isSetUp = false;
  let isProlog = true;
  const rule = (at: number, body: { kind: "cfa"; register: number; offset: number } | FrameTail): void => {
    rules.push({ at, ...body } as FrameRule);
  };
  for (const [i, instruction] of code.entries()) {
    const { mnemonic, operands } = instruction;
    const [first, second] = operands;
    const register = first?.kind === "reg" ? first.number : -1;
    const behind = starts[i + 1];
    if (mnemonic === "push" && isProlog) {
      depth += 4;
      saved.set(register, depth);
      if (!isSetUp) rule(behind, { kind: "cfa", register: Register.ESP, offset: depth });
      rule(behind, { kind: "saved", register, offset: depth });
    } else if (mnemonic === "mov" && isProlog && register === Register.EBP && isRegister(second, Register.ESP)) {
      isSetUp = true;
      rule(behind, { kind: "cfa", register: Register.EBP, offset: EBP_TO_CFA });
    } else if (mnemonic === "sub" && isProlog && register === Register.ESP) {
      depth += second?.kind === "imm" ? second.value : 0;
      isProlog = false;
    } else if (mnemonic !== "label") {
      isProlog = false;
      // EBP is lent to an instruction that needs every register.
      if (mnemonic === "push" && register === Register.EBP)
        rule(behind, { kind: "cfa", register: Register.ESP, offset: depth + 4 });
      if (mnemonic === "pop" && register === Register.EBP && !returnsBehind(code, i))
        rule(behind, { kind: "cfa", register: Register.EBP, offset: EBP_TO_CFA });
      if (returnsBehind(code, i) && (mnemonic === "pop" || mnemonic === "leave")) {
        const popped = mnemonic === "leave" ? Register.EBP : register;
        rule(behind, { kind: "restored", register: popped });
        if (popped === Register.EBP) rule(behind, { kind: "cfa", register: Register.ESP, offset: RETURN_ADDRESS });
      }
      if (mnemonic === "ret" && i + 1 < code.length && isSetUp) {
        // What follows runs with the frame standing.
        rule(behind, { kind: "cfa", register: Register.EBP, offset: EBP_TO_CFA });
        for (const [number, offset] of saved) rule(behind, { kind: "saved", register: number, offset });
      }
    }
  }
  return rules;
}

type FrameTail = { kind: "saved"; register: number; offset: number } | { kind: "restored"; register: number };

function isRegister(operand: AsmInstruction["operands"][number] | undefined, number: number): boolean {
  return operand?.kind === "reg" && operand.number === number;
}

/** Whether only pops, LEAVE and RET follow. */
function returnsBehind(code: readonly AsmInstruction[], at: number): boolean {
  for (let i = at; i < code.length; i++) {
    const { mnemonic } = code[i];
    if (mnemonic === "ret") return true;
    if (mnemonic !== "pop" && mnemonic !== "leave") return false;
  }
  return false;
}
