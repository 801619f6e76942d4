/**
 * Loops over memory: what string instructions under REP need of the runtime, a run of words filled and a page looked up before
 * its first byte is touched; and whether a page is all zero. May import expression.ts, frame.ts, wasm.ts, registers.ts.
 */

import { Word } from "../registers";
import { add, atLeast, branchIf, differs, equal, local, set, state, storeWord, subtract, when } from "./expression";
import { Callee, Type } from "./frame";
import { Body, type Definition, Op } from "./wasm";

const PAGE = 4096;
const VECTOR = 16;
/** Vectors that are stored in a turn of the loop, and the words in them. */
const UNROLLED = 8;
const WORDS = (UNROLLED * VECTOR) / 4;

/** Parameters and locals of fillWords; the vector is the last. */
const enum Of {
  At = 0,
  Value = 1,
  Words = 2,
  Vector = 3,
}

/** Repeats `turn` while there are `least` words or more. */
function whileWords(body: Body, least: number, turn: () => void): void {
  const again = body.loop();
  when(body, atLeast(local(Of.Words), least), () => {
    turn();
    set(body, Of.At, add(local(Of.At), 4 * least));
    set(body, Of.Words, subtract(local(Of.Words), least));
    body.branch(again);
  });
  body.end();
}

/** The function Callee.FillWords: (host offset, value, words) fills them. */
export function fillWords(): Definition {
  const body = new Body(0, 0, 1);
  body.get(Of.Value);
  body.splat();
  body.set(Of.Vector);
  whileWords(body, WORDS, () => {
    for (let i = 0; i < UNROLLED; i++) {
      body.get(Of.At);
      body.get(Of.Vector);
      body.storeVector(i * VECTOR);
    }
  });
  whileWords(body, 1, () => storeWord(body, local(Of.At), local(Of.Value)));
  return { type: Type.FillWords, body: body.finish() };
}

/** (host offset of a page) -> 1 where all of it is 0. */
export function isZeroPage(): Definition {
  const body = new Body(1, 0);
  const end = 1;
  set(body, end, add(local(Of.At), PAGE));
  const again = body.loop();
  for (let i = 0; i < UNROLLED; i++) {
    body.get(Of.At);
    body.loadVector(i * VECTOR);
    if (i > 0) body.orVectors();
  }
  body.anyTrue();
  body.if();
  body.constant(0);
  body.op(Op.Return);
  body.end();
  set(body, Of.At, add(local(Of.At), UNROLLED * VECTOR));
  branchIf(body, differs(local(Of.At), local(end)), again);
  body.end();
  body.constant(1);
  return { type: Type.Unary, body: body.finish() };
}

/** (linear address, 1 for writing) -> the host TLB's entry, filled at the present privilege level, or 0; Callee.Fill says when. */
export function touch(): Definition {
  const body = new Body(1, 0);
  const budget = 2;
  const fill = (callee: Callee): void => {
    body.get(0);
    body.get(1);
    body.call(callee);
    body.set(budget);
    body.set(0);
  };
  when(
    body,
    equal(state(Word.Cpl), 3),
    () => fill(Callee.FillByUser),
    () => fill(Callee.Fill),
  );
  body.get(0);
  return { type: Type.Binary, body: body.finish() };
}
