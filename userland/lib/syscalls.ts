/**
 * The system calls, one function each, with Linux's meaning (section 2 of the manual). Each answers what the kernel
 * answers: a result that is not negative, or -errno (kernel/abi/errno.ts); there is no errno variable. Paths are
 * addresses of NUL-terminated strings; buffers and structures are addresses. May import kernel/abi only.
 * Source: Linux arch/i386/kernel/entry.S for numbers and argument order.
 */

import { MAX_ERRNO } from "../../kernel/abi/errno";
import { syscall0, syscall1, syscall2, syscall3, syscall4, syscall5, syscall6 } from "../../kernel/abi/intrinsics";
import { MAP_ANONYMOUS } from "../../kernel/abi/mman";
import { Stat64, Timespec } from "../../kernel/abi/structs";
import { Syscall } from "../../kernel/abi/syscalls";

/** Whether an address that mmap answered is -errno. */
export function isError(result: usize): bool {
  return result > usize(-1) - MAX_ERRNO;
}

/** Ends the process, and every thread of it, with `status` & 255. Does not return. */
export function exit(status: i32): void {
  syscall1(Syscall.ExitGroup, status);
}

/** 0 in the child, the child's pid in the parent; EAGAIN or ENOMEM when there is no room for another process. */
export function fork(): i32 {
  return syscall0(Syscall.Fork);
}

/** Bytes read, 0 at the end of the file. */
export function read(fd: i32, buffer: usize, bytes: usize): i32 {
  return syscall3(Syscall.Read, fd, buffer, bytes);
}

/** Bytes written, which may be fewer than asked for. */
export function write(fd: i32, buffer: usize, bytes: usize): i32 {
  return syscall3(Syscall.Write, fd, buffer, bytes);
}

/** A descriptor for the file; flags and mode are those of kernel/abi/fcntl.ts. */
export function open(path: usize, flags: u32, mode: u32 = 0): i32 {
  return syscall3(Syscall.Open, path, flags, mode);
}

export function close(fd: i32): i32 {
  return syscall1(Syscall.Close, fd);
}

/**
 * Waits for a child to end: `pid` > 0 that one, -1 any. Its pid; its status word (kernel/abi/wait.ts) at `status` unless
 * that is 0. With WNOHANG 0 when none has ended yet. ECHILD when there is none to wait for.
 */
export function wait4(pid: i32, status: usize, options: u32, usage: usize): i32 {
  return syscall4(Syscall.Wait4, pid, status, options, usage);
}

/** wait4 without resource usage. */
export function waitpid(pid: i32, status: usize, options: u32 = 0): i32 {
  return wait4(pid, status, options, 0);
}

export function unlink(path: usize): i32 {
  return syscall1(Syscall.Unlink, path);
}

/** Puts the program `path` in the process's place. Returns only to say why not. */
export function execve(path: usize, argv: usize, envp: usize): i32 {
  return syscall3(Syscall.Execve, path, argv, envp);
}

export function chdir(path: usize): i32 {
  return syscall1(Syscall.Chdir, path);
}

/** The new position, in bytes from the beginning. */
export function lseek(fd: i32, offset: i32, whence: u32): i32 {
  return syscall3(Syscall.Lseek, fd, offset, whence);
}

/** Sets the size of a file, in bytes. */
export function ftruncate(fd: i32, bytes: u32): i32 {
  return syscall2(Syscall.Ftruncate, fd, bytes);
}

export function getpid(): i32 {
  return syscall0(Syscall.Getpid);
}

export function getppid(): i32 {
  return syscall0(Syscall.Getppid);
}

/** 0 when the path is there and may be used as asked (kernel/abi/fcntl.ts, F_OK and others). */
export function access(path: usize, mode: u32): i32 {
  return syscall2(Syscall.Access, path, mode);
}

/** Sends a signal to process `pid`; signal 0 only asks whether it is there. */
export function kill(pid: i32, signal: i32): i32 {
  return syscall2(Syscall.Kill, pid, signal);
}

export function mkdir(path: usize, mode: u32): i32 {
  return syscall2(Syscall.Mkdir, path, mode);
}

export function rmdir(path: usize): i32 {
  return syscall1(Syscall.Rmdir, path);
}

/** The lowest free descriptor, for the same open file. */
export function dup(fd: i32): i32 {
  return syscall1(Syscall.Dup, fd);
}

/** `target` becomes a descriptor for the open file of `fd`; what it was is closed. */
export function dup2(fd: i32, target: i32): i32 {
  return syscall2(Syscall.Dup2, fd, target);
}

/** Two descriptors at `ends`: the reading end, then the writing end. */
export function pipe(ends: usize): i32 {
  return syscall1(Syscall.Pipe, ends);
}

