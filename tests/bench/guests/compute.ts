/** Guests that only compute: an ALU loop, a load/store loop. May import frame and the assembler of the processor's tests. */
import { AL, absolute, at, EAX, EBP, EBX, ECX, EDI, EDX, ESI } from "../../cpu/guest";
import { FREE, type Shape } from "./frame";

/** Registers only: sixteen instructions, flags used by ADC, SETcc and the loop's branch. */
export const alu: Shape = {
  work: (p) => {
    p.op("mov", EAX, 1).op("mov", EBX, 2).op("xor", ESI, ESI).op("xor", EDI, EDI).op("xor", EDX, EDX);
    p.label("alu").op("add", EAX, EBX).op("adc", EDX, ECX).op("xor", EBX, EAX).op("lea", ESI, at(EAX, 3));
    p.op("rol", ESI, 3).op("sub", EDI, ESI).op("and", EDI, 0xffffff).op("or", EAX, 1);
    p.op("mov", EBP, EAX).op("shr", EBP, 7).op("add", EBX, EBP).op("cmp", EBX, EDI);
    p.op("setb", AL).op("inc", EDX).op("dec", ECX).jump("jnz", "alu");
    p.op("xor", EAX, EBX).op("xor", EAX, EDX).op("xor", EAX, EDI).op("ret");
  },
};

/** Twelve instructions, seven of them with memory, striding over 256 KB. */
export const loadStore: Shape = {
  work: (p) => {
    const here = { base: 3 };
    p.op("xor", EBX, EBX).op("xor", EBP, EBP);
    p.label("access")
      .op("mov", EAX, absolute(FREE, 4, here))
      .op("add", EAX, ECX);
    p.op("mov", absolute(FREE + 0x40000, 4, here), EAX).op("add", absolute(FREE, 4, here), EAX);
    p.op("movzx", EDX, absolute(FREE + 1, 1, here))
      .op("push", EDX)
      .op("pop", ESI);
    p.op("add", EBP, ESI).op("add", EBX, 68).op("and", EBX, 0x3fffc).op("dec", ECX).jump("jnz", "access");
    p.op("mov", EAX, EBP).op("xor", EAX, absolute(FREE)).op("ret");
  },
};
