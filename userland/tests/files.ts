/**
 * Files, directories, descriptors and pipes. May import lib and support/.
 */
import {
  chdir,
  close,
  cstr,
  DIRENT64_NAME,
  Dirent64,
  dup,
  dup2,
  Errno,
  exit,
  fork,
  fstat,
  getcwd,
  getdents,
  lseek,
  mkdir,
  O_APPEND,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
  open,
  pipe,
  read,
  rmdir,
  S_IFDIR,
  S_IFMT,
  S_IFREG,
  SEEK_CUR,
  SEEK_END,
  SEEK_SET,
  Stat64,
  same,
  stat,
  streq,
  test,
  testBegin,
  testEnd,
  unlink,
  waitSuccess,
  write,
} from "../lib/index";
import { outputOf, programStatus, sameText, vectorOf } from "./support/programs";
import { childEnd, hear, pairEnd, startChild, tell } from "./support/turns";

const BLOCK: i32 = 4096;
const block: usize = memory.data(4096);
const other: usize = memory.data(4096);
const ends: usize = memory.data(8, 4);
const information: Stat64 = changetype<Stat64>(memory.data(96, 4));

function makeFile(path: usize): i32 {
  const fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0o644);
  assert(fd >= 0, "a file can be made");
  return fd;
}

function writeAndRead(): void {
  const fd = makeFile(cstr("/file"));
  assert(same(write(fd, cstr("hello, world"), 12), 12), "bytes can be written");
  assert(same(lseek(fd, 0, SEEK_SET), 0) && same(read(fd, block, BLOCK), 12), "and read");
  assert(same(read(fd, block, BLOCK), 0), "to the end");
  assert(same(lseek(fd, -5, SEEK_END), 7) && same(read(fd, block, 3), 3), "from any position");
  assert(same(load<u8>(block), 0x77), "the right ones");
  assert(same(lseek(fd, 0, SEEK_CUR), 10), "which moves on");
  assert(same(lseek(fd, -1, SEEK_SET), -Errno.EINVAL), "and is never before the beginning");
  assert(same(lseek(fd, 20, SEEK_SET), 20) && same(write(fd, cstr("x"), 1), 1), "a hole can be left");
  assert(same(lseek(fd, 15, SEEK_SET), 15) && same(read(fd, block, 1), 1) && same(load<u8>(block), 0), "of zeros");
  assert(fstat(fd, information) == 0 && same(information.size, 21), "the size is that of the end");
  assert(same(information.mode & S_IFMT, S_IFREG), "of a file");
  close(fd);
  assert(same(read(fd, block, 1), -Errno.EBADF), "a closed descriptor is none");
  const reader = open(cstr("/file"), O_RDONLY);
  assert(same(write(reader, block, 1), -Errno.EBADF), "what was opened for reading cannot be written");
  close(reader);
  const appender = open(cstr("/file"), O_WRONLY | O_APPEND);
  assert(same(write(appender, cstr("y"), 1), 1) && fstat(appender, information) == 0, "appending");
  assert(same(information.size, 22), "writes at the end");
  close(appender);
  close(makeFile(cstr("/file")));
  assert(stat(cstr("/file"), information) == 0 && same(information.size, 0), "truncating empties");
  assert(unlink(cstr("/file")) == 0, "a file can be removed");
  assert(same(open(cstr("/file"), O_RDONLY), -Errno.ENOENT), "and is gone");
}

function largeFile(): void {
  const fd = makeFile(cstr("/large"));
  for (let i = 0; i < 64; i++) {
    memory.fill(block, u8(i), BLOCK);
    assert(same(write(fd, block, BLOCK), BLOCK), "a large file can be written");
  }
  lseek(fd, 0, SEEK_SET);
  for (let i = 0; i < 64; i++) {
    assert(same(read(fd, other, BLOCK), BLOCK), "and read");
    assert(same(load<u8>(other), i) && same(load<u8>(other + BLOCK - 1), i), "as it was written");
  }
  assert(unlink(cstr("/large")) == 0, "a file that is open can be removed");
  assert(same(lseek(fd, 8192, SEEK_SET), 8192) && same(read(fd, other, 1), 1), "and still be read");
  assert(same(load<u8>(other), 2), "until it is closed");
  close(fd);
}

