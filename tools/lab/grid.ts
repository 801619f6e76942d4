/**
 * The points of a run: every value of each parameter with every mode and table of costs, and a batch system's share of them. May import the
 * declarations only.
 * Invariant: the same options give the same points in the same order on every host, so that shards fit together.
 */
import type { Costs } from "./costs";
import { LabError } from "./errors";
import {
  DEFAULT_MODES,
  type Experiment,
  MODES,
  type Mode,
  type Parameter,
  type Value,
  type Values,
} from "./experiment";
import type { Point } from "./point";
import { setupOf } from "./point";
import { parseSize, valueText } from "./sizes";

/** The kernel maps no more RAM, and boots in no less. */
const MOST_MEMORY = 896;
const LEAST_MEMORY = 4;

/** What is asked for. */
export interface GridOptions {
  /** The experiment's own unless told. */
  modes?: readonly Mode[] | undefined;
  /** Texts of `--sizes`. */
  sizes?: readonly string[] | undefined;
  /** Texts of `--set`: by parameter. */
  set?: Readonly<Record<string, readonly string[]>>;
  /** Larger sizes and more steps too. */
  full?: boolean | undefined;
  costs: readonly Costs[];
}

/** Checks names of modes. Throws LabError. */
export function parseModes(names: readonly string[]): Mode[] {
  return names.map((name) => {
    if (!(name in MODES))
      throw new LabError(`no mode is called '${name}'; there are: ${Object.keys(MODES).join(", ")}`);
    return name as Mode;
  });
}

function parseValue(parameter: Parameter, text: string): Value {
  const { name, values, unit, least = -Infinity, most = Infinity } = parameter;
  if (typeof values[0] === "string") {
    const all = [...values, ...(parameter.full ?? [])];
    if (!all.includes(text)) throw new LabError(`${name} is one of ${all.join(", ")}, not '${text}'`);
    return text;
  }
  const value = unit === "KB" ? parseSize(text) : Number(text);
  if (!Number.isFinite(value)) throw new LabError(`${name} is a number, not '${text}'`);
  if (value < least || value > most) {
    const [from, to] = [least, most].map((each) => valueText(parameter, each));
    throw new LabError(`${name} ${valueText(parameter, value)}: it goes from ${from} to ${to}`);
  }
  return value;
}

/** The values that each parameter takes. */
function valuesOf(parameter: Parameter, { sizes, set = {}, full }: GridOptions): readonly Value[] {
  const texts = set[parameter.name] ?? (parameter.name === "size" ? sizes : undefined);
  if (texts !== undefined) return [...new Set(texts.map((text) => parseValue(parameter, text)))];
  return full ? [...parameter.values, ...(parameter.full ?? [])] : parameter.values;
}

/** Every combination, the last parameter changing fastest. */
function combinations(parameters: readonly Parameter[], options: GridOptions): Values[] {
  let all: Values[] = [{}];
  for (const parameter of parameters) {
    const values = valuesOf(parameter, options);
    all = all.flatMap((one) => values.map((value) => ({ ...one, [parameter.name]: value })));
  }
  return all;
}

function modesOf({ modes = [] }: Experiment, asked: readonly Mode[] | undefined): readonly Mode[] {
  return asked ?? [...DEFAULT_MODES, ...modes];
}

/** Throws LabError where a point needs more memory than there can be. */
function checkMemory(experiment: Experiment, values: Values, mode: Mode): void {
  const { memoryMB } = setupOf(experiment, values, mode);
  if (memoryMB >= LEAST_MEMORY && memoryMB <= MOST_MEMORY) return;
  const place = experiment.parameters.map((each) => `${each.name} ${valueText(each, values[each.name] as Value)}`);
  throw new LabError(
    `${experiment.name}: ${place.join(", ")} needs a machine of ${memoryMB} MB; there are machines of ${LEAST_MEMORY} to ${MOST_MEMORY} MB`,
  );
}

/** The points of an experiment. Throws LabError for a value that its parameter cannot take and for one that does not fit the memory. */
export function pointsOf(experiment: Experiment, options: GridOptions): Point[] {
  const { name, parameters, holds = () => true } = experiment;
  const grid = combinations(parameters, options).filter((values) => holds(values));
  if (grid.length === 0) throw new LabError(`${name}: no combination of these values makes sense`);
  return grid.flatMap((values) =>
    modesOf(experiment, options.modes).flatMap((mode) => {
      checkMemory(experiment, values, mode);
      return options.costs.map((costs) => ({ experiment: name, values, mode, costs }));
    }),
  );
}

/** All points of several experiments. Throws LabError also for a parameter that none of them has. */
export function pointsOfAll(experiments: readonly Experiment[], options: GridOptions): Point[] {
  const known = new Set(experiments.flatMap(({ parameters }) => parameters.map(({ name }) => name)));
  const asked = [...Object.keys(options.set ?? {}), ...(options.sizes === undefined ? [] : ["size"])];
  const unknown = asked.find((name) => !known.has(name));
  if (unknown !== undefined) {
    const names = experiments.map(({ name }) => name).join(", ");
    throw new LabError(`${names}: no parameter is called '${unknown}'; there are: ${[...known].join(", ")}`);
  }
  return experiments.flatMap((experiment) => pointsOf(experiment, options));
}

/** One machine's share of a run: `index` (from 1) of `count`. */
export interface Shard {
  index: number;
  count: number;
}

/** "2/8". Throws LabError. */
export function parseShard(text: string): Shard {
  const [, index, count] = (/^(\d+)\/(\d+)$/.exec(text) ?? []).map(Number);
  if (index === undefined || count === undefined || index < 1 || index > count)
    throw new LabError(`a shard is I/N with I from 1 to N, such as 2/8, not '${text}'`);
  return { index, count };
}

/** The points of a shard: every count-th, so that each shard has some of the large ones. */
export function inShard<T>(points: readonly T[], { index, count }: Shard): T[] {
  return points.filter((_, place) => place % count === index - 1);
}
