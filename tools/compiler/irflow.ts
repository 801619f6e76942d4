/**
 * The control flow of WebAssembly as blocks and edges, and what each local and each operand of the stack is along the way: the
 * part of irbuild.ts that knows `block`, `loop`, `if` and branches. A forward label gets a phi for each local that arrives
 * with different values; a loop header gets one for each local that the loop assigns. Imports wasm, ir.
 * Source: WebAssembly core specification 2.0, section 4.4.8 (control instructions).
 */

import { type Block, End, IrFunction, resolve, type Value } from "./ir";
import type { WasmFunction, WasmInstruction } from "./wasm";
import { Opcode } from "./wasmopcodes";

/** A structured construct that is open. */
interface Frame {
  kind: "block" | "loop" | "if";
  /** Where a branch to its label goes: the block after it, or the loop's header. */
  target: Block;
  results: number;
  /** Operand stack below it. */
  height: number;
  /** Forward labels: the state each predecessor of `target` brings. */
  incoming: { locals: Value[]; result: Value | null }[];
  /** Loops: the phi of each local assigned inside. */
  loopPhis: { local: number; phi: Value }[];
  /** An `if` before its `else`: the block and locals of the other arm. */
  otherwise: { block: Block; locals: Value[] } | null;
}

/** Follows a function's structure. Whoever extends it makes the values. */
export class FlowBuilder {
  protected readonly fn: IrFunction;
  /** The block that is being filled; null in code that cannot be reached. */
  protected current: Block | null;
  /** What each local holds now. */
  protected locals: Value[] = [];
  /** The operand stack. */
  protected stack: Value[] = [];
  /** Byte offset of the instruction at hand. */
  protected offset = 0;
  private readonly frames: Frame[] = [];
  /** Constructs opened in code that cannot be reached. */
  private deadDepth = 0;

  constructor({ index, name, type, offset }: WasmFunction) {
    this.fn = new IrFunction(index, name, type.parameters, type.results === 1, offset);
    this.current = this.open(this.fn.block());
  }

  private open(block: Block): Block {
    this.fn.blocks.push(block);
    return block;
  }

  protected append(value: Value): Value {
    value.block = this.current;
    (this.current as Block).body.push(value);
    return value;
  }

  protected pop(): Value {
    return this.stack.pop() as Value;
  }

  protected popMany(count: number): Value[] {
    return this.stack.splice(this.stack.length - count, count);
  }

  private end(end: End, control: Value | null): Block {
    const block = this.current as Block;
    block.end = end;
    block.control = control;
    block.endOffset = this.offset;
    this.current = null;
    return block;
  }

  protected ret(): void {
    this.end(End.Return, this.fn.hasResult ? this.pop() : null);
  }

  /** Add the edge from a block to a label, with the state that is current. */
  private edge(from: Block, frame: Frame): void {
    from.successors.push(frame.target);
    frame.target.preds.push(from);
    if (frame.kind === "loop") for (const { local, phi } of frame.loopPhis) phi.args.push(this.locals[local]);
    else {
      const result = frame.results === 1 ? this.stack[this.stack.length - 1] : null;
      frame.incoming.push({ locals: this.locals.slice(), result });
    }
  }

  private edgeTo(from: Block, to: Block): void {
    from.successors.push(to);
    to.preds.push(from);
  }

  private jump(frame: Frame | undefined): void {
    if (frame === undefined) this.ret();
    else this.edge(this.end(End.Jump, null), frame);
  }

  /** The frame of a label; undefined is the function's own: a return. */
  private label(depth: number): Frame | undefined {
    return this.frames[this.frames.length - 1 - depth];
  }

  private push(kind: Frame["kind"], target: Block, results: number): Frame {
    const frame: Frame = {
      ...{ kind, target, results, height: this.stack.length },
      ...{ incoming: [], loopPhis: [], otherwise: null },
    };
    this.frames.push(frame);
    return frame;
  }

  protected control(instruction: WasmInstruction, assigned: ReadonlySet<number> | undefined): void {
    const { opcode, a } = instruction;
    switch (opcode) {
      case Opcode.Unreachable:
        this.end(End.Trap, null);
        break;
      case Opcode.Block:
        this.push("block", this.fn.block(), a);
        break;
      case Opcode.Loop:
        this.loop(a, assigned as ReadonlySet<number>);
        break;
      case Opcode.If: {
        const frame = this.push("if", this.fn.block(), a);
        frame.height--;
        const block = this.end(End.Branch, this.pop());
        const yes = this.fn.block();
        const no = this.fn.block();
        this.edgeTo(block, yes);
        this.edgeTo(block, no);
        frame.otherwise = { block: no, locals: this.locals.slice() };
        this.current = this.open(yes);
        break;
      }
      case Opcode.Else: {
        const frame = this.frames[this.frames.length - 1];
        this.jump(frame);
        this.otherwise(frame);
        break;
      }
      case Opcode.End:
        this.close();
        break;
      case Opcode.Br:
        this.jump(this.label(a));
        break;
      case Opcode.BrIf:
        this.branchIf(this.label(a));
        break;
      case Opcode.BrTable:
        this.branchTable(instruction.labels as readonly number[]);
        break;
      case Opcode.Return:
        this.ret();
        break;
    }
  }

