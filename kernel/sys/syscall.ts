/**
 * The system calls: one table from Linux i386 numbers to the functions that serve them, filled at boot. A call's arguments
 * are in its trap frame, and its result goes back in EAX. A number that nobody serves is -ENOSYS.
 * Source: Linux 2.4 (arch/i386/kernel/entry.S, sys_call_table).
 */
import { Errno } from "../abi/errno";
import { SYSCALL_LIMIT, Syscall } from "../abi/syscalls";
import { TrapFrame } from "../arch/i386/trapframe";
import {
  sysClose,
  sysDup,
  sysDup2,
  sysFcntl,
  sysFsync,
  sysFtruncate,
  sysFtruncate64,
  sysIoctl,
  sysLlSeek,
  sysLseek,
  sysPipe,
  sysRead,
  sysReadv,
  sysSync,
  sysWrite,
  sysWritev,
} from "./file";
import { sysClockGettime, sysGettimeofday, sysNanosleep, sysReboot, sysTime, sysUname } from "./info";
import {
  sysBrk,
  sysMadvise,
  sysMlock,
  sysMlockall,
  sysMmap,
  sysMmap2,
  sysMprotect,
  sysMremap,
  sysMsync,
  sysMunlock,
  sysMunlockall,
  sysMunmap,
} from "./memory";
import {
  sysAccess,
  sysChdir,
  sysCreat,
  sysFstat64,
  sysGetcwd,
  sysGetdents64,
  sysMkdir,
  sysOpen,
  sysRmdir,
  sysStat64,
  sysUmask,
  sysUnlink,
} from "./path";
import {
  sysClone,
  sysExecve,
  sysExit,
  sysFork,
  sysGetpgid,
  sysGetpgrp,
  sysGetpid,
  sysGetppid,
  sysGetuid,
  sysSchedYield,
  sysSetpgid,
  sysSetsid,
  sysSetTidAddress,
  sysVfork,
  sysWait4,
  sysWaitpid,
} from "./process";
import {
  sysKill,
  sysPause,
  sysRtSigaction,
  sysRtSigpending,
  sysRtSigprocmask,
  sysRtSigreturn,
  sysRtSigsuspend,
  sysSigaction,
  sysSignal,
  sysSigpending,
  sysSigprocmask,
  sysSigreturn,
  sysSigsuspend,
  sysTkill,
} from "./signal";
import { sysSwapoff, sysSwapon } from "./swap";
import { sysAlarm, sysGetitimer, sysSetitimer } from "./timer";

type Handler = (frame: TrapFrame) => i32;

/** Address of the handler's function object for each system call; 0 is none. */
const table: usize = memory.data(1064, 16);

function serve(number: Syscall, handler: Handler): void {
  store<usize>(table + ((number as u32) << 2), changetype<usize>(handler));
}