function openErrors(): void {
  assert(same(open(cstr("/nonesuch"), O_RDONLY), -Errno.ENOENT), "no such file");
  assert(same(open(cstr("/nonesuch/file"), O_RDONLY | O_CREAT), -Errno.ENOENT), "no such directory");
  assert(same(open(cstr("/bin/ls/file"), O_RDONLY), -Errno.ENOTDIR), "a file is no directory");
  assert(same(open(cstr("/bin/ls"), O_RDONLY | O_DIRECTORY), -Errno.ENOTDIR), "nor when one is wanted");
  assert(same(open(cstr("/bin"), O_RDWR), -Errno.EISDIR), "a directory cannot be written");
  assert(same(open(cstr("/bin/ls"), O_RDWR | O_CREAT | O_EXCL), -Errno.EEXIST), "what is there cannot be made anew");
  assert(same(close(17), -Errno.EBADF) && same(close(-1), -Errno.EBADF), "what is not open cannot be closed");
}

function directories(): void {
  assert(mkdir(cstr("/d"), 0o755) == 0, "a directory can be made");
  assert(same(mkdir(cstr("/d"), 0o755), -Errno.EEXIST), "once");
  assert(stat(cstr("/d"), information) == 0 && same(information.mode & S_IFMT, S_IFDIR), "it is one");
  close(makeFile(cstr("/d/file")));
  assert(same(rmdir(cstr("/d")), -Errno.ENOTEMPTY), "it must be empty to be removed");
  assert(same(rmdir(cstr("/d/file")), -Errno.ENOTDIR), "a file is no directory");
  assert(same(unlink(cstr("/d")), -Errno.EISDIR), "and a directory no file");
  assert(chdir(cstr("/d")) == 0 && getcwd(block, 64) == 3 && streq(block, cstr("/d")), "one can go there");
  assert(stat(cstr("file"), information) == 0, "and name what is there");
  assert(stat(cstr("../d/./file"), information) == 0, "by any way");
  assert(same(chdir(cstr("file")), -Errno.ENOTDIR), "but not into a file");
  let seen: i32 = 0;
  const fd = open(cstr("."), O_RDONLY | O_DIRECTORY);
  while (true) {
    const got = getdents(fd, block, BLOCK);
    if (got <= 0) break;
    for (let at: i32 = 0; at < got; at += changetype<Dirent64>(block + at).recordBytes) {
      if (streq(block + at + DIRENT64_NAME, cstr("file"))) seen++;
    }
  }
  close(fd);
  assert(same(seen, 1), "a directory lists each name once");
  assert(unlink(cstr("file")) == 0 && chdir(cstr("/")) == 0 && rmdir(cstr("/d")) == 0, "and can be removed when empty");
}

function descriptors(): void {
  const fd = makeFile(cstr("/file"));
  assert(same(fd, 3), "the lowest free descriptor is given");
  assert(same(dup(fd), 4), "also by dup");
  assert(same(dup2(fd, 9), 9), "dup2 gives the one asked for");
  assert(same(write(9, cstr("abc"), 3), 3) && same(lseek(4, 0, SEEK_CUR), 3), "all are the same open file");
  assert(same(dup2(9, 9), 9), "dup2 of itself changes nothing");
  assert(same(dup2(17, 3), -Errno.EBADF), "dup2 of none is an error");
  close(fd);
  assert(same(lseek(4, 0, SEEK_CUR), 3), "closing one leaves the others");
  assert(same(open(cstr("/file"), O_RDONLY), 3), "and its number free");
  let count: i32 = 0;
  let last: i32 = 0;
  while (true) {
    last = dup(3);
    if (last < 0) break;
    count++;
  }
  assert(same(last, -Errno.EMFILE) && count > 10, "there is a limit");
  assert(unlink(cstr("/file")) == 0, "the file can be removed");
}

