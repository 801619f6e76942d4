/**
 * Where QEMU leaves the manual, so that it is no oracle: what the generator leaves out, and what the comparison masks. May
 * import nothing. docs/conformance.md prints this table.
 */
export const DEVIATIONS: readonly { what: string; how: string }[] = [
  {
    what: "segment limits and expand-down segments are not checked",
    how: "every segment is flat; the host's processor checks them",
  },
  {
    what: "null segments, and the type of DS, ES, FS and GS, are not checked at an access",
    how: "a load of a segment register ends its case",
  },
  {
    what: "far transfers do not mark code and stack segments as accessed",
    how: "code and writable segments are marked from the start",
  },
  {
    what: "a call gate to a conforming segment leaves the RPL of CS at the segment's DPL, not at CPL",
    how: "CS, and what follows from it, is not compared there",
  },
  {
    what: "the limit of a target is not checked by interrupts, gates and returns to an outer ring; elsewhere #GP has the selector for error code, not 0 (volume 2, CALL, JMP, RET, IRET, INT n)",
    how: "targets are within their segments; the host's processor checks them within a ring, tests/cpu/faults the others",
  },
  {
    what: "an absent stack segment is #NP in a return to an outer ring and #TS in a transfer to an inner one, not #SS (volume 2, RET, IRET, CALL, INT n)",
    how: "the vector is not compared there, the error code is; tests/cpu/faults has the cases",
  },
  {
    what: "JMP through a call gate to an absent code segment is #GP, not #NP (volume 2, JMP)",
    how: "the vector is not compared where a jump ends so; tests/cpu/faults has the case",
  },
  { what: "LTR takes a null selector", how: "not generated" },
  { what: "RF is not set in the frame of a fault", how: "masked" },
  {
    what: "a walk that ends in a page fault, or the first half of a write across pages, has marked what it went through",
    how: "accessed and dirty bits are not compared after a page fault",
  },
  {
    what: "instructions that read and write an operand fault for the reading first",
    how: "the error code's W bit is masked for them; they do not cross pages",
  },
];
