/**
 * The options of a trace, which `tine trace` and `tine boot --trace` share, and what they mean. May import commander, tools/trace's plain data,
 * options.ts and exitcodes.ts.
 */
import { type Command, InvalidArgumentError, Option } from "commander";
import { EVENT_NAMES, parseEventSpec } from "../trace/eventspec";
import {
  ALL_LETTERS,
  CATEGORIES,
  EVENT_LETTERS,
  FIELDS,
  type Field,
  type TraceFilter,
  type Watch,
} from "../trace/filter";
import type { TraceSpec } from "../trace/session";
import { CliError } from "./exitcodes";
import { wholeNumber } from "./options";
import { writableFile } from "./outputfile";

export interface TraceOptions {
  /** Category letters. */
  trace?: string;
  att?: boolean;
  fields?: Field[];
  without?: Field[];
  pid?: number[];
  ring?: number[];
  func?: string[];
  range?: [number, number][];
  from?: number;
  count?: number;
  after?: string;
  until?: string;
  marked?: boolean;
  watch?: Watch[];
  last?: number;
  output?: string;
  binary?: string;
}

const HIGHEST_ADDRESS = 0xffffffff;

/** An address in hexadecimal, with 0x or without. */
function address(text: string): number {
  const value = /^(0x)?[0-9a-f]{1,8}$/i.test(text) ? Number.parseInt(text, 16) : Number.NaN;
  if (value >= 0 && value <= HIGHEST_ADDRESS) return value;
  throw new InvalidArgumentError(`'${text}' is no address; it wants hexadecimal digits.`);
}

function letters(text: string): string {
  if (text === "all") return ALL_LETTERS;
  if (text === "events") return EVENT_LETTERS;
  const wrong = [...text].find((letter) => !CATEGORIES.some((category) => category.letter === letter));
  if (wrong === undefined && text !== "") return text;
  const known = CATEGORIES.map((category) => category.letter).join("");
  throw new InvalidArgumentError(`It wants letters of ${known}, or one of all, events.`);
}

function fieldList(text: string): Field[] {
  const names = text.split(",");
  const wrong = names.find((name) => !(FIELDS as readonly string[]).includes(name));
  if (wrong === undefined) return names as Field[];
  throw new InvalidArgumentError(`There is no field '${wrong}'; there are ${FIELDS.join(", ")}.`);
}

function event(text: string): string {
  try {
    parseEventSpec(text);
    return text;
  } catch (error) {
    throw new InvalidArgumentError(`${(error as Error).message}.`);
  }
}

/** An option that may be given more than once, or take several values with commas. */
function collect<Value>(parse: (text: string) => Value): (text: string, before?: Value[]) => Value[] {
  return (text, before = []) => [...before, ...text.split(",").map(parse)];
}

function range(text: string): [number, number] {
  const [first, last, ...more] = text.split("-");
  if (first === undefined || last === undefined || more.length > 0) {
    throw new InvalidArgumentError("It wants two addresses with a hyphen between them: c0101000-c0102000.");
  }
  return [address(first), address(last)];
}

function watch(text: string): Watch {
  const isPhysical = text.startsWith("phys:");
  return { address: address(isPhysical ? text.slice("phys:".length) : text), isPhysical };
}

/** Help that goes below the options. */
export const TRACE_HELP = `
Categories (--trace LETTERS, or all, or events):
${CATEGORIES.map(({ letter, words }) => `  ${letter}  ${words}`).join("\n")}

Events (--after, --until), with what may stand behind a colon; #N for the N-th:
${Object.entries(EVENT_NAMES)
  .map(([name, { what }]) => `  ${name}${what === undefined ? "" : `:${what.toUpperCase()}`}`)
  .join("\n")}`;

/** Adds the options that say how lines look and where they go. */
export function withLineOptions(command: Command): Command {
  return command
    .option("--att", "AT&T's syntax instead of Intel's")
    .addOption(new Option("--fields <names>", `only these fields: ${FIELDS.join(",")}`).argParser(fieldList))
    .addOption(new Option("--without <names>", "all fields but these").argParser(fieldList).conflicts("fields"))
    .option("--output <file>", "write the trace to a file");
}

/** Adds the options that choose what is shown; `--trace` itself is the command's own. */
export function withTraceOptions(command: Command): Command {
  const instructions = wholeNumber(0, Number.MAX_SAFE_INTEGER, "instructions");
  return withLineOptions(command)
    .addOption(
      new Option("--pid <N>", "only these processes").argParser(collect(wholeNumber(0, 0xffffff, "a process"))),
    )
    .addOption(new Option("--ring <N>", "only these rings").argParser(collect(wholeNumber(0, 3, "a ring"))))
    .addOption(new Option("--func <name>", "only this function and what it calls").argParser(collect((name) => name)))
    .addOption(new Option("--range <A-B>", "only instructions at these addresses").argParser(collect(range)))
    .addOption(new Option("--from <N>", "only from instruction N on").argParser(instructions))
    .addOption(new Option("--count <N>", "only so many instructions").argParser(instructions))
    .addOption(new Option("--after <event>", "only behind this event").argParser(event))
    .addOption(new Option("--until <event>", "only up to this event").argParser(event))
    .option("--marked", "only between the guest's own traceOn() and traceOff()")
    .addOption(
      new Option("--watch <address>", "only what writes this word; phys:ADDRESS for a physical one").argParser(
        collect(watch),
      ),
    )
    .addOption(
      new Option("--binary <file>", "write the trace to a file in a few bytes an instruction: tine trace show FILE")
        .argParser(writableFile)
        .conflicts(["fields", "without", "att"]),
    )
    .addHelpText("after", TRACE_HELP);
}

/** How lines look, as the options say. */
export function lineForm({ fields, without, att }: TraceOptions): Pick<TraceSpec, "fields" | "syntax"> {
  return {
    fields: fields ?? FIELDS.filter((field) => !without?.includes(field)),
    syntax: att ? "att" : "intel",
  };
}

/** What the options above say. `target` is where the text goes when they name no file; `command` is what is traced, for people. */
export function traceSpecOf(options: TraceOptions, target: number, command: string): TraceSpec {
  const { from = 0, count = Number.POSITIVE_INFINITY, last, watch: watches } = options;
  if (last !== undefined && (options.from !== undefined || options.count !== undefined)) {
    throw new CliError("--last takes the end of the run: neither --from nor --count goes with it");
  }
  const filter: TraceFilter = {
    letters: options.trace ?? (watches ? "" : ALL_LETTERS),
    from,
    to: from + count,
    marked: options.marked ?? false,
    ...(options.pid ? { pids: options.pid } : {}),
    ...(options.ring ? { rings: options.ring } : {}),
    ...(options.func ? { functions: options.func } : {}),
    ...(options.range ? { ranges: options.range } : {}),
    ...(options.after === undefined ? {} : { after: options.after }),
    ...(options.until === undefined ? {} : { until: options.until }),
    ...(watches ? { watches } : {}),
  };
  const output = options.output ?? (options.binary === undefined ? target : undefined);
  return {
    filter,
    ...lineForm(options),
    ...(output === undefined ? {} : { output }),
    ...(options.binary === undefined ? {} : { binary: { path: options.binary, command } }),
  };
}

/** `--trace`, for commands that trace only with it. */
export const traceLettersOption = (description: string): Option =>
  new Option("--trace <letters>", description).argParser(letters);
