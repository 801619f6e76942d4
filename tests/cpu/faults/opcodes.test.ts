/** #UD, #GP for length and privilege: LOCK, register forms, 16 bytes, CPL, IOPL, CPU models. For every form. */
import { CpuidFeature } from "iced-x86";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MODEL_NAMES } from "../../../cpu/cpu";
import { hasModrm, RowFlag } from "../../../cpu/isa";
import { FORMS, type Form, icedDecode, modrmByte, opcodeBytes } from "./forms";
import { CODE, Ground } from "./ground";

const test = suite("cpu/faults/opcodes");

const [UD, GP] = [6, 13];
const ALWAYS_UNDEFINED = /^ud[012]$/;

const ground = new Ground();

/** The generation that brought each of iced's features. */
const GENERATIONS: Readonly<Record<number, number>> = {
  [CpuidFeature.INTEL8086]: 3,
  [CpuidFeature.INTEL8086_ONLY]: 3,
  [CpuidFeature.INTEL186]: 3,
  [CpuidFeature.INTEL286]: 3,
  [CpuidFeature.INTEL386]: 3,
  [CpuidFeature.FPU]: 3,
  [CpuidFeature.FPU287]: 3,
  [CpuidFeature.FPU387]: 3,
  [CpuidFeature.INTEL486]: 4,
  [CpuidFeature.CPUID]: 5,
  [CpuidFeature.TSC]: 5,
  [CpuidFeature.MSR]: 5,
  [CpuidFeature.CX8]: 5,
  [CpuidFeature.CMOV]: 6,
  [CpuidFeature.MULTIBYTENOP]: 6,
};

/** Whether iced calls bytes an instruction, and one of a processor that we are. */
function isInstruction(bytes: readonly number[]): boolean {
  const instruction = icedDecode(bytes);
  const features = instruction?.cpuidFeatures();
  instruction?.free();
  return features?.every((feature) => feature in GENERATIONS) ?? false;
}

/** The form with mod = 3: a register in place of memory. */
function registerBytes(form: Form): number[] {
  const opcode = opcodeBytes(form.row);
  const prefixes = form.bytes.indexOf(opcode[0]);
  const bytes = [...form.bytes];
  bytes[prefixes + opcode.length] = modrmByte(form.row, 3, 1);
  return bytes;
}

test("LOCK: #UD wherever iced knows no locked form, in memory and in registers", () => {
  let refused = 0;
  let allowed = 0;
  for (const form of FORMS) {
    if (ALWAYS_UNDEFINED.test(form.row.mnemonic)) continue;
    const variants = [form.bytes];
    if (hasModrm(form.row)) variants.push(registerBytes(form));
    for (const plain of variants) {
      const bytes = [0xf0, ...plain];
      const trap = ground.attempt(form, { bytes });
      if (isInstruction(bytes)) {
        allowed++;
        assert.is.not(trap?.vector, UD, `${form.name}: ${bytes}`);
      } else {
        refused++;
        ground.expectFault(trap, `${form.name}: ${bytes}`, UD, -1);
      }
    }
  }
  assert.ok(refused > 700 && allowed > 50, `${refused} ${allowed}`);
});

test("a register where there must be memory is #UD", () => {
  let refused = 0;
  for (const form of FORMS) {
    if (!hasModrm(form.row) || ALWAYS_UNDEFINED.test(form.row.mnemonic)) continue;
    const bytes = registerBytes(form);
    const trap = ground.attempt(form, { bytes });
    if (isInstruction(bytes)) {
      assert.is.not(trap?.vector, UD, form.name);
      continue;
    }
    refused++;
    ground.expectFault(trap, form.name, UD, -1);
  }
  assert.ok(refused > 20, String(refused));
});

test("UD0, UD1 and UD2 are #UD", () => {
  const forms = FORMS.filter((form) => ALWAYS_UNDEFINED.test(form.row.mnemonic));
  assert.is(forms.length, 5);
  for (const form of forms) ground.expectFault(ground.attempt(form), form.name, UD, -1);
});

test("16 bytes are #GP(0), 15 are not", () => {
  for (const form of FORMS) {
    const padded = (length: number) => [...new Array(length - form.bytes.length).fill(0x3e), ...form.bytes];
    ground.expectFault(ground.attempt(form, { bytes: padded(16) }), form.name, GP, 0);
    const trap = ground.attempt(form, { bytes: padded(15) });
    assert.not.ok(trap?.vector === GP && trap.error === 0, form.name);
  }
});

test("what iced calls privileged is #GP(0) in ring 3 with IOPL 0; IOPL 3 opens the I/O-sensitive", () => {
  let privileged = 0;
  for (const form of FORMS) {
    const sensitive = (form.row.flags & RowFlag.IoSensitive) !== 0;
    const trap = ground.attempt(form, { ring: 3, flags: 0x8d7 });
    if (!form.privileged) {
      assert.not.ok(trap?.vector === GP && trap.error === 0 && !/^int$/.test(form.row.mnemonic), form.name);
      continue;
    }
    privileged++;
    ground.expectFault(trap, form.name, GP, 0);
    ground.expectFault(ground.attempt(form, { ring: 3, flags: 0x28d7 }), `${form.name}, IOPL 2`, GP, 0);
    const open = ground.attempt(form, { ring: 3, flags: 0x38d7 });
    assert.is(open?.vector === GP && open.error === 0, !sensitive, `${form.name}, IOPL 3`);
  }
  assert.ok(privileged > 35, String(privileged));
});

test("each model has the forms whose feature iced says it has; the others are #UD", () => {
  for (const model of MODEL_NAMES) {
    const machine = new Ground(model);
    let refused = 0;
    for (const form of FORMS) {
      if (ALWAYS_UNDEFINED.test(form.row.mnemonic)) continue;
      const since = Math.max(...form.features.map((feature) => GENERATIONS[feature]));
      assert.ok(since >= 3, `${form.name}: ${form.features}`);
      const trap = machine.attempt(form);
      if (since <= Number(model[0])) assert.is.not(trap?.vector, UD, `${form.name} on a ${model}`);
      else {
        refused++;
        machine.expectFault(trap, `${form.name} on a ${model}`, UD, -1, CODE);
      }
    }
    assert.ok(refused > 0 || model === "686", `${model} ${refused}`);
  }
});

test.run();