function pipesFlow(): void {
  assert(pipe(ends) == 0, "there is a pipe");
  assert(same(lseek(load<i32>(ends), 0, SEEK_CUR), -Errno.ESPIPE), "it has no position");
  // More than it holds, so that writer and reader wait for each other.
  const total: i32 = 50000;
  const pid = fork();
  if (pid == 0) {
    close(load<i32>(ends));
    for (let i: i32 = 0; i < total; i += 1000) {
      for (let j: i32 = 0; j < 1000; j++) store<u8>(block + j, u8((i + j) % 251));
      assert(same(write(load<i32>(ends + 4), block, 1000), 1000), "a write waits until all of it is in");
    }
    exit(0);
  }
  close(load<i32>(ends + 4));
  let received: i32 = 0;
  while (true) {
    const got = read(load<i32>(ends), other, 777);
    assert(got >= 0, "the pipe can be read");
    if (got == 0) break;
    for (let j: i32 = 0; j < got; j++) {
      if (load<u8>(other + j) != u8((received + j) % 251))
        assert(false, "bytes come in the order in which they went in");
    }
    received += got;
  }
  assert(same(received, total), "all of them, and then the end");
  close(load<i32>(ends));
  waitSuccess(pid);
}

function pipeEnds(): void {
  assert(pipe(ends) == 0, "there is a pipe");
  assert(same(write(load<i32>(ends + 4), cstr("abc"), 3), 3), "what is written");
  assert(same(read(load<i32>(ends), block, 100), 3), "is read without waiting for more");
  const pid = startChild();
  if (pid == 0) {
    close(load<i32>(ends + 4));
    tell();
    assert(same(read(load<i32>(ends), block, 100), 0), "the reader learns that no writer is left");
    childEnd();
  }
  hear();
  close(load<i32>(ends + 4));
  close(load<i32>(ends));
  pairEnd(pid);
}

function shell(commands: usize): usize {
  return outputOf(cstr("/bin/sh"), vectorOf(cstr("sh"), cstr("-c"), commands));
}

function shellRuns(): void {
  assert(sameText(shell(cstr("echo a 'b  c' \"d $?\"")), cstr("a b  c d 0\n")), "words and quotes");
  assert(sameText(shell(cstr("echo one two | cat | wc; wc -l < /proc/cmdline")), cstr("1 2 8\n1\n")), "pipelines");
  assert(sameText(shell(cstr("false; echo $?; true; echo $?")), cstr("1\n0\n")), "statuses");
  assert(sameText(shell(cstr("false && echo no || echo yes")), cstr("yes\n")), "and, or");
  assert(sameText(shell(cstr("X=5; echo $X\x24{X}$NONE; # nothing")), cstr("55\n")), "variables and comments");
  assert(sameText(shell(cstr("echo a > /f; echo b >> /f; cat < /f; rm /f")), cstr("a\nb\n")), "redirections");
  assert(sameText(shell(cstr("sleep 0 & wait; echo done")), cstr("done\n")), "the background");
  assert(
    sameText(shell(cstr("cd /bin; cat nonesuch 2>&1")), cstr("cat: nonesuch: no such file or directory\n")),
    "errors",
  );
  assert(sameText(shell(cstr("nonesuch; echo $?")), cstr("nonesuch: not found\n127\n")), "a command that is not there");
  shell(cstr("exit 9"));
  assert(same(programStatus, 9 << 8), "its exit status");
  assert(
    sameText(shell(cstr("cat nofile; exit")), cstr("cat: nofile: no such file or directory\n")),
    "that of the last command",
  );
  assert(same(programStatus, 1 << 8), "by default");
}

export function main(argc: i32, argv: usize, _envp: usize): i32 {
  testBegin(argc, argv);
  test(cstr("files are written, read, truncated and removed"), writeAndRead);
  test(cstr("a large file, removed while it is open"), largeFile);
  test(cstr("open and close say what is wrong"), openErrors);
  test(cstr("directories"), directories);
  test(cstr("descriptors"), descriptors);
  test(cstr("a pipe makes writer and reader wait for each other"), pipesFlow);
  test(cstr("a pipe ends with its last writer"), pipeEnds);
  test(cstr("the shell runs commands"), shellRuns);
  return testEnd();
}
