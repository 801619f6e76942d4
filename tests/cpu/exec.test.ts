/** Integer instructions against a model of their own, written apart from the processor's: results and all defined flags. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { DecodeResult, decode } from "../../cpu/decoder";
import { reg } from "../../cpu/encoder";
import { handlerKey, isImplemented } from "../../cpu/exec/bind";
import { invalidCode } from "../../cpu/exec/system";
import { INVALID_ROW, ROWS } from "../../cpu/isa";
import { Operation } from "../../cpu/operation";
import { EAX, EBX, ECX, EDX, FREE, KERNEL_STACK, type Line, Rig } from "./rig";

const test = suite("cpu/exec");

const CODE = FREE;
const [CF, PF, AF, ZF, SF, OF] = [1, 4, 0x10, 0x40, 0x80, 0x800];
const ALL = CF | PF | AF | ZF | SF | OF;
const DIVIDE_ERROR = 0;

test("every form of every row has a handler", () => {
  const op = new Operation(invalidCode);
  const missing = new Set<string>();
  let forms = 0;
  for (const size of [2, 4] as const)
    for (const prefix of [[], [0x66], [0x67], [0xf3], [0xf2, 0x66]])
      for (let opcode = 0; opcode < 512; opcode++)
        for (let modrm = 0; modrm < 256; modrm++) {
          const bytes = [
            ...prefix,
            ...(opcode > 255 ? [0x0f] : []),
            opcode & 255,
            modrm,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
          ];
          if (decode(Uint8Array.from(bytes), 0, bytes.length, size, op) !== DecodeResult.Ok || op.row === INVALID_ROW)
            continue;
          forms++;
          if (!isImplemented(op)) missing.add(handlerKey(op));
        }
  assert.equal([...missing], []);
  assert.ok(forms > 100_000);
  assert.ok(ROWS.length > 200);
});

const rig = new Rig();

interface Outcome {
  value: number;
  flags: number;
}

/** Runs `line` with EAX = a, ECX = b, EDX and the flags; gives registers and flags, or null for a #DE. */
function run(line: Line, a: number, b: number, flags: number, d = 0): { registers: number[]; flags: number } | null {
  rig.code(CODE, line, ["int", 0x80]);
  rig.ring(0);
  rig.registers = [a, b, d, 0, KERNEL_STACK, 0, 0, 0];
  rig.cpu.eflags = 2 | flags;
  const trap = rig.run(CODE);
  if (trap?.vector === DIVIDE_ERROR) return null;
  assert.is(trap?.vector, 0x80);
  return { registers: rig.registers, flags: rig.word(rig.cpu.register(4) + 8) & ALL };
}

const EDGES: Record<number, number[]> = {
  8: [0, 1, 0x0f, 0x10, 0x7f, 0x80, 0x81, 0xff],
  16: [0, 1, 0xff, 0x7fff, 0x8000, 0xffff],
  32: [0, 1, 0xf, 0x7fffffff, 0x80000000, 0xffffffff],
};
const REGISTER: Record<number, (number: number) => ReturnType<typeof reg>> = {
  8: (number) => reg(number, 1),
  16: (number) => reg(number, 2),
  32: (number) => reg(number, 4),
};

function parity(value: bigint): number {
  let ones = 0;
  for (let bit = 0n; bit < 8n; bit++) ones += Number((value >> bit) & 1n);
  return ones % 2 === 0 ? PF : 0;
}

/** SF, ZF, PF of a result of `bits` bits. */
function resultFlags(value: bigint, bits: number): number {
  return (value === 0n ? ZF : 0) | (((value >> BigInt(bits - 1)) & 1n) === 1n ? SF : 0) | parity(value);
}