/** Fills the table. Once, at boot. */
export function syscallInit(): void {
  serve(Syscall.Exit, sysExit);
  serve(Syscall.ExitGroup, sysExit);
  serve(Syscall.Fork, sysFork);
  serve(Syscall.Vfork, sysVfork);
  serve(Syscall.Clone, sysClone);
  serve(Syscall.Execve, sysExecve);
  serve(Syscall.Waitpid, sysWaitpid);
  serve(Syscall.Wait4, sysWait4);
  serve(Syscall.Getpid, sysGetpid);
  serve(Syscall.Gettid, sysGetpid);
  serve(Syscall.SetTidAddress, sysSetTidAddress);
  serve(Syscall.Getppid, sysGetppid);
  serve(Syscall.Getuid, sysGetuid);
  serve(Syscall.Geteuid, sysGetuid);
  serve(Syscall.Getgid, sysGetuid);
  serve(Syscall.Getegid, sysGetuid);
  serve(Syscall.Getuid32, sysGetuid);
  serve(Syscall.Geteuid32, sysGetuid);
  serve(Syscall.Getgid32, sysGetuid);
  serve(Syscall.Getegid32, sysGetuid);
  serve(Syscall.Getpgrp, sysGetpgrp);
  serve(Syscall.Getpgid, sysGetpgid);
  serve(Syscall.Setpgid, sysSetpgid);
  serve(Syscall.Setsid, sysSetsid);
  serve(Syscall.SchedYield, sysSchedYield);

  serve(Syscall.Kill, sysKill);
  serve(Syscall.Sigaction, sysSigaction);
  serve(Syscall.RtSigaction, sysRtSigaction);
  serve(Syscall.Signal, sysSignal);
  serve(Syscall.Tkill, sysTkill);
  serve(Syscall.Sigprocmask, sysSigprocmask);
  serve(Syscall.RtSigprocmask, sysRtSigprocmask);
  serve(Syscall.Sigpending, sysSigpending);
  serve(Syscall.RtSigpending, sysRtSigpending);
  serve(Syscall.Sigsuspend, sysSigsuspend);
  serve(Syscall.RtSigsuspend, sysRtSigsuspend);
  serve(Syscall.Sigreturn, sysSigreturn);
  serve(Syscall.RtSigreturn, sysRtSigreturn);
  serve(Syscall.Pause, sysPause);
  serve(Syscall.Alarm, sysAlarm);
  serve(Syscall.Setitimer, sysSetitimer);
  serve(Syscall.Getitimer, sysGetitimer);

  serve(Syscall.Brk, sysBrk);
  serve(Syscall.Mmap, sysMmap);
  serve(Syscall.Mmap2, sysMmap2);
  serve(Syscall.Munmap, sysMunmap);
  serve(Syscall.Mprotect, sysMprotect);
  serve(Syscall.Mremap, sysMremap);
  serve(Syscall.Madvise, sysMadvise);
  serve(Syscall.Msync, sysMsync);
  serve(Syscall.Mlock, sysMlock);
  serve(Syscall.Munlock, sysMunlock);
  serve(Syscall.Mlockall, sysMlockall);
  serve(Syscall.Munlockall, sysMunlockall);
  serve(Syscall.Swapon, sysSwapon);
  serve(Syscall.Swapoff, sysSwapoff);

  serve(Syscall.Read, sysRead);
  serve(Syscall.Write, sysWrite);
  serve(Syscall.Readv, sysReadv);
  serve(Syscall.Writev, sysWritev);
  serve(Syscall.Close, sysClose);
  serve(Syscall.Dup, sysDup);
  serve(Syscall.Dup2, sysDup2);
  serve(Syscall.Pipe, sysPipe);
  serve(Syscall.Fcntl, sysFcntl);
  serve(Syscall.Fcntl64, sysFcntl);
  serve(Syscall.Ioctl, sysIoctl);
  serve(Syscall.Fsync, sysFsync);
  serve(Syscall.Fdatasync, sysFsync);
  serve(Syscall.Sync, sysSync);
  serve(Syscall.Lseek, sysLseek);
  serve(Syscall.LlSeek, sysLlSeek);
  serve(Syscall.Ftruncate, sysFtruncate);
  serve(Syscall.Ftruncate64, sysFtruncate64);

  serve(Syscall.Open, sysOpen);
  serve(Syscall.Creat, sysCreat);
  serve(Syscall.Unlink, sysUnlink);
  serve(Syscall.Mkdir, sysMkdir);
  serve(Syscall.Rmdir, sysRmdir);
  serve(Syscall.Umask, sysUmask);
  serve(Syscall.Chdir, sysChdir);
  serve(Syscall.Getcwd, sysGetcwd);
  serve(Syscall.Access, sysAccess);
  serve(Syscall.Stat64, sysStat64);
  serve(Syscall.Lstat64, sysStat64);
  serve(Syscall.Fstat64, sysFstat64);
  serve(Syscall.Getdents64, sysGetdents64);

  serve(Syscall.Uname, sysUname);
  serve(Syscall.Time, sysTime);
  serve(Syscall.Gettimeofday, sysGettimeofday);
  serve(Syscall.ClockGettime, sysClockGettime);
  serve(Syscall.Nanosleep, sysNanosleep);
  serve(Syscall.Reboot, sysReboot);
}

/** Serves the system call of a frame from ring 3: kernel/arch/i386/trap.ts calls it. */
export function syscallDispatch(frame: TrapFrame): void {
  const number = frame.eax;
  const handler = number < SYSCALL_LIMIT ? load<usize>(table + (number << 2)) : 0;
  // For a restart, and for debuggers: EAX as it was.
  frame.error = number;
  frame.eax = handler == 0 ? u32(-Errno.ENOSYS) : u32(changetype<Handler>(handler)(frame));
}
