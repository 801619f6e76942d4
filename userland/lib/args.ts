/**
 * Vectors of strings, as argv and envp are: addresses, a 0 after the last. May import string.
 */
import { startsWith, strlen } from "./string";

/** String `index` of a vector; 0 after the last. */
export function argument(vector: usize, index: i32): usize {
  return load<usize>(vector + index * 4);
}

/** Value of `name` in an environment of "NAME=value" strings, 0 when it has none. */
export function environmentValue(environment: usize, name: usize): usize {
  for (let i = 0; argument(environment, i) != 0; i++) {
    const entry = argument(environment, i);
    if (startsWith(entry, name) && load<u8>(entry + strlen(name)) == 0x3d) return entry + strlen(name) + 1;
  }
  return 0;
}
