/**
 * Where a debugger finds a function's variables, by ranges of its code: the places of variables.ts at the addresses that the instructions got.
 * May import emitasm, mir, object, variables.
 */
import type { AsmInstruction } from "./emitasm";
import { slotDisplacement } from "./emitexpand";
import type { Allocation, MachineFunction } from "./mir";
import type { LocalVariable, VariableRange } from "./object";
import { type MachineVariable, placesOf, type VariablePlaces } from "./variables";

/** From EBP, which slots are counted from, to the CFA. */
const EBP_TO_CFA = 8;
const REGISTER_PARAMETERS = 3;

/** Makes the list, once it is known where each instruction begins. */
export type MakeVariables = (code: readonly AsmInstruction[], starts: ArrayLike<number>) => LocalVariable[];

/** For a function whose AsmInstructions' notes number the allocation's instructions (emitexpand.ts). */
export function variablesOf(machine: MachineFunction, allocation: Allocation): MakeVariables {
  if (machine.variables.length === 0) return () => [];
  return (code, starts) => {
    const told = placesOf(machine, allocation).flat();
    return machine.variables.map((variable) => ({
      ...{ name: variable.name, type: variable.type, isParameter: variable.parameter >= 0 },
      ranges: fixedPlace(variable, starts[code.length]) ?? rangesOf(variable, code, starts, told, allocation),
    }));
  };
}

/** Of a constant, or of a parameter on the stack: the whole function. */
function fixedPlace({ parameter, assigned, constant }: MachineVariable, end: number): VariableRange[] | undefined {
  if (constant !== undefined) return [{ start: 0, end, place: { kind: "constant", value: constant } }];
  if (assigned || parameter < REGISTER_PARAMETERS) return undefined;
  return [{ start: 0, end, place: { kind: "frame", offset: 4 * (parameter - REGISTER_PARAMETERS) } }];
}

function rangesOf(
  variable: MachineVariable,
  code: readonly AsmInstruction[],
  starts: ArrayLike<number>,
  told: readonly VariablePlaces[],
  allocation: Allocation,
): VariableRange[] {
  const ranges: VariableRange[] = [];
  let lastLocation: number | undefined;
  for (const [i, { note }] of code.entries()) {
    if (starts[i] === starts[i + 1]) continue;
    let location = note === undefined ? undefined : told[note]?.get(variable);
    // In the middle of an instruction that became several, what it changes may be changed already.
    if (note !== undefined && code[i - 1]?.note === note && told[note + 1]?.get(variable) !== location)
      location = undefined;
    const last = ranges.at(-1);
    if (location !== undefined && location === lastLocation && last?.end === starts[i]) last.end = starts[i + 1];
    else if (location !== undefined) {
      const place: VariableRange["place"] =
        location >= 0
          ? { kind: "register", register: location }
          : { kind: "frame", offset: slotDisplacement(allocation, ~location) - EBP_TO_CFA };
      ranges.push({ start: starts[i], end: starts[i + 1], place });
    }
    lastLocation = location;
  }
  return ranges;
}
