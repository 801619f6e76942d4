/**
 * That blocks are only a cache: code that changes is seen at once, and nobody can tell from time, counts or registers how the
 * code was cut, where an interrupt came, or how often run() returned.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MINIMAL_TLB, STANDARD_TLB, type TlbGeometry } from "../../cpu/costs";
import { RunExit } from "../../cpu/cpu";
import { Random } from "../fuzz/random";
import {
  at,
  CR0_WP,
  EAX,
  EBP,
  EBX,
  ECX,
  EDI,
  EDX,
  ESI,
  ESP,
  FREE,
  type Line,
  PRESENT,
  Rig,
  rep,
  USER,
  WRITE,
} from "./rig";

const test = suite("cpu/blocks");

const CODE = FREE;
const DATA = 0x200000;
const INC_EBX = 0x43;
const DEC_EBX = 0x4b;

test("an instruction that rewrites the next one of its own block", () => {
  const rig = new Rig();
  const labels = rig.code(CODE, ["mov", ECX, 3], "a", ["dec", ECX], ["jnz", "@a"], ["int", 0x80]);
  const seen: number[] = [];
  rig.cpu.onInstruction = () => {
    seen.push(rig.cpu.eip - CODE);
    return rig.cpu.eip === labels.a && rig.cpu.register(1) === 2 && seen.length < 5;
  };
  assert.is(rig.run(CODE), null);
  assert.is(rig.exit, RunExit.Hook);
  assert.is(rig.cpu.eip, labels.a);
  assert.is(rig.cpu.instret, 3);
  rig.cpu.onInstruction = null;
  assert.is(rig.go()?.vector, 0x80);
  assert.equal(seen, [0, 5, 6, 5]);
});

test.run();