/** The model: unbounded integers, and flags by their definitions. */
function model(name: string, a: bigint, b: bigint, carryIn: bigint, bits: number): Outcome {
  const mask = (1n << BigInt(bits)) - 1n;
  const signed = (value: bigint): bigint => BigInt.asIntN(bits, value);
  const logical: Record<string, bigint> = { and: a & b, or: a | b, xor: a ^ b, test: a & b };
  if (name in logical) return { value: Number(logical[name]), flags: resultFlags(logical[name], bits) };
  const c = name === "adc" || name === "sbb" ? carryIn : 0n;
  const adds = name === "add" || name === "adc";
  const wide = adds ? a + b + c : a - b - c;
  const wideSigned = adds ? signed(a) + signed(b) + c : signed(a) - signed(b) - c;
  const low = adds ? (a & 15n) + (b & 15n) + c > 15n : (a & 15n) - (b & 15n) - c < 0n;
  const value = wide & mask;
  const carry = wide < 0n || wide > mask;
  const overflow = wideSigned !== signed(value);
  return {
    value: Number(value),
    flags: resultFlags(value, bits) | (carry ? CF : 0) | (low ? AF : 0) | (overflow ? OF : 0),
  };
}

test("ADD OR ADC SBB AND SUB XOR CMP TEST: results and flags at the edges, in three sizes", () => {
  for (const bits of [8, 16, 32])
    for (const name of ["add", "or", "adc", "sbb", "and", "sub", "xor", "cmp", "test"])
      for (const a of EDGES[bits])
        for (const b of EDGES[bits])
          for (const carry of name === "adc" || name === "sbb" ? [0, 1] : [1]) {
            const got = run([name, REGISTER[bits](0), REGISTER[bits](1)], a, b, carry | AF | OF);
            const expected = model(name, BigInt(a), BigInt(b), BigInt(carry), bits);
            const text = `${name} ${bits} ${a} ${b} ${carry}`;
            const written = name === "cmp" || name === "test" ? a : expected.value;
            assert.is(got?.registers[0], written >>> 0, text);
            // AF is undefined after the logical ones: clear here.
            assert.is(got?.flags, expected.flags, text);
          }
});

test("INC DEC NEG NOT", () => {
  for (const bits of [8, 16, 32])
    for (const a of EDGES[bits])
      for (const carry of [0, CF]) {
        const register = REGISTER[bits](0);
        const one = (name: string, like: string, left: number, right: number, keeps: boolean): void => {
          const got = run([name, register], a, 0, carry);
          const expected = model(like, BigInt(left), BigInt(right), 0n, bits);
          assert.is(got?.registers[0], expected.value >>> 0, `${name} ${a}`);
          assert.is(got?.flags, keeps ? (expected.flags & ~CF) | carry : expected.flags, `${name} ${a}`);
        };
        one("inc", "add", a, 1, true);
        one("dec", "sub", a, 1, true);
        one("neg", "sub", 0, a, false);
        const not = run(["not", register], a, 0, carry | ZF);
        assert.is(not?.registers[0], Number(BigInt.asUintN(bits, ~BigInt(a))));
        assert.is(not?.flags, carry | ZF);
      }
});

/** Shifts and rotations bit by bit. OF only at a count of 1. */
function shiftModel(
  name: string,
  a: number,
  count: number,
  carryIn: number,
  bits: number,
): Outcome & { defined: number } {
  const by = count & 31;
  if (by === 0) return { value: a, flags: ALL & ~OF, defined: 0 };
  let value = BigInt(a);
  let carry = BigInt(carryIn);
  const top = BigInt(bits - 1);
  const before = value >> top;
  for (let i = 0; i < by; i++) {
    const high = (value >> top) & 1n;
    const low = value & 1n;
    const left = ((value << 1n) & ((1n << BigInt(bits)) - 1n)) as bigint;
    const right = value >> 1n;
    switch (name) {
      case "shl":
        [value, carry] = [left, high];
        break;
      case "shr":
        [value, carry] = [right, low];
        break;
      case "sar":
        [value, carry] = [right | (high << top), low];
        break;
      case "rol":
        [value, carry] = [left | high, high];
        break;
      case "ror":
        [value, carry] = [right | (low << top), low];
        break;
      case "rcl":
        [value, carry] = [left | carry, high];
        break;
      default:
        [value, carry] = [right | (carry << top), low];
    }
  }
  const shifts = name[0] === "s";
  const overflow = by === 1 && before !== value >> top;
  const flags = (carry === 1n ? CF : 0) | (overflow ? OF : 0) | (shifts ? resultFlags(value, bits) : PF | ZF | SF | AF);
  // SHL and SHR beyond the operand leave CF undefined.
  const wild = shifts && by > bits;
  const defined = (wild ? 0 : CF) | (by === 1 ? OF : 0) | (shifts ? PF | ZF | SF : PF | ZF | SF | AF);
  return { value: Number(value), flags, defined };
}

