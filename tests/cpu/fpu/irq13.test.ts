/** CR0.NE = 0: an x87 exception reaches its handler by FERR#, port F0 and IRQ 13, on the whole machine. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { st } from "../../../cpu/encoder";
import { Machine, type StopReason } from "../../../cpu/index";
import { AL, AX, absolute, EBX, Program } from "../guest";

const test = suite("cpu/fpu/irq13");

const IRQ13 = 0x2d;
const WORD = 0x180000;

/** 1/0 with the zero divide unmasked, then FLD1; what the handler for IRQ 13 does is given. Exits with the handler's calls. */
function program(interrupts: boolean, handler: (p: Program) => void): Program {
  const p = new Program();
  p.enter().pics(0xfb, 0xdf).op("xor", EBX, EBX).op("fninit");
  if (interrupts) p.op("sti");
  p.op("mov", absolute(WORD), 0x37b).op("fldcw", absolute(WORD, 2)).op("fld1").op("fldz").op("fdivp", st(1), st(0));
  // No interrupt yet: the error is told when somebody waits.
  p.op("mov", absolute(WORD + 4), EBX);
  p.label("waits")
    .op("fld1")
    .op("fld1")
    .op("fnstsw", absolute(WORD + 8, 2));
  p.op("mov", AL, { kind: "reg", size: 1, number: 3 }).op("out", 0xf4, AL).op("hlt");
  p.label("error").op("inc", EBX);
  handler(p);
  p.outb(0xa0, 0x20).outb(0x20, 0x20).op("iretd");
  return p.tables({ [IRQ13]: "error" });
}

function run(p: Program): { stop: StopReason; machine: Machine; word: (at: number) => number } {
  const machine = new Machine({ memoryMB: 4 });
  machine.loadMultiboot(p.elf());
  const stop = machine.run({ maxInstructions: 10_000 });
  const word = (at: number) => new DataView(machine.readPhysical(at, 4).buffer).getUint32(0, true);
  return { stop, machine, word };
}

test("the handler that clears the error is called once, at the waiting instruction", () => {
  const { stop, word } = run(
    program(true, (p) =>
      p
        .op("fnstsw", AX)
        .op("mov", absolute(WORD + 12), { kind: "reg", size: 4, number: 0 })
        .outb(0xf0, 0)
        .op("fnclex"),
    ),
  );
  assert.equal(stop, { reason: "exit", value: 1 });
  assert.is(word(WORD + 4), 0, "not before");
  assert.is(word(WORD + 12) & 0xffff, 0xb084, "as the handler found it");
  // FLD1 has run twice, and no error is left.
  assert.is(word(WORD + 8) & 0xffff, 0x2000);
});

test("after a write to F0 instructions run although the error pends", () => {
  const { stop, word } = run(program(true, (p) => p.outb(0xf0, 0)));
  assert.equal(stop, { reason: "exit", value: 1 });
  assert.is(word(WORD + 8) & 0xffff, 0xa084);
});

test("a handler that only clears the error leaves IRQ 13 up, but the edge is gone", () => {
  const { stop } = run(program(true, (p) => p.op("fnclex")));
  assert.equal(stop, { reason: "exit", value: 1 });
});

test("with interrupts off the processor stands still for ever; saved, it still does", () => {
  const p = program(false, () => undefined);
  const { stop, machine, word } = run(p);
  assert.equal(stop, { reason: "halt" });
  assert.is(machine.registers.eip, p.address("waits"));
  assert.is(word(WORD + 8), 0);
  assert.equal(Machine.restore(machine.save()).run({ maxInstructions: 10 }), { reason: "halt" });
});

test.run();
