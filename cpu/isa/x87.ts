/**
 * The x87's instruction forms: opcodes D8 to DF by ModRM. May import operands.ts.
 *
 * With mod = 3 the whole ModRM byte chooses: a digit and ST(rm), or a digit and one rm. Else it is digit and memory. The
 * 387's and 486's set is here, the Pentium Pro's FCMOVcc and FCOMI family, the 8087's and 287's leftovers that later parts
 * run as FNOP, and the second encodings that the manual leaves out and all parts run (FSTPNCE, FFREEP, and others' aliases).
 * Operands are written as assemblers do: memory and a lone ST(i) imply ST.
 * Source: Intel SDM volume 2, appendix A.5 (escape opcodes); volume 1, section 8.3.
 */
import type { Operand } from "./operands";

export interface X87Form {
  readonly opcode: number;
  readonly digit: number;
  /** ModRM.rm of a register form that has no ST(i), else −1. */
  readonly rm: number;
  readonly mnemonic: string;
  readonly operands: readonly Operand[];
  /** A second encoding. */
  readonly alias: boolean;
}

const forms: X87Form[] = [];

/** One form for each name with the digits 0, 1, 2, …; "-" leaves one out, "=" before a name makes an alias. */
function digits(opcode: number, names: string, ...operands: Operand[]): void {
  for (const [digit, name] of names.split(" ").entries()) add(opcode, digit, -1, name, operands);
}

/** Forms without ST(i) for ModRM from `modrm` on. */
function fixed(opcode: number, modrm: number, names: string, ...operands: Operand[]): void {
  for (const [i, name] of names.split(" ").entries()) {
    add(opcode, ((modrm + i) >> 3) & 7, (modrm + i) & 7, name, operands);
  }
}

function add(opcode: number, digit: number, rm: number, name: string, operands: readonly Operand[]): void {
  if (name === "-") return;
  const alias = name[0] === "=";
  forms.push({ opcode, digit, rm, mnemonic: alias ? name.slice(1) : name, operands, alias });
}

digits(0xd8, "fadd fmul fcom fcomp fsub fsubr fdiv fdivr", "M4");
digits(0xd8, "fadd fmul - - fsub fsubr fdiv fdivr", "ST", "STi");
digits(0xd8, "- - fcom fcomp", "STi");

digits(0xd9, "fld - fst fstp", "M4");
digits(0xd9, "- - - - fldenv - fnstenv", "Me");
digits(0xd9, "- - - - - fldcw - fnstcw", "M2");
digits(0xd9, "fld fxch - fstpnce", "STi");
fixed(0xd9, 0xd0, "fnop");
fixed(0xd9, 0xe0, "fchs fabs - - ftst fxam");
fixed(0xd9, 0xe8, "fld1 fldl2t fldl2e fldpi fldlg2 fldln2 fldz");
fixed(0xd9, 0xf0, "f2xm1 fyl2x fptan fpatan fxtract fprem1 fdecstp fincstp");
fixed(0xd9, 0xf8, "fprem fyl2xp1 fsqrt fsincos frndint fscale fsin fcos");

digits(0xda, "fiadd fimul ficom ficomp fisub fisubr fidiv fidivr", "M4");
digits(0xda, "fcmovb fcmove fcmovbe fcmovu", "ST", "STi");
fixed(0xda, 0xe9, "fucompp");

digits(0xdb, "fild - fist fistp", "M4");
digits(0xdb, "- - - - - fld - fstp", "M10");
digits(0xdb, "fcmovnb fcmovne fcmovnbe fcmovnu - fucomi fcomi", "ST", "STi");
fixed(0xdb, 0xe0, "fneni fndisi fnclex fninit fnsetpm");

digits(0xdc, "fadd fmul fcom fcomp fsub fsubr fdiv fdivr", "M8");
digits(0xdc, "fadd fmul - - fsubr fsub fdivr fdiv", "STi", "ST");
digits(0xdc, "- - =fcom =fcomp", "STi");

digits(0xdd, "fld - fst fstp", "M8");
digits(0xdd, "- - - - frstor - fnsave", "Mf");
digits(0xdd, "- - - - - - - fnstsw", "M2");
digits(0xdd, "ffree =fxch fst fstp fucom fucomp", "STi");

digits(0xde, "fiadd fimul ficom ficomp fisub fisubr fidiv fidivr", "M2");
digits(0xde, "faddp fmulp - - fsubrp fsubp fdivrp fdivp", "STi", "ST");
digits(0xde, "- - =fcomp", "STi");
fixed(0xde, 0xd9, "fcompp");

digits(0xdf, "fild - fist fistp", "M2");
digits(0xdf, "- - - - fbld - fbstp", "M10");
digits(0xdf, "- - - - - fild - fistp", "M8");
digits(0xdf, "ffreep =fxch =fstp =fstp", "STi");
digits(0xdf, "- - - - - fucomip fcomip", "ST", "STi");
fixed(0xdf, 0xe0, "fnstsw", "AX");

/** All forms. */
export const X87_FORMS: readonly X87Form[] = forms;

/** Whether an opcode is one of the x87's. */
export function isX87Opcode(opcode: number): boolean {
  return opcode >= 0xd8 && opcode <= 0xdf;
}
