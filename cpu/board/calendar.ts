/**
 * What the real-time clock's registers say: seconds of a civil calendar to bytes and back, and when an alarm matches. May
 * import nothing. Invariant: encodeTime(decodeTime(x)) is x for every register set that names a time; for others it is one
 * that does, nearby.
 * Source: Motorola MC146818A data sheet, "Time, calendar and alarm locations" (table 3), "Alarm" (don't-care codes).
 */

/** Addresses of the time in the clock's memory. The century is where a PC's firmware keeps it. */
export const enum TimeByte {
  Seconds = 0,
  SecondsAlarm = 1,
  Minutes = 2,
  MinutesAlarm = 3,
  Hours = 4,
  HoursAlarm = 5,
  Weekday = 6,
  Day = 7,
  Month = 8,
  Year = 9,
  Century = 0x32,
}

/** How bytes are to be read: register B's bits DM (binary) and 24/12. */
export interface TimeFormat {
  binary: boolean;
  hours24: boolean;
}

export const SECONDS_OF_DAY = 86_400;
const AFTERNOON = 0x80;
/** Alarm bytes from here on match anything. */
const ANY = 0xc0;

function decode(byte: number, { binary }: TimeFormat): number {
  return binary ? byte : (byte >> 4) * 10 + (byte & 15);
}

function encode(value: number, { binary }: TimeFormat): number {
  return binary ? value : (Math.floor(value / 10) << 4) | (value % 10);
}

function decodeHour(byte: number, format: TimeFormat): number {
  if (format.hours24) return decode(byte, format);
  return (decode(byte & ~AFTERNOON, format) % 12) + ((byte & AFTERNOON) !== 0 ? 12 : 0);
}

function encodeHour(hour: number, format: TimeFormat): number {
  if (format.hours24) return encode(hour, format);
  return encode(hour % 12 || 12, format) | (hour >= 12 ? AFTERNOON : 0);
}

/** Seconds since 1970 that the registers name. */
export function decodeTime(bytes: Uint8Array, format: TimeFormat): number {
  const year = decode(bytes[TimeByte.Century], format) * 100 + decode(bytes[TimeByte.Year], format);
  const month = decode(bytes[TimeByte.Month], format) - 1;
  const hour = decodeHour(bytes[TimeByte.Hours], format);
  const [day, minute, second] = [TimeByte.Day, TimeByte.Minutes, TimeByte.Seconds].map((at) =>
    decode(bytes[at], format),
  );
  return Date.UTC(year, month, day, hour, minute, second) / 1000;
}

/** Puts a time, in seconds since 1970, into the registers, but for the day of the week. */
export function encodeTime(bytes: Uint8Array, seconds: number, format: TimeFormat): void {
  const date = new Date(seconds * 1000);
  bytes[TimeByte.Seconds] = encode(date.getUTCSeconds(), format);
  bytes[TimeByte.Minutes] = encode(date.getUTCMinutes(), format);
  bytes[TimeByte.Hours] = encodeHour(date.getUTCHours(), format);
  bytes[TimeByte.Day] = encode(date.getUTCDate(), format);
  bytes[TimeByte.Month] = encode(date.getUTCMonth() + 1, format);
  bytes[TimeByte.Year] = encode(date.getUTCFullYear() % 100, format);
  bytes[TimeByte.Century] = encode(Math.floor(date.getUTCFullYear() / 100), format);
}

/** Day of the week of a time, from 1 (Sunday). */
export function weekdayOf(seconds: number): number {
  return new Date(seconds * 1000).getUTCDay() + 1;
}

/**
 * How many seconds after a time (in seconds, of any day) the alarm bytes next match: 1 to a day, or Infinity for bytes that
 * no time has.
 */
export function secondsToAlarm(bytes: Uint8Array, seconds: number, format: TimeFormat): number {
  const hour = bytes[TimeByte.HoursAlarm];
  const minute = bytes[TimeByte.MinutesAlarm];
  const second = bytes[TimeByte.SecondsAlarm];
  const end = seconds + SECONDS_OF_DAY;
  let at = seconds + 1;
  while (at <= end) {
    if (hour < ANY && decodeHour(hour, format) !== Math.floor(at / 3600) % 24) at = (Math.floor(at / 3600) + 1) * 3600;
    else if (minute < ANY && decode(minute, format) !== Math.floor(at / 60) % 60) at = (Math.floor(at / 60) + 1) * 60;
    else if (second < ANY && decode(second, format) !== at % 60) at++;
    else return at - seconds;
  }
  return Infinity;
}
