/**
 * WebAssembly code to the intermediate representation: a value for each operation, at the place and in the order that
 * irflow.ts follows. Operands on the wasm stack are values, so they need no place and keep their order of evaluation.
 * Imports irflow, wasm, ascvariables' types, ir, cfg, optfold, intrinsics, errors.
 * Source: WebAssembly core specification 2.0, section 4.4; Braun et al., "Simple and efficient construction of SSA", 2013.
 */

import type { FunctionVariables } from "./ascvariables";
import { removeTrivialPhis } from "./cfg";
import { CompileError } from "./errors";
import { INTRINSICS } from "./intrinsics";
import { Access, type Block, type IrFunction, Op, type Value } from "./ir";
import { assignedInLoops, FlowBuilder } from "./irflow";
import { fold } from "./optfold";
import type { Locate, WasmFunction, WasmInstruction, WasmModule } from "./wasm";
import { Opcode } from "./wasmopcodes";

/** What building a function needs to know of its module. */
export interface BuildContext {
  module: WasmModule;
  /** For messages where no source line is known. */
  name: string;
  locate: Locate;
  /** Name of the wasm import module whose functions are emitted in place. */
  intrinsicModule: string;
  /** What the source says of a function's variables, by its name in the module. */
  variables(name: string): FunctionVariables | undefined;
  /** The AssemblyScript string at an address, or undefined when there is none. */
  stringAt(address: number): string | undefined;
}

const LOADS = new Map<number, Access>([
  [Opcode.Load, Access.Word],
  [Opcode.Load8S, Access.SignedByte],
  [Opcode.Load8U, Access.Byte],
  [Opcode.Load16S, Access.SignedHalf],
  [Opcode.Load16U, Access.Half],
  [Opcode.AtomicLoad, Access.Word],
  [Opcode.AtomicLoad8U, Access.Byte],
  [Opcode.AtomicLoad16U, Access.Half],
]);
const STORES = new Map<number, Access>([
  [Opcode.Store, Access.Word],
  [Opcode.Store8, Access.Byte],
  [Opcode.Store16, Access.Half],
  [Opcode.AtomicStore, Access.Word],
  [Opcode.AtomicStore8, Access.Byte],
  [Opcode.AtomicStore16, Access.Half],
]);

/**
 * Build one function.
 * @throws CompileError for an unknown intrinsic, or `cstr` of what is no literal.
 */
export function buildFunction(source: WasmFunction, context: BuildContext): IrFunction {
  return new Builder(source, context).build();
}

class Builder extends FlowBuilder {
  private readonly variables: FunctionVariables | undefined;
  /** Values of the variables that have been met, by their position; undefined where there was more than one. */
  private readonly declared = new Map<number, Value | undefined>();

  constructor(
    private readonly source: WasmFunction,
    private readonly context: BuildContext,
  ) {
    super(source);
    this.variables = context.variables(source.name);
  }

  build(): IrFunction {
    const { source, fn } = this;
    const assigned = assignedInLoops(source.code);
    for (let i = 0; i < source.type.parameters; i++) {
      const parameter = fn.value(Op.Param, [], source.offset);
      parameter.imm = i;
      this.locals.push(this.append(parameter));
    }
    const parameters = [...this.locals];
    for (let i = 0; i < source.locals; i++) this.locals.push(fn.constant(0));
    for (let i = 0; i < source.code.length - 1; i++) this.instruction(source.code[i], assigned.get(i));
    this.offset = source.code[source.code.length - 1].offset;
    if (this.current !== null) this.ret();
    this.tellVariables(parameters);
    removeTrivialPhis(fn);
    return fn;
  }

  /** A local of the module gets the value of a variable where it is set at the place of the variable's declaration, and nothing else is. */
  private noteVariable(value: Value): void {
    const { variables } = this;
    const place = variables?.locals.length ? this.context.locate(this.offset) : undefined;
    if (place === undefined || variables === undefined || place.file !== variables.file) return;
    const at = variables.locals.findIndex(({ line, column }) => line === place.line && column === place.column);
    if (at < 0) return;
    this.declared.set(at, this.declared.has(at) ? undefined : value);
  }

  private tellVariables(parameters: readonly Value[]): void {
    const { variables, fn } = this;
    if (variables === undefined) return;
    // The optimiser may have taken parameters away, and then it is not known which.
    if (variables.parameters.length === parameters.length) {
      for (const [i, { name, type, assigned }] of variables.parameters.entries()) {
        fn.variables.push({
          variable: { name, type, parameter: i, assigned },
          value: assigned ? undefined : parameters[i],
        });
      }
    }
    for (const [i, { name, type }] of variables.locals.entries()) {
      fn.variables.push({ variable: { name, type, parameter: -1, assigned: false }, value: this.declared.get(i) });
    }
  }

