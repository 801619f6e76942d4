/** Faults in compiled code, and the test of tests/cpu/compile that must notice. Imports compiled. */
import type { CompilerMutant } from "../compiled";

export const COMPILER_MUTANTS: readonly CompilerMutant[] = [
  {
    fault: "user bit not looked at by the walk",
    file: "walk.ts",
    edits: [["Pte.Present | Pte.Accessed | (user ? Pte.User : 0)", "Pte.Present | Pte.Accessed"]],
    test: "walk",
  },
  {
    fault: "accessed bit not looked at",
    file: "walk.ts",
    edits: [["Pte.Present | Pte.Accessed |", "Pte.Present |"]],
    test: "walk",
  },
  {
    fault: "writable not looked at by the walk",
    file: "walk.ts",
    edits: [["choose(local(Of.Write), need | Pte.Writable, need)", "need"]],
    test: "walk",
  },
  {
    fault: "4 MB pde taken for a table",
    file: "walk.ts",
    edits: [["  branchIf(body, and(local(Of.Pde), Pte.Large), slow);\n", ""]],
    test: "walk",
  },
  {
    fault: "clean page written without its dirty bit",
    file: "walk.ts",
    edits: [["const dirty = choose(local(Of.Write), Pte.Dirty, 0)", "const dirty = 0"]],
    test: "walk",
  },
  {
    fault: "rights are the pte alone",
    file: "walk.ts",
    edits: [["and(local(Of.Pde), local(Of.Pte)));", "local(Of.Pte));"]],
    test: "walk",
  },
  {
    fault: "running page driven out without a look",
    file: "walk.ts",
    edits: [["  branchIf(body, equal(local(Of.Tag), state(Word.FetchPage)), slow);\n", ""]],
    test: "walk",
  },
  {
    fault: "victim keeps its host entry",
    file: "walk.ts",
    edits: [["  storeWord(body, shiftLeft(local(Of.Tag), 2), 0, Layout.HostTlb);\n", ""]],
    test: "walk",
  },
  {
    fault: "victim keeps its slot",
    file: "walk.ts",
    edits: [["  storeElement(body, slotOf, local(Of.Tag), 0);\n", ""]],
    test: "walk",
  },
  {
    fault: "victim turn does not wrap",
    file: "walk.ts",
    edits: [["choose(equal(following, ways), 0, following)", "following"]],
    test: "walk",
  },
  {
    fault: "global without PGE",
    file: "walk.ts",
    edits: [
      [
        "choose(and(state(Word.Cr4), Cr4.PGE), bit(local(Of.Pte), Pte.Global, Entry.Global), 0)",
        "bit(local(Of.Pte), Pte.Global, Entry.Global)",
      ],
    ],
    test: "walk",
  },
  {
    fault: "global bit lost",
    file: "walk.ts",
    edits: [["choose(and(state(Word.Cr4), Cr4.PGE), bit(local(Of.Pte), Pte.Global, Entry.Global), 0)", "0"]],
    test: "walk",
  },
  {
    fault: "every entry is dirty",
    file: "walk.ts",
    edits: [["bit(local(Of.Pte), Pte.Dirty, Entry.Dirty)", "Entry.Dirty"]],
    test: "walk",
  },
  { fault: "half the walk charged", file: "walk.ts", edits: [["2 * plan.walkRead", "plan.walkRead"]], test: "walk" },
  {
    fault: "slot not listed as occupied",
    file: "walk.ts",
    edits: [["  when(body, isZero(byte(local(Of.Slot), listed.byteOffset)), () => {", "  when(body, 0, () => {"]],
    test: "walk",
  },
  {
    fault: "A20 not looked at",
    file: "walk.ts",
    edits: [["branchIf(body, or(hit, state(Word.HeldLow)), slow);", "branchIf(body, hit, slow);"]],
    test: "walk",
  },
  {
    fault: "tables beyond RAM are read",
    file: "walk.ts",
    edits: [["    branchIf(body, atLeast(local(Of.At), plan.memoryBytes), slow);\n", ""]],
    test: "walk",
  },
  {
    fault: "any frame is plain RAM",
    file: "walk.ts",
    edits: [
      ["  branchIf(body, atLeast(subtract(local(Of.At), PLAIN_RAM), plan.memoryBytes - PLAIN_RAM), slow);\n", ""],
    ],
    test: "walk",
  },
  {
    fault: "flat transfers: mode not flat",
    file: "flat.ts",
    edits: [["  branchIf(body, isZero(and(state(Word.Mode), Mode.Flat)), slow);\n", ""]],
    test: "transfers",
  },
  {
    fault: "flat hit crosses a page",
    file: "flat.ts",
    edits: [["  branchIf(body, above(add(and(local(at), PAGE - 1), size), PAGE), slow);\n", ""]],
    test: "transfers",
  },
  {
    fault: "LDT selector looked up in GDT",
    file: "flat.ts",
    edits: [["or(and(local(selector), 4), isZero(offset))", "isZero(offset)"]],
    test: "transfers",
  },
  {
    fault: "GDT limit",
    file: "flat.ts",
    edits: [["  branchIf(body, above(add(offset, 7), state(Word.GdtLimit)), slow);\n", ""]],
    test: "transfers",
  },
  {
    fault: "low word of the descriptor",
    file: "flat.ts",
    edits: [["  branchIf(body, differs(word(local(at)), FLAT_LOW), slow);\n", ""]],
    test: "transfers",
  },
  {
    fault: "high word of the descriptor",
    file: "flat.ts",
    edits: [["  branchIf(body, differs(word(local(at), 4), high), slow);\n", ""]],
    test: "transfers",
  },
  {
    fault: "trap stays armed",
    file: "flat.ts",
    edits: [["  storeState(body, Word.Attention, and(state(Word.Attention), ~Attention.Trap));\n", ""]],
    test: "transfers",
  },
  {
    fault: "carry known subtract",
    file: "conditions.ts",
    edits: [
      [
        "if (known === Known.Subtract) compareOperands(body, Op.I32LtU);",
        "if (known === Known.Subtract) compareOperands(body, Op.I32LeU);",
      ],
    ],
    test: "emitters",
  },
  {
    fault: "carry known add",
    file: "conditions.ts",
    edits: [
      ["    body.get(Local.LazyA);\n    body.op(Op.I32LtU);", "    body.get(Local.LazyA);\n    body.op(Op.I32LeU);"],
    ],
    test: "emitters",
  },
  {
    fault: "le known subtract",
    file: "conditions.ts",
    edits: [
      [
        "if (known === Known.Subtract) compareOperands(body, Op.I32LeS);",
        "if (known === Known.Subtract) compareOperands(body, Op.I32LtS);",
      ],
    ],
    test: "emitters",
  },
  {
    fault: "le known logical",
    file: "conditions.ts",
    edits: [
      [
        "else if (known === Known.Logical) compareResult(body, Op.I32LeS);",
        "else if (known === Known.Logical) compareResult(body, Op.I32LtS);",
      ],
    ],
    test: "emitters",
  },
  {
    fault: "adjust",
    file: "conditions.ts",
    edits: [["  body.constant(4);\n  body.op(Op.I32ShrU);", "  body.constant(3);\n  body.op(Op.I32ShrU);"]],
    test: "emitters",
  },
  {
    fault: "parity of 7 bits",
    file: "conditions.ts",
    edits: [["  body.constant(0xff);\n", "  body.constant(0x7f);\n"]],
    test: "emitters",
  },
  {
    fault: "overflow inverted B",
    file: "conditions.ts",
    edits: [
      [
        "  body.constant(Lazy.Subtract);\n  body.op(Op.I32And);\n  body.op(Op.I32Eqz);",
        "  body.constant(Lazy.Subtract);\n  body.op(Op.I32And);",
      ],
    ],
    test: "emitters",
  },
  {
    fault: "adc known as add",
    file: "arithmetic.ts",
    edits: [["withCarry ? Known.Result : known", "known"]],
    test: "emitters",
  },
  {
    fault: "inc keeps old CF",
    file: "arithmetic.ts",
    edits: [
      [
        "e.with(Op.I32And, ~Flag.CF);\n    e.op(Op.I32Or);\n    e.set(Local.Eflags);\n    e.value",
        "e.op(Op.I32Or);\n    e.set(Local.Eflags);\n    e.value",
      ],
    ],
    test: "emitters",
  },
  {
    fault: "shift keeps AF",
    file: "arithmetic.ts",
    edits: [["~(Flag.CF | Flag.OF | Flag.AF)", "~(Flag.CF | Flag.OF)"]],
    test: "emitters",
  },
  {
    fault: "high byte registers read low",
    file: "emitter.ts",
    edits: [["    if ((index & 1) !== 0) this.with(Op.I32ShrU, 8);\n", ""]],
    test: "emitters",
  },
  {
    fault: "high byte registers write low",
    file: "emitter.ts",
    edits: [["size === 1 && (index & 1) !== 0 ? 8 : 0", "0"]],
    test: "emitters",
  },
  {
    fault: "scale",
    file: "emitter.ts",
    edits: [["      if (op.scale !== 0) this.with(Op.I32Shl, op.scale);\n", ""]],
    test: "emitters",
  },
  {
    fault: "pop esp",
    file: "moves.ts",
    edits: [
      ["  moveStack(e, 4);\n  e.setRegister(op.destination);", "  e.setRegister(op.destination);\n  moveStack(e, 4);"],
    ],
    test: "emitters",
  },
  {
    fault: "popad loads ESP",
    file: "moves.ts",
    edits: [["    if (register === ESP) continue;\n    e.load", "    e.load"]],
    test: "emitters",
  },
  {
    fault: "stc leaves CF lazy",
    file: "moves.ts",
    edits: [["    e.with(Op.I32And, ~Flag.CF);\n    e.set(Local.Lazy);", "    e.set(Local.Lazy);"]],
    test: "emitters",
  },
  {
    fault: "movzx of registers",
    file: "moves.ts",
    edits: [
      [
        'if (second.kind === "r") e.view(second.size, op.source, unsigned);',
        'if (second.kind === "r") e.view(second.size, op.source, false);',
      ],
    ],
    test: "emitters",
  },
  {
    fault: "cdq",
    file: "moves.ts",
    edits: [
      [
        "  e.with(Op.I32ShrS, 31);\n  e.setRegister(Register.EDX);",
        "  e.with(Op.I32ShrU, 31);\n  e.setRegister(Register.EDX);",
      ],
    ],
    test: "emitters",
  },
  {
    fault: "cmov",
    file: "moves.ts",
    edits: [
      [
        "    e.value(op, second, op.source);\n    e.register(op.destination);\n    e.condition(code);",
        "    e.register(op.destination);\n    e.value(op, second, op.source);\n    e.condition(code);",
      ],
    ],
    test: "emitters",
  },
  {
    fault: "sar overflow",
    file: "arithmetic.ts",
    edits: [['kind === "sar" ? null : overflow', "overflow"]],
    test: "emitters",
  },
  {
    fault: "regions follow one another although something waits",
    file: "dispatch.ts",
    edits: [["or(state(Word.Attention), isZero(state(Word.ReadBit)))", "isZero(state(Word.ReadBit))"]],
    test: "regions",
  },
  {
    fault: "another mode's region follows",
    file: "dispatch.ts",
    edits: [["  branchIf(body, differs(field(Entry.Mode, base), state(Word.Mode)), out);\n", ""]],
    test: "regions",
  },
  {
    fault: "the next page's fetch is not asked for",
    file: "dispatch.ts",
    edits: [["branchIf(body, isZero(and(local(Of.At), state(Word.ReadBit))), out);", ""]],
    test: "translations",
  },
  {
    fault: "a forgotten region is entered",
    file: "dispatch.ts",
    edits: [["if (this.entries[at + 2] === number) this.entries[at + 1] = NO_MODE;", ""]],
    test: "regions",
  },
  {
    fault: "a copy overlaps itself",
    file: "strings.ts",
    edits: [["    e.op(Op.I32LtU);\n    slowIf(e);\n", "    e.op(Op.I32LtU);\n    e.set(Local.U);\n"]],
    test: "emitters",
  },
  {
    fault: "a segment that stops being flat changes nothing",
    file: "generate.ts",
    edits: [
      [
        "    loadWord(body, Word.Mode);\n    body.constant(block.mode);\n    body.op(Op.I32Ne);\n",
        "    body.constant(0);\n",
      ],
    ],
    test: "regions",
  },
  {
    fault: "TF that POPFD loads changes nothing",
    file: "generate.ts",
    edits: [["    loadWord(body, Word.Attention);\n    body.op(Op.I32Or);\n", ""]],
    test: "regions",
  },
  {
    fault: "AC that POPFD loads changes nothing",
    file: "generate.ts",
    edits: [["    loadWord(body, Word.ReadBit);\n    body.op(Op.I32Eqz);\n    body.op(Op.I32Or);\n", ""]],
    test: "regions",
  },
];
