/** Guests that move memory by rep movsd and rep stosd. May import frame and the assembler of the processor's tests. */
import { absolute, at, EAX, EBP, EBX, ECX, EDI, ESI, type Program } from "../../cpu/guest";
import { FREE, type Shape } from "./frame";

const REP = { prefixes: 4 };
const TO = FREE + 0x200000;

/** `operation` for each count of EBP, with ECX at the number of words; then a checksum over what lies at TO. */
function repeated(p: Program, bytes: number, operation: () => void): void {
  p.op("cld").op("mov", EBP, ECX).op("mov", EBX, 0x9e3779b9).label("piece");
  p.op("mov", EDI, TO).op("mov", ECX, bytes / 4);
  operation();
  p.op("dec", EBP).jump("jnz", "piece");
  p.op("xor", EAX, EAX).op("mov", ESI, TO).op("mov", ECX, 1024).label("sum");
  p.op("rol", EAX, 1).op("add", EAX, at(ESI)).op("add", ESI, 4).op("dec", ECX).jump("jnz", "sum");
  p.op("xor", EAX, absolute(TO + bytes - 4)).op("ret");
}

/** Copies; the source's first and last word change each time. */
export function movs(bytes: number): Shape {
  return {
    work: (p) =>
      repeated(p, bytes, () => {
        p.op("add", EBX, EBP)
          .op("mov", absolute(FREE), EBX)
          .op("mov", absolute(FREE + bytes - 4), EBX);
        p.op("mov", ESI, FREE).opWith(REP, "movsd");
      }),
  };
}

/** Fills with a value that changes each time. */
export function stos(bytes: number): Shape {
  return {
    work: (p) =>
      repeated(p, bytes, () => {
        p.op("add", EBX, EBP).op("mov", EAX, EBX).opWith(REP, "stosd");
      }),
  };
}
