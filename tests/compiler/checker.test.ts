import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runAsc } from "../../tools/compiler/asc";
import { compileModule } from "../../tools/compiler/backend";
import { AllocationError, checkAllocation } from "../../tools/compiler/checkallocation";
import {
  type AllocatedInstruction,
  type Allocation,
  MachineBlock,
  type MachineFunction,
  MachineInstruction,
  Register,
  Role,
} from "../../tools/compiler/mir";
import { generateModule, printModule } from "../fuzz/compilergenerate";
import { Random } from "../fuzz/random";

const test = suite("compiler/checker");

const V1 = 8;
const V2 = 9;

function instruction(op: string, registers: [number, Role][], fixed: { uses?: number; defs?: number } = {}) {
  const made = new MachineInstruction(op, 0);
  made.registers = registers.map(([register]) => register);
  made.roles = registers.map(([, role]) => role);
  made.fixedUses = fixed.uses ?? 0;
  made.fixedDefs = fixed.defs ?? 0;
  return made;
}

function original(made: MachineInstruction, ...locations: number[]): AllocatedInstruction {
  return { kind: "original", instruction: made, locations };
}

/** A function of one block for each list; each block falls into those that `edges` lists. */
function check(blocks: AllocatedInstruction[][], edges: number[][] = [[]], saved = 0, slots = 2): void {
  const made = blocks.map((code, id) => {
    const block = new MachineBlock(id);
    block.code = code.flatMap((one) => (one.kind === "original" ? [one.instruction] : []));
    return block;
  });
  made.forEach((block, i) => {
    block.successors = edges[i].map((to) => made[to]);
  });
  const machine: MachineFunction = { name: "f", blocks: made, registerCount: 16, outgoingBytes: 0, variables: [] };
  checkAllocation(machine, { blocks, slots, saved });
}

const defV1 = instruction("mov", [[V1, Role.Def]]);
const defV2 = instruction("mov", [[V2, Role.Def]]);
const useV1 = instruction("push", [[V1, Role.Use]]);
const callClobbers = instruction("call", [], { defs: 7 });

test("a value read from where it was put", () => {
  check([[original(defV1, Register.EAX), original(useV1, Register.EAX)]]);
  const spill: AllocatedInstruction = { kind: "move", to: ~1, from: Register.EAX };
  const fill: AllocatedInstruction = { kind: "move", to: Register.ECX, from: ~1 };
  check([[original(defV1, 0), spill, original(callClobbers), fill, original(useV1, Register.ECX)]]);
});

test("a value read from elsewhere, overwritten or clobbered", () => {
  const wrong = (blocks: AllocatedInstruction[][], message: RegExp) => assert.throws(() => check(blocks), message);
  wrong([[original(defV1, 0), original(useV1, 1)]], /reads v8 from ecx, which holds ecx/);
  wrong([[original(defV1, 0), original(defV2, 0), original(useV1, 0)]], /reads v8 from eax, which holds v9/);
  wrong([[original(defV1, 0), original(callClobbers), original(useV1, 0)]], /reads v8 from eax, which holds eax/);
});

test("an old copy of a value that was written again", () => {
  const spill: AllocatedInstruction = { kind: "move", to: ~0, from: 0 };
  const fill: AllocatedInstruction = { kind: "move", to: 1, from: ~0 };
  const again = original(instruction("mov", [[V1, Role.Def]]), 0);
  assert.throws(() => check([[original(defV1, 0), spill, again, fill, original(useV1, 1)]]), /holds nothing known/);
});

test("paths that leave a value in two places", () => {
  const join = original(useV1, 0);
  const move: AllocatedInstruction = { kind: "move", to: 0, from: 1 };
  const other = original(instruction("mov", [[V1, Role.Def]]), 1);
  const blocks = (last: AllocatedInstruction[]) => [[], [original(defV1, 0)], [other, ...last], [join]];
  const edges = [[1, 2], [3], [3], []];
  check(blocks([move]), edges);
  assert.throws(() => check(blocks([]), edges), /block 3.*reads v8 from eax/);
});

test("a loop that destroys what its next pass reads", () => {
  const blocks = [[original(defV1, 0)], [original(useV1, 0), original(defV2, 0)], []];
  assert.throws(() => check(blocks, [[1], [1, 2], []]), /block 1, instruction 0 \(push\): reads v8 from eax/);
});

test("a copied value is both", () => {
  const copy = instruction("copy", [
    [V2, Role.Def],
    [V1, Role.Use],
  ]);
  const useV2 = instruction("push", [[V2, Role.Use]]);
  check([[original(defV1, 0), original(copy, 0, 0), original(useV1, 0), original(useV2, 0)]]);
});