  private loop(results: number, assigned: ReadonlySet<number>): void {
    const frame = this.push("loop", this.fn.block(), results);
    this.edgeTo(this.end(End.Jump, null), frame.target);
    this.current = this.open(frame.target);
    for (const local of assigned) {
      const phi = this.fn.phi(frame.target, this.offset);
      phi.args.push(this.locals[local]);
      this.locals[local] = phi;
      frame.loopPhis.push({ local, phi });
    }
  }

  private otherwise(frame: Frame): void {
    const { block, locals } = frame.otherwise as { block: Block; locals: Value[] };
    frame.otherwise = null;
    this.stack.length = frame.height;
    this.locals = locals;
    this.current = this.open(block);
  }

  private branchIf(frame: Frame | undefined): void {
    const condition = this.pop();
    const rest = this.fn.block();
    const block = this.end(End.Branch, condition);
    if (frame === undefined) {
      const leave = this.fn.block();
      this.edgeTo(block, leave);
      this.current = this.open(leave);
      this.end(End.Return, this.fn.hasResult ? this.stack[this.stack.length - 1] : null);
    } else this.edge(block, frame);
    this.edgeTo(block, rest);
    this.current = this.open(rest);
  }

  private branchTable(labels: readonly number[]): void {
    const block = this.end(End.Switch, this.pop());
    const positions = new Map<Frame | undefined, number>();
    for (const depth of labels) {
      const frame = this.label(depth);
      let position = positions.get(frame);
      if (position === undefined) {
        position = block.successors.length;
        positions.set(frame, position);
        if (frame === undefined) {
          const leave = this.fn.block();
          this.edgeTo(block, leave);
          this.current = this.open(leave);
          this.end(End.Return, this.fn.hasResult ? this.stack[this.stack.length - 1] : null);
        } else this.edge(block, frame);
      }
      block.cases.push(position);
    }
  }

  /** `end` of a construct: what comes after its label. */
  private close(): void {
    const frame = this.frames[this.frames.length - 1];
    if (frame.kind === "loop") {
      this.frames.pop();
      return;
    }
    if (this.current !== null) this.jump(frame);
    if (frame.otherwise !== null) {
      this.otherwise(frame);
      this.jump(frame);
    }
    this.frames.pop();
    this.stack.length = frame.height;
    if (frame.incoming.length > 0) this.merge(frame);
  }

  private merge(frame: Frame): void {
    const { target, incoming } = frame;
    this.current = this.open(target);
    const join = (values: Value[]) => {
      const first = resolve(values[0]);
      if (values.every((value) => resolve(value) === first)) return first;
      const phi = this.fn.phi(target, this.offset);
      phi.args = values;
      return phi;
    };
    this.locals = incoming[0].locals.map((_, i) => join(incoming.map(({ locals }) => locals[i])));
    if (frame.results === 1) this.stack.push(join(incoming.map(({ result }) => result as Value)));
  }

  /** Code after a branch: only its nesting matters. */
  protected skipDead(opcode: number): void {
    if (opcode === Opcode.Block || opcode === Opcode.Loop || opcode === Opcode.If) this.deadDepth++;
    else if (opcode === Opcode.End && this.deadDepth > 0) this.deadDepth--;
    else if (opcode === Opcode.End) this.close();
    else if (opcode === Opcode.Else && this.deadDepth === 0) this.otherwise(this.frames[this.frames.length - 1]);
  }
}

/** For the index of each `loop` instruction, the locals that are assigned inside. */
export function assignedInLoops(code: readonly WasmInstruction[]): Map<number, Set<number>> {
  const result = new Map<number, Set<number>>();
  const open: (Set<number> | null)[] = [];
  for (let i = 0; i < code.length; i++) {
    const { opcode, a } = code[i];
    if (opcode === Opcode.Loop) {
      const set = new Set<number>();
      result.set(i, set);
      open.push(set);
    } else if (opcode === Opcode.Block || opcode === Opcode.If) open.push(null);
    else if (opcode === Opcode.End) open.pop();
    else if (opcode === Opcode.LocalSet || opcode === Opcode.LocalTee) for (const set of open) set?.add(a);
  }
  return result;
}
