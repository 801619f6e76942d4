/**
 * The order of blocks in memory, and the jumps that it needs. Jumps to empty blocks go to where those lead; a loop whose
 * test is at the top gets a copy of it at the bottom; short ways out of the function are copied into those who jump there;
 * cold blocks go last. Imports emitasm, mir.
 */

import { type AsmBlock, type AsmInstruction, type AsmOperand, imm, mem, reg } from "./emitasm";
import { CONDITION_NAMES } from "./mir";

/** Instructions of a loop's test, and of a way out, that are worth a copy. */
const TEST_LIMIT = 8;
const EXIT_LIMIT = 8;

/** Cases up to which a switch is a chain of comparisons. */
const CHAIN_LIMIT = 3;

/** Makes a table of code addresses, one for each label, and says where it is. */
export type MakeTable = (labels: readonly number[]) => { symbol: string; addend: number };

/** Let jumps go where they end up, and copy short targets into those who jump there. */
export function shapeBlocks(blocks: readonly AsmBlock[]): void {
  for (const block of blocks) block.successors = block.successors.map(finalTarget);
  for (const block of blocks) copyTarget(block);
}

/** Make one list of instructions of a function's blocks; labels are block ids. */
export function layOut(blocks: readonly AsmBlock[], makeTable: MakeTable): AsmInstruction[] {
  const order = chooseOrder(blocks);
  const code: AsmInstruction[] = [];
  for (let i = 0; i < order.length; i++) {
    const block = order[i];
    code.push({
      mnemonic: "label",
      operands: [{ kind: "label", label: block.id }],
      rep: false,
      offset: block.endOffset,
    });
    code.push(...block.code);
    code.push(...jumps(block, order[i + 1], makeTable));
  }
  return code;
}

/** Where a jump to a block ends up. */
function finalTarget(block: AsmBlock): AsmBlock {
  let target = block;
  for (let steps = 0; target.code.length === 0 && target.end === "jump" && steps < 100; steps++) {
    target = target.successors[0];
  }
  return target;
}

function copyTarget(block: AsmBlock): void {
  if (block.end === "branch" && block.successors[0] === block.successors[1]) block.end = "jump";
  if (block.end !== "jump") return;
  const [target] = block.successors;
  if (target === block || target.code.some(({ mnemonic }) => mnemonic === "label")) return;
  const isTest = target.end === "branch" && target.id <= block.id && target.code.length <= TEST_LIMIT;
  const isExit = target.end === "stop" && target.code.length <= EXIT_LIMIT;
  if (!isTest && !isExit) return;
  const copies = target.code.map((instruction) => ({ ...instruction, operands: [...instruction.operands] }));
  block.code = [...block.code, ...copies];
  block.end = target.end;
  block.condition = target.condition;
  block.successors = target.successors;
  block.endOffset = target.endOffset;
}

function chooseOrder(blocks: readonly AsmBlock[]): AsmBlock[] {
  const reachable = new Set<AsmBlock>();
  const work = [blocks[0]];
  for (let block = work.pop(); block !== undefined; block = work.pop()) {
    if (reachable.has(block)) continue;
    reachable.add(block);
    work.push(...block.successors);
  }
  const order: AsmBlock[] = [];
  const placed = new Set<AsmBlock>();
  const place = (first: AsmBlock) => {
    for (let block: AsmBlock | undefined = first; block !== undefined; block = follower(block, placed)) {
      placed.add(block);
      order.push(block);
    }
  };
  for (const cold of [false, true]) {
    for (const block of blocks) if (reachable.has(block) && !placed.has(block) && (cold || !block.cold)) place(block);
  }
  return order;
}

/** The successor to put next: the one in the innermost loop, then the earliest; a cold one only after a cold block. */
function follower(block: AsmBlock, placed: ReadonlySet<AsmBlock>): AsmBlock | undefined {
  let best: AsmBlock | undefined;
  for (const successor of block.successors) {
    if (placed.has(successor) || (successor.cold && !block.cold)) continue;
    if (
      best === undefined ||
      successor.depth > best.depth ||
      (successor.depth === best.depth && successor.id < best.id)
    ) {
      best = successor;
    }
  }
  return best;
}

function jumps(block: AsmBlock, next: AsmBlock | undefined, makeTable: MakeTable): AsmInstruction[] {
  const list: AsmInstruction[] = [];
  const emit = (mnemonic: string, ...operands: AsmOperand[]) =>
    list.push({ mnemonic, operands, rep: false, offset: block.endOffset });
  const to = (target: AsmBlock): AsmOperand => ({ kind: "label", label: target.id });
  if (block.end === "jump") {
    if (block.successors[0] !== next) emit("jmp", to(block.successors[0]));
  } else if (block.end === "branch") {
    const [yes, no] = block.successors;
    if (yes === next) emit(`j${CONDITION_NAMES[block.condition ^ 1]}`, to(no));
    else {
      emit(`j${CONDITION_NAMES[block.condition]}`, to(yes));
      if (no !== next) emit("jmp", to(no));
    }
  } else if (block.end === "switch") {
    const targets = block.cases.map((position) => block.successors[position]);
    const otherwise = targets.pop() as AsmBlock;
    const index = reg(block.register);
    if (targets.length <= CHAIN_LIMIT) {
      for (let i = 0; i < targets.length; i++) {
        emit("cmp", index, imm(i));
        emit("jz", to(targets[i]));
      }
      if (otherwise !== next) emit("jmp", to(otherwise));
    } else {
      emit("cmp", index, imm(targets.length));
      emit("jae", to(otherwise));
      const { symbol, addend } = makeTable(targets.map(({ id }) => id));
      emit("jmp", { ...mem(-1, addend), index: block.register, scale: 2, symbol });
    }
  }
  return list;
}