  /** Make an operation at the current place, or what it folds to. */
  private make = (op: Op, args: Value[]): Value => {
    const { fn, offset } = this;
    return fold(fn, op, args, this.make) ?? this.append(fn.value(op, args, offset));
  };

  private instruction(instruction: WasmInstruction, assigned: ReadonlySet<number> | undefined): void {
    const { opcode, a, offset } = instruction;
    this.offset = offset;
    if (this.current === null) {
      this.skipDead(opcode);
      return;
    }
    if (opcode >= Opcode.Add && opcode <= Opcode.Rotr) this.binary(Op.Add + (opcode - Opcode.Add));
    else if (opcode >= Opcode.Eq && opcode <= Opcode.GeU) this.binary(Op.Eq + (opcode - Opcode.Eq));
    else if (LOADS.has(opcode)) this.load(instruction);
    else if (STORES.has(opcode)) this.store(instruction);
    else if (opcode === Opcode.WideLoad || opcode === Opcode.WideStore) this.wideAccess(opcode, a);
    else if (opcode <= Opcode.Return) this.control(instruction, assigned);
    else this.other(opcode, a, instruction.b);
  }

  private binary(op: Op): void {
    const right = this.pop();
    this.stack.push(this.make(op, [this.pop(), right]));
  }

  private effect(op: Op, args: Value[], imm: number): Value {
    const value = this.fn.value(op, args, this.offset);
    value.imm = imm;
    return this.append(value);
  }

  private load({ opcode, a }: WasmInstruction): void {
    const value = this.effect(Op.Load, [this.pop()], a);
    value.access = LOADS.get(opcode) as Access;
    value.atomic = opcode >= Opcode.AtomicLoad;
    this.stack.push(value);
  }

  private store({ opcode, a }: WasmInstruction): void {
    const data = this.pop();
    const value = this.effect(Op.Store, [this.pop(), data], a);
    value.access = STORES.get(opcode) as Access;
    value.atomic = opcode >= Opcode.AtomicStore;
    value.hasResult = false;
  }

  /** Eight bytes on their way from memory or a constant to memory: two words, both read before either is written. */
  private wideAccess(opcode: Opcode, offset: number): void {
    const access = (op: Op, args: Value[], imm: number) => this.effect(op, args, imm);
    if (opcode === Opcode.WideLoad) {
      const address = this.pop();
      const words = [access(Op.Load, [address], offset), access(Op.Load, [address], offset + 4)];
      this.stack.push(this.fn.value(Op.Pair, words, this.offset));
      return;
    }
    const pair = this.pop();
    const address = this.pop();
    if (pair.op !== Op.Pair) this.fail("a 64-bit value (i64) is not supported: the machine has 32-bit integers only");
    access(Op.Store, [address, pair.args[0]], offset).hasResult = false;
    access(Op.Store, [address, pair.args[1]], offset + 4).hasResult = false;
  }