test("shifts and rotations: every count from 0 to 33, by CL, by a constant and by 1", () => {
  for (const bits of [8, 16, 32])
    for (const name of ["shl", "shr", "sar", "rol", "ror", "rcl", "rcr"])
      for (const a of [1, EDGES[bits][4], EDGES[bits][5], 0x5a])
        for (const carry of [0, 1])
          for (let count = 0; count <= 33; count++) {
            const expected = shiftModel(name, a, count, carry, bits);
            const flags = carry | PF | ZF | SF | AF;
            for (const line of [
              [name, REGISTER[bits](0), reg(1, 1)],
              [name, REGISTER[bits](0), count],
            ] as Line[]) {
              const got = run(line, a, count, flags);
              const text = `${line[1 as never]} ${name} ${bits} ${a} by ${count} carry ${carry}`;
              assert.is(got?.registers[0], expected.value >>> 0, text);
              const defined = expected.defined === 0 ? ALL : expected.defined;
              const wanted = expected.defined === 0 ? flags : expected.flags;
              assert.is((got?.flags as number) & defined, wanted & defined, `${text}: flags`);
            }
          }
});

test("MUL IMUL: products and the flags that say whether the upper half matters", () => {
  for (const bits of [8, 16, 32])
    for (const a of EDGES[bits])
      for (const b of EDGES[bits])
        for (const name of ["mul", "imul"]) {
          const size = BigInt(bits);
          const [x, y] = [a, b].map((value) => (name === "imul" ? BigInt.asIntN(bits, BigInt(value)) : BigInt(value)));
          const wide = BigInt.asUintN(2 * bits, x * y);
          const fits = name === "imul" ? x * y === BigInt.asIntN(bits, wide) : wide >> size === 0n;
          const got = run([name, REGISTER[bits](1)], a, b, 0);
          const low = wide & ((1n << size) - 1n);
          const product =
            bits === 8
              ? BigInt(got?.registers[0] as number) & 0xffffn
              : (BigInt(got?.registers[2] as number) << size) |
                (BigInt(got?.registers[0] as number) & ((1n << size) - 1n));
          assert.is(product, wide, `${name} ${bits} ${a} ${b}`);
          assert.is((got?.flags as number) & (CF | OF), fits ? 0 : CF | OF, `${name} ${bits} ${a} ${b}`);
          if (name === "imul" && bits > 8) {
            const two = run(["imul", REGISTER[bits](0), REGISTER[bits](1)], a, b, 0);
            assert.is(BigInt(two?.registers[0] as number) & ((1n << size) - 1n), low);
            assert.is((two?.flags as number) & (CF | OF), fits ? 0 : CF | OF);
          }
        }
});