/** Moves the end of the heap to `address` if that can be; the end as it then is. `brk(0)` only asks. Never an error. */
export function brk(address: usize): usize {
  return syscall1(Syscall.Brk, address);
}

export function ioctl(fd: i32, request: u32, argument: usize): i32 {
  return syscall3(Syscall.Ioctl, fd, request, argument);
}

/** What sigaction (67) does with `handler` SIG_DFL or SIG_IGN: structures OldSigaction, 0 for none. */
export function sigaction(signal: i32, action: usize, old: usize): i32 {
  return syscall3(Syscall.Sigaction, signal, action, old);
}

/** mmap2: the file offset is in pages. The address, or -errno, which isError() tells apart. */
export function mmap(address: usize, bytes: usize, protection: u32, flags: u32, fd: i32 = -1, page: u32 = 0): usize {
  return syscall6(Syscall.Mmap2, address, bytes, protection, flags, fd, page);
}

/** mmap of fresh zeroed memory; `flags` is MAP_PRIVATE or MAP_SHARED, with MAP_FIXED when `address` must hold. */
export function mmapAnonymous(address: usize, bytes: usize, protection: u32, flags: u32): usize {
  return mmap(address, bytes, protection, flags | MAP_ANONYMOUS);
}

export function munmap(address: usize, bytes: usize): i32 {
  return syscall2(Syscall.Munmap, address, bytes);
}

export function mprotect(address: usize, bytes: usize, protection: u32): i32 {
  return syscall3(Syscall.Mprotect, address, bytes, protection);
}

/** Shrinks, grows or (MREMAP_MAYMOVE) moves a mapping: its address then, or -errno. `target` goes with MREMAP_FIXED. */
export function mremap(address: usize, oldBytes: usize, newBytes: usize, flags: u32, target: usize = 0): usize {
  return syscall5(Syscall.Mremap, address, oldBytes, newBytes, flags, target);
}

/** Advice for whole pages: kernel/abi/mman.ts, MADV_DONTNEED and others. */
export function madvise(address: usize, bytes: usize, advice: u32): i32 {
  return syscall3(Syscall.Madvise, address, bytes, advice);
}

/** Brings what was written to the file to the disk that it is on. */
export function fsync(fd: i32): i32 {
  return syscall1(Syscall.Fsync, fd);
}

/** Brings what is not on a disk yet there. */
export function sync(): i32 {
  return syscall0(Syscall.Sync);
}

/** MS_SYNC: what the pages show of a disk is on it afterwards. */
export function msync(address: usize, bytes: usize, flags: u32): i32 {
  return syscall3(Syscall.Msync, address, bytes, flags);
}

/** Faults the pages in and keeps them; a child by fork has them unlocked. */
export function mlock(address: usize, bytes: usize): i32 {
  return syscall2(Syscall.Mlock, address, bytes);
}

export function munlock(address: usize, bytes: usize): i32 {
  return syscall2(Syscall.Munlock, address, bytes);
}

/** mlock of all that is mapped: MCL_CURRENT. */
export function mlockall(flags: u32): i32 {
  return syscall1(Syscall.Mlockall, flags);
}

export function munlockall(): i32 {
  return syscall0(Syscall.Munlockall);
}

/** Lets the next runnable process run. */
export function schedYield(): i32 {
  return syscall0(Syscall.SchedYield);
}

export function nanosleep(request: Timespec, remaining: Timespec | null): i32 {
  return syscall2(Syscall.Nanosleep, changetype<usize>(request), changetype<usize>(remaining));
}

export function stat(path: usize, result: Stat64): i32 {
  return syscall2(Syscall.Stat64, path, changetype<usize>(result));
}

export function fstat(fd: i32, result: Stat64): i32 {
  return syscall2(Syscall.Fstat64, fd, changetype<usize>(result));
}

/** Directory entries (Dirent64) into the buffer: bytes filled, 0 at the end of the directory. */
export function getdents(fd: i32, buffer: usize, bytes: usize): i32 {
  return syscall3(Syscall.Getdents64, fd, buffer, bytes);
}

/** The path of the working directory with its NUL at `buffer`: bytes written. */
export function getcwd(buffer: usize, bytes: usize): i32 {
  return syscall2(Syscall.Getcwd, buffer, bytes);
}

/** Ends the run of the whole machine: magic numbers and commands are those of kernel/abi/reboot.ts. */
export function reboot(magic1: u32, magic2: u32, command: u32): i32 {
  return syscall3(Syscall.Reboot, magic1, magic2, command);
}

/** Puts the swap area on a disk to use: a header as mkswap writes it must be there. */
export function swapon(path: usize): i32 {
  return syscall2(Syscall.Swapon, path, 0);
}

/** Brings back all that is swapped out and gives the area up. */
export function swapoff(path: usize): i32 {
  return syscall1(Syscall.Swapoff, path);
}
