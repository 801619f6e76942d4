/**
 * The shell's variables: name, value, and whether programs get it. May import lib.
 */
import { argument, free, malloc, startsWith, stpcpy, strchr, strcmp, strlcpy, strlen } from "../../lib/index";

/** Variables there can be, and strings in an environment made of them. */
const CAPACITY: i32 = 64;
const NAME_BYTES: i32 = 64;

/** "NAME=value" of each variable, on the heap. */
const entries: usize = memory.data(64 * 4, 4);
const exported: usize = memory.data(64);
const environment: usize = memory.data(65 * 4, 4);
const nameBuffer: usize = memory.data(64);
let count: i32 = 0;

function find(name: usize): i32 {
  for (let i = 0; i < count; i++) {
    const entry = argument(entries, i);
    if (startsWith(entry, name) && load<u8>(entry + strlen(name)) == 0x3d) return i;
  }
  return -1;
}

/** Value of a variable, 0 when it has none. */
export function variable(name: usize): usize {
  const index = find(name);
  return index < 0 ? 0 : argument(entries, index) + strlen(name) + 1;
}

/** Sets a variable. False when there is no room for it. */
export function setVariable(name: usize, value: usize): bool {
  const entry = malloc(strlen(name) + strlen(value) + 2);
  if (entry == 0) return false;
  const equals = stpcpy(entry, name);
  store<u8>(equals, 0x3d);
  stpcpy(equals + 1, value);
  let index = find(name);
  if (index < 0) {
    if (count == CAPACITY) {
      free(entry);
      return false;
    }
    index = count++;
    store<u8>(exported + index, 0);
  } else {
    free(argument(entries, index));
  }
  store<usize>(entries + index * 4, entry);
  return true;
}

/** Programs get the variable from now on, if there is one of this name. */
export function exportVariable(name: usize): void {
  const index = find(name);
  if (index >= 0) store<u8>(exported + index, 1);
}

/** Length of the variable name that `text` begins with: letters, digits and underscores, no digit first; 0 for none. */
export function nameLength(text: usize): i32 {
  let length: i32 = 0;
  while (true) {
    const byte: u32 = load<u8>(text + length);
    const letter = (byte | 0x20) - 0x61 < 26 || byte == 0x5f;
    if (!letter && !(length != 0 && byte - 0x30 < 10)) return length;
    length++;
  }
}

/** Carries out "NAME=value". False when the word is not of that form, or there is no room. */
export function assign(word: usize): bool {
  const length = nameLength(word);
  if (length == 0 || length >= NAME_BYTES || load<u8>(word + length) != 0x3d) return false;
  strlcpy(nameBuffer, word, length + 1);
  return setVariable(nameBuffer, word + length + 1);
}

/** Takes over the environment that the shell was given. */
export function importEnvironment(envp: usize): void {
  for (let i = 0; argument(envp, i) != 0; i++) {
    if (assign(argument(envp, i))) exportVariable(nameBuffer);
  }
}

/** export's argument, NAME or NAME=value. False when it is neither. */
export function exportWord(word: usize): bool {
  if (strchr(word, 0x3d) != 0 && !assign(word)) return false;
  const length = nameLength(word);
  if (length == 0 || length >= NAME_BYTES) return false;
  strlcpy(nameBuffer, word, length + 1);
  exportVariable(nameBuffer);
  return strcmp(nameBuffer, word) == 0 || load<u8>(word + length) == 0x3d;
}

/** The environment for a program: a vector that holds until the next call. */
export function makeEnvironment(): usize {
  let at: i32 = 0;
  for (let i = 0; i < count; i++) {
    if (load<u8>(exported + i) != 0) store<usize>(environment + at++ * 4, argument(entries, i));
  }
  store<usize>(environment + at * 4, 0);
  return environment;
}