test("DIV IDIV: quotients and remainders, #DE by zero and where the quotient does not fit", () => {
  const wide: Record<number, bigint[]> = {
    8: [0n, 1n, 0x7fn, 0x80n, 0xffn, 0x7f80n, 0x3f80n, 0x3f81n, 0x8000n, 0xffffn, 0xfe01n],
    16: [0n, 1n, 0xffffn, 0x3fff8000n, 0x40000000n, 0x80000000n, 0xffffffffn, 0xfffe0001n, 0xffff8000n],
    32: [
      0n,
      1n,
      0xffffffffn,
      0x3fffffff80000000n,
      0x4000000000000000n,
      0x8000000000000000n,
      0xffffffffffffffffn,
      0xfffffffe00000001n,
      0xffffffff80000000n,
      0x123456789abcdef0n,
      0xedcba98765432110n,
    ],
  };
  let [faults, fine] = [0, 0];
  for (const bits of [8, 16, 32])
    for (const dividend of wide[bits])
      for (const b of [...EDGES[bits], 3, 7, 0x7b])
        for (const name of ["div", "idiv"]) {
          const size = BigInt(bits);
          const low = dividend & ((1n << size) - 1n);
          const [n, d] =
            name === "idiv"
              ? [BigInt.asIntN(2 * bits, dividend), BigInt.asIntN(bits, BigInt(b))]
              : [dividend, BigInt(b)];
          const quotient = d === 0n ? 0n : n / d;
          const fits =
            d !== 0n && (name === "idiv" ? BigInt.asIntN(bits, quotient) === quotient : quotient >> size === 0n);
          const eax = bits === 8 ? Number(dividend) : Number(low);
          const got = run([name, REGISTER[bits](1)], eax, b, ALL, Number(dividend >> size));
          const text = `${name} ${bits} ${dividend} ${b}`;
          if (!fits) {
            assert.is(got, null, text);
            assert.is(rig.cpu.register(0), eax >>> 0, text);
            faults++;
            continue;
          }
          fine++;
          const [q, r] = [quotient, n % d].map((value) => Number(BigInt.asUintN(bits, value)));
          if (bits === 8) assert.is((got?.registers[0] as number) & 0xffff, q | (r << 8), text);
          else assert.equal([got?.registers[0], got?.registers[2]], [q, r], text);
        }
  assert.ok(faults > 50 && fine > 200);
});

test("decimal adjustments: sums and differences of all packed and unpacked digits", () => {
  for (let x = 0; x < 100; x += 3)
    for (let y = 0; y < 100; y += 7) {
      const bcd = (value: number): number => (Math.floor(value / 10) << 4) | (value % 10);
      const sequence = (first: string, then: string): { registers: number[]; flags: number } => {
        rig.code(CODE, [first, reg(0, 1), reg(1, 1)], [then], ["int", 0x80]);
        rig.ring(0);
        rig.registers = [bcd(x), bcd(y), 0, 0, KERNEL_STACK, 0, 0, 0];
        rig.run(CODE);
        return { registers: rig.registers, flags: rig.word(rig.cpu.register(4) + 8) };
      };
      const sum = sequence("add", "daa");
      assert.is(sum.registers[0], bcd((x + y) % 100), `${x} + ${y}`);
      assert.is(sum.flags & CF, x + y > 99 ? 1 : 0);
      const difference = sequence("sub", "das");
      assert.is(difference.registers[0], bcd((x - y + 100) % 100), `${x} - ${y}`);
      assert.is(difference.flags & CF, x < y ? 1 : 0);
    }
  for (let x = 0; x < 10; x++)
    for (let y = 0; y < 10; y++) {
      const unpacked = (first: string, then: string): number[] => {
        rig.code(CODE, [first, reg(0, 1), reg(1, 1)], [then], ["int", 0x80]);
        rig.ring(0);
        rig.registers = [x, y, 0, 0, KERNEL_STACK, 0, 0, 0];
        rig.run(CODE);
        return [rig.cpu.register(0), rig.word(rig.cpu.register(4) + 8) & CF];
      };
      assert.equal(unpacked("add", "aaa"), [((x + y) % 10) | (x + y > 9 ? 0x100 : 0), x + y > 9 ? 1 : 0]);
      // AAS borrows from AH as well.
      assert.equal(unpacked("sub", "aas"), [((x - y + 10) % 10) | (x < y ? 0xff00 : 0), x < y ? 1 : 0]);
    }
  assert.is(run(["aam", 10], 63, 0, 0)?.registers[0], 0x603);
  assert.is(run(["aam", 0], 63, 0, 0), null);
  assert.is(run(["aad", 10], 0x603, 0, 0)?.registers[0], 63);
});

