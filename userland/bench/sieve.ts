/**
 * Benchmark: the sieve of Eratosthenes over 64 KB of bytes. `main` is entered without a kernel (tests/bench/guests/compiled.ts),
 * so it makes no system call. May import nothing.
 */
const LIMIT: u32 = 65536;
const composite: usize = memory.data(65536, 4096);

function sieve(): u32 {
  for (let i: u32 = 0; i < LIMIT; i += 4) store<u32>(composite + i, 0);
  let sum: u32 = 0;
  for (let i: u32 = 2; i < LIMIT; i++) {
    if (load<u8>(composite + i) != 0) continue;
    sum += i;
    for (let multiple = i + i; multiple < LIMIT; multiple += i) store<u8>(composite + multiple, 1);
  }
  return sum;
}

/** Sieves `rounds` times; the result mixes the sums of the primes. */
export function main(rounds: i32, _argv: usize, _envp: usize): i32 {
  let checksum: u32 = 0;
  for (let i = 0; i < rounds; i++) checksum = rotl<u32>(checksum, 1) ^ sieve();
  return i32(checksum);
}
