/**
 * What debuggers want to know of functions' variables, from asc's syntax trees: parameters in order, and variables with the place at which
 * asc says that they are set. Variables that are assigned again have no one value to look for. May import asclint, errors.
 */
import { type LintNode, type LintSource, nameOfDeclaration, visit } from "./asclint";
import { placeOf } from "./errors";

export interface FunctionVariables {
  file: string;
  parameters: { name: string; type: string; assigned: boolean }[];
  /** Line and column, from 1, of the statement that declares it. */
  locals: { name: string; type: string; line: number; column: number }[];
}

const enum Kind {
  Identifier = 7,
  Binary = 9,
  UnaryPostfix = 28,
  UnaryPrefix = 29,
  VariableStatement = 48,
  ClassDeclaration = 52,
  FunctionDeclaration = 56,
  MethodDeclaration = 59,
}
const FIRST_ASSIGNMENT = 101;
const LAST_ASSIGNMENT = 113;
const FLAG_STATIC = 32;
const DEFAULT_TYPE = "u32";

/** The variables of every function of the project, by its name in the module: `kernel/mm/memory/copyPageRange`, `kernel/mm/vma/Mm#find`. */
export function listVariables(
  sources: readonly LintSource[],
  shown: (name: string) => string,
): Map<string, FunctionVariables> {
  const found = new Map<string, FunctionVariables>();
  for (const { statements, normalizedPath, text } of sources) {
    if (normalizedPath.startsWith("~lib/")) continue;
    const prefix = normalizedPath.replace(/\.ts$/, "");
    const file = shown(normalizedPath);
    for (const statement of statements) {
      if (statement.kind === Kind.FunctionDeclaration) {
        found.set(`${prefix}/${nameOfDeclaration(statement)}`, variablesOf(statement, file, text, false));
      }
      if (statement.kind !== Kind.ClassDeclaration) continue;
      for (const member of statement.members as LintNode[]) {
        if (member.kind !== Kind.MethodDeclaration) continue;
        const isStatic = ((member.flags as number) & FLAG_STATIC) !== 0;
        const name = `${prefix}/${nameOfDeclaration(statement)}${isStatic ? "." : "#"}${nameOfDeclaration(member)}`;
        found.set(name, variablesOf(member, file, text, !isStatic));
      }
    }
  }
  return found;
}

function variablesOf(node: LintNode, file: string, text: string, isMethod: boolean): FunctionVariables {
  const parameters = ((node.signature as LintNode).parameters as LintNode[]).map((parameter) => ({
    ...{ name: nameOfDeclaration(parameter), type: typeOf(parameter), assigned: false },
  }));
  if (isMethod) parameters.unshift({ name: "this", type: DEFAULT_TYPE, assigned: false });
  const locals: FunctionVariables["locals"] = [];
  const assigned = new Set<string>();
  const body = node.body as LintNode | null;
  if (body !== null) {
    visit(body, (inner) => {
      const target = assignmentTarget(inner);
      if (target !== undefined) assigned.add(target);
      if (inner.kind !== Kind.VariableStatement) return;
      const declarations = inner.declarations as LintNode[];
      const place = placeOf(text, inner.range.start);
      for (const one of declarations) {
        const isAlone = declarations.length === 1 && one.initializer !== null;
        locals.push({ name: nameOfDeclaration(one), type: typeOf(one), ...(isAlone ? place : NOWHERE) });
      }
    });
  }
  for (const parameter of parameters) parameter.assigned = assigned.has(parameter.name);
  for (const local of locals) if (assigned.has(local.name)) Object.assign(local, NOWHERE);
  return { file, parameters, locals };
}

/** A place at which nothing is. */
const NOWHERE = { line: 0, column: 0 };

/** The variable that an expression assigns to, if it does. */
function assignmentTarget(node: LintNode): string | undefined {
  const operator = node.operator as number;
  let target: LintNode | undefined;
  if (node.kind === Kind.Binary && operator >= FIRST_ASSIGNMENT && operator <= LAST_ASSIGNMENT)
    target = node.left as LintNode;
  if (node.kind === Kind.UnaryPostfix || node.kind === Kind.UnaryPrefix) target = node.operand as LintNode;
  return target?.kind === Kind.Identifier ? (target.text as string) : undefined;
}

/** A type by its name; u32 for one that is inferred, and for a class. */
function typeOf(node: LintNode): string {
  const type = node.type as { name?: { identifier?: { text?: string } } } | null | undefined;
  const name = type?.name?.identifier?.text;
  return name === "i32" || name === "isize" ? "i32" : name === "bool" ? "bool" : DEFAULT_TYPE;
}
