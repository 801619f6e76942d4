/**
 * The three constants of the cost table that a conclusion may hang on, and what setting one does. May import cpu/.
 * Source of the standard values: cpu/costs.ts.
 */
import { type CostTable, STANDARD_COSTS } from "../../cpu/costs";

/** What can be set: what it is, its standard value, and a table with another one. */
const CONSTANTS = {
  walkRead: {
    title: "a page walk's read of a table entry",
    standard: STANDARD_COSTS.walkRead,
    set: (table: CostTable, walkRead: number): CostTable => ({ ...table, walkRead }),
  },
  trapEntry: {
    title: "delivery of a trap",
    standard: STANDARD_COSTS.trapEntry,
    set: (table: CostTable, trapEntry: number): CostTable => ({ ...table, trapEntry }),
  },
  iret: {
    title: "IRET",
    standard: STANDARD_COSTS.instructions.iretd,
    set: (table: CostTable, iretd: number): CostTable => ({
      ...table,
      instructions: { ...table.instructions, iretd },
    }),
  },
} as const;

export type CostName = keyof typeof CONSTANTS;
export const COST_NAMES = Object.keys(CONSTANTS) as CostName[];

/** Cycles of those constants that are not the standard ones. */
export type Costs = Readonly<Partial<Record<CostName, number>>>;

/** Most cycles that a constant may be set to. */
export const MOST_CYCLES = 10_000;

/** What a constant is, in words, and its standard cycles. */
export function costConstant(name: CostName): { title: string; standard: number } {
  return CONSTANTS[name];
}

/** The same costs in one order and without standard values, so that equal ones read the same. */
export function normalCosts(costs: Costs): Costs {
  const set = COST_NAMES.filter((name) => costs[name] !== undefined && costs[name] !== CONSTANTS[name].standard);
  return Object.fromEntries(set.map((name) => [name, costs[name]]));
}

/** The table of a machine with these costs. */
export function costTable(costs: Costs): CostTable {
  let table = STANDARD_COSTS;
  for (const name of COST_NAMES) {
    const cycles = costs[name];
    if (cycles !== undefined) table = CONSTANTS[name].set(table, cycles);
  }
  return table;
}

/** Each constant halved (rounded up) and doubled: what `--sensitivity` runs besides. */
export function variants(): Costs[] {
  return COST_NAMES.flatMap((name) => {
    const { standard } = CONSTANTS[name];
    return [{ [name]: Math.ceil(standard / 2) }, { [name]: standard * 2 }];
  });
}

/** In words: "walkRead=10". The standard table is "standard". */
export function costsText(costs: Costs): string {
  const set = Object.entries(normalCosts(costs)).map(([name, cycles]) => `${name}=${cycles}`);
  return set.length === 0 ? "standard" : set.join(" ");
}