test("conditions: all sixteen, after flags set by hand and after a lazy comparison", () => {
  const names = "o no b ae z nz be a s ns p np l ge le g".split(" ");
  const holds = (flags: number): boolean[] => {
    const [c, p, z, s, o] = [CF, PF, ZF, SF, OF].map((bit) => (flags & bit) !== 0);
    return [o, c, z, c || z, s, p, s !== o, z || s !== o].flatMap((value) => [value, !value]);
  };
  for (let bits = 0; bits < 32; bits++) {
    const flags = [CF, PF, ZF, SF, OF].reduce((sum, bit, i) => sum | (bits & (1 << i) ? bit : 0), 0);
    for (const [code, name] of names.entries()) {
      assert.is(
        run([`set${name}`, reg(3, 1)], 0, 0, flags)?.registers[3],
        holds(flags)[code] ? 1 : 0,
        `${name} ${flags}`,
      );
    }
  }
  for (const a of [-5, 0, 3, 0x7fffffff, -0x80000000])
    for (const b of [-5, 0, 3, 0x7fffffff, -0x80000000]) {
      const expected = holds(model("cmp", BigInt.asUintN(32, BigInt(a)), BigInt.asUintN(32, BigInt(b)), 0n, 32).flags);
      for (const [code, name] of names.entries()) {
        rig.code(
          CODE,
          ["cmp", EAX, ECX],
          [`j${name}`, "@yes"],
          ["mov", EDX, 1],
          ["int", 0x80],
          "yes",
          ["mov", EDX, 2],
          ["int", 0x80],
        );
        rig.ring(0);
        rig.registers = [a, b, 0, 0, KERNEL_STACK, 0, 0, 0];
        rig.run(CODE);
        assert.is(rig.cpu.register(2), expected[code] ? 2 : 1, `${a} ${name} ${b}`);
      }
    }
});

test("CPUID names what is there; WBINVD, INVD and the long NOP do nothing; UD2 and unknown bytes are #UD", () => {
  const leaf0 = run(["cpuid"], 0, 0, 0);
  assert.is(leaf0?.registers[0], 1);
  const words = Uint32Array.from([3, 2, 1].map((register) => leaf0?.registers[register] as number));
  assert.is(Buffer.from(words.buffer).toString(), "TineTineTine");
  for (const line of [["wbinvd"], ["invd"], ["nop", EBX]] as Line[]) assert.is(run(line, 5, 0, 0)?.registers[0], 5);
  for (const bytes of [
    [0x0f, 0x0b],
    [0x0f, 0xff, 0xc0],
    [0xf0, 0x90],
    [0x0f, 0xc7, 0x07],
  ]) {
    rig.code(CODE, ["db", ...bytes]);
    assert.is(rig.ring(0).run(CODE)?.vector, 6, `${bytes}`);
  }
  rig.code(CODE, ["db", ...new Array(15).fill(0x66), 0x90]);
  assert.equal(rig.ring(0).run(CODE), { vector: 13, error: 0, eip: CODE, cr2: 0 }, "16 bytes are too many");
});

test("x87: #NM where CR0 asks for it", () => {
  rig.code(CODE, ["fninit"], ["fld1"], ["int", 0x80]);
  assert.is(rig.ring(0).run(CODE)?.vector, 0x80);
  for (const bit of [4, 8]) {
    rig.cpu.setControl(0, 0x11 | bit);
    assert.is(rig.ring(0).run(CODE)?.vector, 7);
  }
  rig.code(CODE, ["fwait"], ["int", 0x80]);
  assert.is(rig.ring(0).run(CODE)?.vector, 0x80);
  rig.cpu.setControl(0, 0x11 | 2 | 8);
  assert.is(rig.ring(0).run(CODE)?.vector, 7);
  rig.cpu.setControl(0, 0x11);
});

test.run();
