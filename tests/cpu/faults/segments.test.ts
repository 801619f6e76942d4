/** #GP(0) and #SS(0) of every access of every form by limit, type and null selector; of fetching and jumping beyond CS. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Field, OPERAND_INFO } from "../../../cpu/isa/operands";
import type { Rig } from "../rig";
import { type Access, FORMS, type Form } from "./forms";
import { CODE, Ground, placeOf } from "./ground";

const test = suite("cpu/faults/segments");

const [SS_FAULT, GP] = [12, 13];
const [CS, SS] = [1, 2];
const DATA = 0xc0f300;
const DOWN = 0xc0f700;
const READ_ONLY = 0xc0f100;
const EXECUTE_ONLY = 0xc0f900;
const EXECUTE_READ = 0xc0fb00;

const ground = new Ground();

/** Gives a segment register a hidden part; the selector stays. */
function hidden(segment: number, limit: number, attributes: number): (rig: Rig) => void {
  return ({ cpu }) => cpu.setSegment(segment, { ...cpu.segment(segment), base: 0, limit, attributes });
}

/** Every group of accesses of every form, with the vector of its segment. */
function eachAccess(check: (form: Form, access: Access, vector: number, text: string) => void): void {
  let accesses = 0;
  for (const form of FORMS) {
    for (const access of form.accesses) {
      accesses++;
      check(form, access, access.segment === SS ? SS_FAULT : GP, `${form.name}, segment ${access.segment}`);
    }
  }
  assert.ok(accesses > 450, String(accesses));
}

/** Fails when the attempt met the fault that it must not meet. */
function expectNone(form: Form, spoil: (rig: Rig) => void, vector: number, text: string): void {
  const trap = ground.attempt(form, { spoil });
  assert.not.ok(trap?.vector === vector && trap.error === 0, text);
}

test("the last byte beyond the limit; up to it there is no fault", () => {
  eachAccess((form, access, vector, text) => {
    const last = placeOf(access) + access.last - access.first;
    const beyond = ground.attempt(form, { spoil: hidden(access.segment, last - 1, DATA) });
    ground.expectFault(beyond, text, vector, 0);
    expectNone(form, hidden(access.segment, last, DATA), vector, `${text}: within`);
  });
});

test("the first byte at the limit of a segment that grows down; above it there is no fault", () => {
  eachAccess((form, access, vector, text) => {
    const first = placeOf(access);
    const below = ground.attempt(form, { spoil: hidden(access.segment, first, DOWN) });
    ground.expectFault(below, text, vector, 0);
    expectNone(form, hidden(access.segment, first - 1, DOWN), vector, `${text}: above`);
  });
});

test("a null segment register, and segments of the wrong type", () => {
  eachAccess((form, access, vector, text) => {
    if (access.segment === SS) return;
    for (const [what, attributes, faults] of [
      ["null", 0, true],
      ["read-only", READ_ONLY, access.writes],
      ["execute-only", EXECUTE_ONLY, true],
      ["execute and read", EXECUTE_READ, access.writes],
    ] as const) {
      const spoil = hidden(access.segment, attributes === 0 ? 0 : 0xffffffff, attributes);
      if (faults) ground.expectFault(ground.attempt(form, { spoil }), `${text}: ${what}`, vector, 0);
      else expectNone(form, spoil, vector, `${text}: ${what}`);
    }
  });
});

test("fetching beyond the limit of CS: from the first byte, and in the middle of the instruction", () => {
  for (const form of FORMS) {
    const end = CODE + form.bytes.length - 1;
    for (const limit of new Set([CODE - 1, CODE, end - 1])) {
      if (limit >= end) continue;
      const spoil = ({ cpu }: Rig) => cpu.setSegment(CS, { ...cpu.segment(CS), limit });
      ground.expectFault(ground.attempt(form, { spoil }), `${form.name}, limit ${limit}`, GP, 0);
    }
  }
});

test("a jump, call or loop to beyond the limit of CS is a fault of its own, and counts nothing down", () => {
  let jumps = 0;
  for (const form of FORMS) {
    const near = form.row.operands.some((operand) => OPERAND_INFO[operand].field === Field.Relative);
    if (!near) continue;
    const bytes = [...form.bytes];
    const byte = form.row.operands.includes("Jb");
    const short = form.bytes[0] === 0x66;
    // The distance is the last field: forward by 64.
    bytes[bytes.length - (byte ? 1 : short ? 2 : 4)] = 64;
    const limited = ({ cpu }: Rig) => cpu.setSegment(CS, { ...cpu.segment(CS), limit: CODE + 32 });
    let taken = 0;
    for (const flags of [0x3002, 0x38d7, 0x3082]) {
      for (const ecx of [0, 2]) {
        const free = ground.attempt(form, { bytes, flags, registers: { 1: ecx } });
        assert.is(free, null, form.name);
        const jumped = ground.rig.cpu.eip !== CODE + bytes.length;
        const trap = ground.attempt(form, { bytes, flags, registers: { 1: ecx }, spoil: limited });
        // With 16-bit operands the target is cut to 64 KB, which is within.
        if (jumped && !short) {
          ground.expectFault(trap, `${form.name} flags ${flags} ecx ${ecx}`, GP, 0);
          taken++;
        } else assert.is(trap, null, form.name);
      }
    }
    if (!short) assert.ok(taken > 0, form.name);
    jumps += taken;
  }
  assert.ok(jumps > 80, String(jumps));
});

test.run();
