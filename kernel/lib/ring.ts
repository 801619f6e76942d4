/**
 * A ring of bytes in memory that the owner provides: UART transmission, terminal input, pipes. `head` and `tail` count
 * all bytes ever taken and put, modulo 2^32; the capacity is a power of two. Imports nothing.
 */
@unmanaged
export class ByteRing {
  storage: usize = 0;
  capacity: u32 = 0;
  head: u32 = 0;
  tail: u32 = 0;

  /** Bytes that can be taken. */
  get used(): u32 {
    return this.tail - this.head;
  }

  /** Bytes that can be put. */
  get free(): u32 {
    return this.capacity - (this.tail - this.head);
  }
}

/** Makes the ring empty, over `capacity` bytes at `storage`. */
export function ringInit(ring: ByteRing, storage: usize, capacity: u32): void {
  ring.storage = storage;
  ring.capacity = capacity;
  ring.head = 0;
  ring.tail = 0;
}

/** Puts one byte; there must be room. */
export function ringPut(ring: ByteRing, byte: u32): void {
  store<u8>(ring.storage + (ring.tail & (ring.capacity - 1)), u8(byte));
  ring.tail++;
}

/** Takes one byte; there must be one. */
export function ringTake(ring: ByteRing): u32 {
  const byte: u32 = load<u8>(ring.storage + (ring.head & (ring.capacity - 1)));
  ring.head++;
  return byte;
}

/** Address of the first byte to take, and how many lie in a row from there: at most `limit`. For block copies. */
export function ringHeadAddress(ring: ByteRing): usize {
  return ring.storage + (ring.head & (ring.capacity - 1));
}
export function ringHeadSpan(ring: ByteRing, limit: u32): u32 {
  return min<u32>(limit, min<u32>(ring.used, ring.capacity - (ring.head & (ring.capacity - 1))));
}

/** The same for the first free byte. */
export function ringTailAddress(ring: ByteRing): usize {
  return ring.storage + (ring.tail & (ring.capacity - 1));
}
export function ringTailSpan(ring: ByteRing, limit: u32): u32 {
  return min<u32>(limit, min<u32>(ring.free, ring.capacity - (ring.tail & (ring.capacity - 1))));
}