  private other(opcode: number, a: number, b: number): void {
    const { stack, locals, context } = this;
    switch (opcode) {
      case Opcode.Call:
        this.call(context.module.functions[a]);
        break;
      case Opcode.CallIndirect: {
        const index = this.pop();
        const type = context.module.types[a];
        if (type.parameters < 0) this.fail("a parameter or result is not a 32-bit integer");
        const value = this.effect(Op.CallIndirect, [index, ...this.popMany(type.parameters)], b);
        value.hasResult = type.results === 1;
        if (value.hasResult) stack.push(value);
        break;
      }
      case Opcode.Drop:
        stack.pop();
        break;
      case Opcode.Select:
      case Opcode.TypedSelect: {
        const condition = this.pop();
        const no = this.pop();
        if (no.op === Op.Pair) this.fail("a 64-bit value (i64) is not supported: the machine has 32-bit integers only");
        stack.push(this.make(Op.Select, [condition, this.pop(), no]));
        break;
      }
      case Opcode.LocalGet:
        stack.push(locals[a]);
        break;
      case Opcode.LocalSet:
        locals[a] = this.pop();
        this.noteVariable(locals[a]);
        break;
      case Opcode.LocalTee:
        locals[a] = stack[stack.length - 1];
        this.noteVariable(locals[a]);
        break;
      case Opcode.GlobalGet: {
        const global = context.module.globals[a];
        stack.push(global.mutable ? this.effect(Op.GlobalGet, [], a) : this.fn.constant(global.initial));
        break;
      }
      case Opcode.GlobalSet:
        this.effect(Op.GlobalSet, [this.pop()], a).hasResult = false;
        break;
      case Opcode.I32Const:
        stack.push(this.fn.constant(a));
        break;
      case Opcode.WideConst:
        stack.push(this.fn.value(Op.Pair, [this.fn.constant(a), this.fn.constant(b)], this.offset));
        break;
      case Opcode.Eqz:
        stack.push(this.make(Op.Eq, [this.pop(), this.fn.constant(0)]));
        break;
      case Opcode.Clz:
        stack.push(this.make(Op.Clz, [this.pop()]));
        break;
      case Opcode.Ctz:
        stack.push(this.make(Op.Ctz, [this.pop()]));
        break;
      case Opcode.Popcnt:
        stack.push(this.popcount(this.pop()));
        break;
      case Opcode.Extend8S:
        stack.push(this.make(Op.Extend8, [this.pop()]));
        break;
      case Opcode.Extend16S:
        stack.push(this.make(Op.Extend16, [this.pop()]));
        break;
      case Opcode.MemoryCopy:
      case Opcode.MemoryFill: {
        const op = opcode === Opcode.MemoryCopy ? Op.MemoryCopy : Op.MemoryFill;
        this.effect(op, this.popMany(3), 0).hasResult = false;
        break;
      }
      case Opcode.AtomicFence:
        this.effect(Op.Barrier, [], 0).hasResult = false;
        break;
    }
  }

  /** Bits set, by adding neighbours (the machine has no such instruction). */
  private popcount(value: Value): Value {
    const { make } = this;
    const constant = (n: number) => this.fn.constant(n);
    const halves = (v: Value, shift: number, mask: number) =>
      make(Op.Add, [
        make(Op.And, [v, constant(mask)]),
        make(Op.And, [make(Op.ShrU, [v, constant(shift)]), constant(mask)]),
      ]);
    const bytes = halves(halves(halves(value, 1, 0x55555555), 2, 0x33333333), 4, 0x0f0f0f0f);
    return make(Op.ShrU, [make(Op.Mul, [bytes, constant(0x01010101)]), constant(24)]);
  }

  private fail(message: string): never {
    throw new CompileError(message, this.context.locate(this.offset) ?? { file: this.context.name, line: 0 });
  }

  private call(callee: WasmFunction): void {
    const args = this.popMany(callee.type.parameters);
    let value: Value;
    if (callee.imported?.module !== this.context.intrinsicModule) value = this.effect(Op.Call, args, callee.index);
    else if (callee.imported.field === "cstr") value = this.cstring(args[0]);
    else {
      const { field } = callee.imported;
      const known = INTRINSICS.get(field);
      if (known === undefined) this.fail(`there is no intrinsic ${field}`);
      if (known.parameters !== callee.type.parameters || known.hasResult !== (callee.type.results === 1)) {
        this.fail(`intrinsic ${field} is declared with other parameters or another result`);
      }
      value = this.effect(Op.Intrinsic, args, 0);
      value.name = field;
    }
    value.hasResult = callee.type.results === 1;
    if (value.hasResult) this.stack.push(value);
  }

  /** The optimiser may have pulled `cstr` out of the arms of a conditional: put it back. */
  private cstring(literal: Value): Value {
    if (literal.op === Op.Select) {
      const [condition, yes, no] = literal.args;
      return this.make(Op.Select, [condition, this.cstring(yes), this.cstring(no)]);
    }
    if (literal.op === Op.Phi && literal.block === this.current && literal.args.every((v) => v.op === Op.Const)) {
      const phi = this.fn.phi(literal.block as Block, this.offset);
      phi.args = literal.args.map((value, i) => {
        const string = this.literal(value);
        string.block = (literal.block as Block).preds[i];
        string.block.body.push(string);
        return string;
      });
      return phi;
    }
    return this.append(this.literal(literal));
  }

  private literal(value: Value): Value {
    const text = value.op === Op.Const ? this.context.stringAt(value.imm >>> 0) : undefined;
    if (text === undefined) this.fail("the argument of cstr must be a string literal");
    const string = this.fn.value(Op.CString, [], this.offset);
    string.name = text;
    return string;
  }
}
