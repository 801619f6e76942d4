/**
 * Whole small files, such as those of /proc. May import syscalls and kernel/abi.
 */

import { Errno } from "../../kernel/abi/errno";
import { O_RDONLY } from "../../kernel/abi/fcntl";
import { close, open, read } from "./syscalls";

/**
 * Reads the file into `buffer` and puts a NUL after it. Bytes read, or -errno: EFBIG when file and NUL do not fit in
 * `capacity` bytes.
 */
export function readFile(path: usize, buffer: usize, capacity: i32): i32 {
  const fd = open(path, O_RDONLY);
  if (fd < 0) return fd;
  let bytes: i32 = 0;
  let got: i32 = 0;
  do {
    bytes += got;
    got = read(fd, buffer + bytes, capacity - bytes);
  } while (got > 0 && bytes + got < capacity);
  close(fd);
  if (got < 0) return got;
  if (got != 0) return -Errno.EFBIG;
  store<u8>(buffer + bytes, 0);
  return bytes;
}