test("callee-saved registers that nobody saves, byte operands without a low byte, two memory operands", () => {
  assert.throws(() => check([[original(defV1, Register.EBX)]]), /writes ebx, which is not saved/);
  check([[original(defV1, Register.EBX)]], [[]], 1 << Register.EBX);
  assert.throws(() => check([[original(defV1, Register.EBP)]]), /writes ebp/);
  const byte = instruction("mov", [[V1, Role.Def | Role.Byte]]);
  assert.throws(() => check([[original(byte, Register.ESI)]], [[]], 0xff), /low byte/);
  const both = instruction("add", [
    [V1, Role.Def | Role.Memory],
    [V2, Role.Def | Role.Memory],
  ]);
  assert.throws(() => check([[original(both, ~0, ~1)]]), /more than one operand is memory/);
});

test("a fixed register that lost its value", () => {
  const setArgument = instruction("copy", [
    [Register.EAX, Role.Def],
    [V1, Role.Use],
  ]);
  const call = instruction("call", [], { uses: 1 << Register.EAX, defs: 7 });
  check([[original(defV1, 1), original(setArgument, 0, 1), original(call)]]);
  const blocks = [[original(defV1, 1), original(setArgument, 0, 1), original(defV2, 0), original(call)]];
  assert.throws(() => check(blocks), /reads eax from eax, which holds v9/);
});

/** Some generated functions. */
function fuzzModule() {
  const virtual = { "/fuzz.ts": printModule(generateModule(10, 40)) };
  return runAsc({ root: "/", entries: ["/fuzz.ts"], memoryBase: 0x10000, abort: "fuzz/abortFuzz", virtual });
}

/** All their allocations. */
async function fuzzAllocations(): Promise<[MachineFunction, Allocation][]> {
  const { wasm, map } = await fuzzModule();
  const all: [MachineFunction, Allocation][] = [];
  compileModule(wasm, {
    name: "fuzz.ts",
    locate: (offset) => map.locate(offset),
    onAllocation: (machine, allocation) => {
      all.push([machine, allocation]);
    },
  });
  return all;
}

/** Reads one register elsewhere, or leaves out one move. */
function corrupt(allocation: Allocation, random: Random): Allocation | undefined {
  const block = random.below(allocation.blocks.length);
  const code = [...allocation.blocks[block]];
  if (code.length === 0) return undefined;
  const at = random.below(code.length);
  const one = code[at];
  if (one.kind === "move") {
    code.splice(at, 1);
  } else {
    const read = one.instruction.roles.indexOf(Role.Use);
    if (read < 0 || one.instruction.op === "copy") return undefined;
    const place = random.pick([0, 1, 2, 3, 6, 7]);
    if (place === one.locations[read]) return undefined;
    code[at] = { ...one, locations: one.locations.with(read, place) };
  }
  return { ...allocation, blocks: allocation.blocks.with(block, code) };
}

test("real allocations pass; with one assignment corrupted nearly none does", async () => {
  const all = await fuzzAllocations();
  for (const [machine, allocation] of all) checkAllocation(machine, allocation);
  const random = new Random(1);
  let tried = 0;
  let caught = 0;
  while (tried < 600) {
    const [machine, allocation] = random.pick(all);
    const broken = corrupt(allocation, random);
    if (!broken) continue;
    tried++;
    try {
      checkAllocation(machine, broken);
    } catch (error) {
      assert.instance(error, AllocationError);
      caught++;
    }
  }
  // What is left reads an equal value from another place, or drops a move that nothing depends on.
  assert.ok(caught >= 0.95 * tried, `${caught} of ${tried} corruptions were found`);
});

test("each compilation is checked: one wrong assignment, and there is no object file", async () => {
  const random = new Random(2);
  const broken: string[] = [];
  const breakOne = (machine: MachineFunction, allocation: Allocation) => {
    const wrong = broken.length === 0 ? corrupt(allocation, random) : undefined;
    if (wrong === undefined) return;
    broken.push(machine.name);
    Object.assign(allocation, wrong);
  };
  const { wasm, map } = await fuzzModule();
  const options = { name: "fuzz.ts", locate: map.locate.bind(map) };
  compileModule(wasm, options);
  assert.throws(
    () => compileModule(wasm, { ...options, onAllocation: breakOne }),
    (error: unknown) => {
      assert.instance(error, AllocationError);
      return true;
    },
  );
});

test.run();
