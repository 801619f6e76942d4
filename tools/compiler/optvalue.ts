/**
 * Value numbering over the dominator tree: an operation that was done already, on the same values, is not done again; a
 * comparison that a dominating branch has decided is a constant; a load takes what an earlier load or store of the same
 * place left. Imports ir, cfg, optfold, optmemory.
 *
 * Additions of constants are only merged within a block and comparisons never: addressing modes and conditional jumps do
 * them for nothing, while keeping their results needs a register.
 * Source: Briggs, Cooper and Simpson, "Value numbering", 1997 (the dominator-based technique).
 */

import {
  type Block,
  End,
  hasEffect,
  type IrFunction,
  invertComparison,
  isComparison,
  isPure,
  Op,
  resolve,
  resolveAll,
  type Value,
} from "./ir";
import { fold, isCommutative } from "./optfold";
import { MemoryFacts } from "./optmemory";

/** Number the values of an analysed function. Control flow stays; branches may have become constant. */
export function numberValues(fn: IrFunction): void {
  new Numbering(fn).run();
  resolveAll(fn);
}

/** What is known of a key: the value, and the block it was computed in (null: a constant). */
interface Known {
  value: Value;
  block: Block | null;
}

class Numbering {
  private readonly known = new Map<string, Known>();
  private readonly memoryAtEnd = new Map<Block, MemoryFacts>();
  private readonly children = new Map<Block, Block[]>();

  constructor(private readonly fn: IrFunction) {
    for (const block of fn.blocks) {
      if (block.dominator === null) continue;
      const list = this.children.get(block.dominator);
      if (list === undefined) this.children.set(block.dominator, [block]);
      else list.push(block);
    }
  }

  run(): void {
    const work: ({ enter: Block } | { leave: [string, Known | undefined][] })[] = [{ enter: this.fn.entry }];
    for (let step = work.pop(); step !== undefined; step = work.pop()) {
      if ("leave" in step) {
        for (const [key, before] of step.leave.reverse()) {
          if (before === undefined) this.known.delete(key);
          else this.known.set(key, before);
        }
        continue;
      }
      const undo: [string, Known | undefined][] = [];
      this.block(step.enter, undo);
      work.push({ leave: undo });
      for (const child of this.children.get(step.enter) ?? []) work.push({ enter: child });
    }
  }

  private remember(key: string, value: Value, block: Block | null, undo: [string, Known | undefined][]): void {
    undo.push([key, this.known.get(key)]);
    this.known.set(key, { value, block });
  }

  private block(block: Block, undo: [string, Known | undefined][]): void {
    this.learnFromBranch(block, undo);
    const [pred] = block.preds;
    const inherited = block.preds.length === 1 ? this.memoryAtEnd.get(pred) : undefined;
    const memory = new MemoryFacts(inherited);
    const body: Value[] = [];
    const create = (op: Op, args: Value[]): Value => {
      const folded = fold(this.fn, op, args, create);
      if (folded !== undefined) return folded;
      const value = this.fn.value(op, args, offset);
      value.block = block;
      return this.numbered(value, block, body, undo);
    };
    let offset = 0;
    for (const value of block.body) {
      for (let i = 0; i < value.args.length; i++) value.args[i] = resolve(value.args[i]);
      offset = value.offset;
      if (value.op >= Op.Add && value.op <= Op.Select && !hasEffect(value)) {
        const simpler = fold(this.fn, value.op, value.args, create);
        const result = simpler ?? this.numbered(value, block, body, undo);
        if (result !== value) value.replacement = result;
      } else {
        const held = memory.visit(value);
        if (held === undefined) body.push(value);
        else value.replacement = held;
      }
    }
    block.body = body;
    if (block.control !== null) block.control = resolve(block.control);
    this.memoryAtEnd.set(block, memory);
  }

  /** The value that was computed already, or this one, which then stands at the end of `body`. */
  private numbered(value: Value, block: Block, body: Value[], undo: [string, Known | undefined][]): Value {
    const key = keyOf(value.op, value.args);
    const earlier = this.known.get(key);
    const usable =
      earlier !== undefined &&
      (earlier.block === null || (!isComparison(value.op) && (earlier.block === block || !isCheap(value))));
    if (usable) return earlier.value;
    body.push(value);
    if (isPure(value) && !isComparison(value.op)) this.remember(key, value, block, undo);
    return value;
  }

  /** In a block that one side of a branch alone leads to, the branch's condition is known. */
  private learnFromBranch(block: Block, undo: [string, Known | undefined][]): void {
    if (block.preds.length !== 1 || block.preds[0].end !== End.Branch) return;
    const [pred] = block.preds;
    const condition = pred.control as Value;
    const holds = pred.successors[0] === block;
    const constant = (n: boolean) => this.fn.constant(n ? 1 : 0);
    if (isComparison(condition.op)) {
      this.remember(keyOf(condition.op, condition.args), constant(holds), null, undo);
      this.remember(keyOf(invertComparison(condition.op), condition.args), constant(!holds), null, undo);
    } else {
      const zero = this.fn.constant(0);
      this.remember(keyOf(Op.Eq, [condition, zero]), constant(!holds), null, undo);
      this.remember(keyOf(Op.Ne, [condition, zero]), constant(holds), null, undo);
    }
  }
}

/** An operation that an addressing mode does for nothing. */
function isCheap({ op, args }: Value): boolean {
  return (op === Op.Add || (op === Op.Shl && args[1].imm <= 3)) && args[1].op === Op.Const;
}

function keyOf(op: Op, args: readonly Value[]): string {
  if (args.length === 1) return `${op}:${args[0].id}`;
  const [a, b] = isCommutative(op) && args[0].id > args[1].id ? [args[1], args[0]] : [args[0], args[1]];
  return args.length === 2 ? `${op}:${a.id}:${b.id}` : `${op}:${args.map(({ id }) => id).join(":")}`;
}
