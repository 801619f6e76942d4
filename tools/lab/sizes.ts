/** Sizes of memory as people write and read them; inside they are KB. May import ./errors, ./experiment. */
import { LabError } from "./errors";
import type { Parameter, Value } from "./experiment";

const UNITS: Readonly<Record<string, number>> = { K: 1, M: 1024, G: 1024 * 1024 };

/** "400K", "4M", "0.25MB", "1GB": KB. Throws LabError; a size needs its unit. */
export function parseSize(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*([KMG])B?$/i.exec(text.trim()) ?? [];
  const size = Number(number) * (UNITS[(unit ?? "").toUpperCase()] ?? Number.NaN);
  if (!(Number.isInteger(size) && size > 0))
    throw new LabError(`'${text}' is no size: a number with K, M or G, whole in KB, such as 400K or 64M`);
  return size;
}

/** 4096 -> "4 MB", 1536 -> "1.5 MB", 400 -> "400 KB". */
export function sizeText(kilobytes: number): string {
  const megabytes = Number((kilobytes / 1024).toFixed(3));
  return kilobytes >= 1024 && megabytes * 1024 === kilobytes ? `${megabytes} MB` : `${kilobytes} KB`;
}

/** A value between those of a parameter, for people: to three digits. */
export function aboutText({ unit }: Parameter, value: number): string {
  const digits = (number: number) => Number(number.toPrecision(3)).toLocaleString("en-US");
  if (unit !== "KB") return digits(value);
  return value >= 1024 ? `${digits(value / 1024)} MB` : `${digits(value)} KB`;
}

/** A parameter's value, for people. */
export function valueText({ unit }: Parameter, value: Value): string {
  if (typeof value === "string") return value;
  return unit === "KB" ? sizeText(value) : value.toLocaleString("en-US");
}
