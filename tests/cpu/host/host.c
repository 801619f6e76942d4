/*
 * The host's own processor as an oracle for ring-3 code: runs instructions in a traced child and writes down what they did.
 *
 *     host < steps > results        (the format is drawn in native.ts)
 *
 * The child is a 64-bit process whose CS is set to a 32-bit segment, so that neither 32-bit libraries nor 32-bit programs
 * are needed, and whose first 4 GB hold nothing but the windows of layout.ts, which it shares with the tracer: whatever
 * goes astray faults. Its LDT has 16-bit, limited and expand-down segments. x86-64 Linux; needs ptrace and modify_ldt.
 *
 * A step is run by PTRACE_SINGLESTEP (a repeated string instruction once for each repetition), or, as a straight run, up to
 * a signal: its last byte is an INT3. Exit status: 0; 2 what the host lacks, in one line on stderr; 3 the input is cut.
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096u
#define PAGES 6u
/* Linear address of each page of the shared memory: code, data (the third is read-only), stack. */
static const uint32_t page_address[PAGES] = {0x100000, 0x101000, 0x200000, 0x201000, 0x202000, 0x300000};
static const int page_protection[PAGES] = {7, 7, 3, 3, 1, 3};
#define CODE_PAGES 2

enum { FRESH = 1, STRAIGHT = 2, FPU_SET = 4, FPU_GET = 8 };

struct header {
  uint32_t control, limit, seed, code_at, code_bytes, pokes;
  uint32_t registers[8], eip, eflags, selectors[6];
};

struct result {
  uint32_t signal, code, address, eip, eflags;
  uint32_t registers[8], selectors[6];
  uint32_t changes;
};

/* base, limit, contents (0 data, 1 expand-down, 2 code), 32-bit, read or execute only: as layout.ts has them. */
static const struct user_desc descriptors[] = {
    {.entry_number = 0, .base_addr = 0x100000, .limit = 0x1fff, .contents = 2},
    {.entry_number = 1, .base_addr = 0x200000, .limit = 0x17ff},
    {.entry_number = 2, .base_addr = 0x200000, .limit = 0x7ff, .contents = 1, .seg_32bit = 1},
    {.entry_number = 3, .base_addr = 0x200000, .limit = 0x7ff, .contents = 1},
    {.entry_number = 4, .base_addr = 0x300000, .limit = 0xfff},
    {.entry_number = 5, .base_addr = 0x200000, .limit = 0x2fff, .seg_32bit = 1, .read_exec_only = 1},
    {.entry_number = 6, .base_addr = 0x100000, .limit = 0x1fff, .contents = 2, .seg_32bit = 1, .read_exec_only = 1},
    {.entry_number = 7, .base_addr = 0x200000, .limit = 0x2fff, .seg_32bit = 1, .seg_not_present = 1},
};

static uint8_t *memory;
static uint8_t shadow[PAGES * PAGE];
static pid_t child;

static void lacks(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  if (child > 0) kill(child, SIGKILL);
  exit(2);
}

static void run_child(int fd) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (unsigned i = 0; i < PAGES; i++) {
    void *wanted = (void *)(uintptr_t)page_address[i];
    if (mmap(wanted, PAGE, page_protection[i], MAP_SHARED | MAP_FIXED_NOREPLACE, fd, i * PAGE) != wanted) _exit(4);
  }
  for (unsigned i = 0; i < sizeof descriptors / sizeof *descriptors; i++)
    if (syscall(SYS_modify_ldt, 0x11, &descriptors[i], sizeof *descriptors) != 0) _exit(5);
  if (ptrace(PTRACE_TRACEME, 0, 0, 0) != 0) _exit(6);
  raise(SIGSTOP);
  _exit(7);
}

static int wait_stop(void) {
  int status;
  if (waitpid(child, &status, 0) != child) lacks("waitpid");
  if (!WIFSTOPPED(status)) {
    const char *why[] = {"mapping low memory", "modify_ldt", "ptrace"};
    int code = WIFEXITED(status) ? WEXITSTATUS(status) - 4 : -1;
    errno = EPERM;
    child = 0;
    lacks(code >= 0 && code < 3 ? why[code] : "the traced process ended");
  }
  return WSTOPSIG(status);
}

static int offset_of(uint32_t address) {
  for (unsigned i = 0; i < PAGES; i++)
    if (address - page_address[i] < PAGE) return (int)(i * PAGE + (address - page_address[i]));
  return -1;
}

/* ptrace sets the selector of FS and GS and their base apart. */
static uint32_t base_of(uint32_t selector) {
  return selector & 4 && selector >> 3 < 8 ? descriptors[selector >> 3].base_addr : 0;
}

/* Writes to the child's memory; what lies outside the windows is dropped. */
static void put(uint32_t address, const void *bytes, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    int at = offset_of(address + i);
    if (at >= 0) memory[at] = shadow[at] = ((const uint8_t *)bytes)[i];
  }
}

static void fill(uint32_t seed) {
  memset(memory, 0x90, CODE_PAGES * PAGE);
  uint32_t x = seed | 1;
  for (uint32_t at = CODE_PAGES * PAGE; at < PAGES * PAGE; at += 4) {
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    memcpy(memory + at, &x, 4);
  }
  memcpy(shadow, memory, sizeof shadow);
}

static void need(void *to, size_t count) {
  if (count != 0 && fread(to, count, 1, stdin) != 1) exit(3);
}

int main(void) {
  int fd = memfd_create("windows", 0);
  if (fd < 0 || ftruncate(fd, PAGES * PAGE) != 0) lacks("memfd_create");
  memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) lacks("mmap");
  /* Both on one processor: the hand-over is twice as fast. Number 0 where it may be: the kernel has a segment in the GDT whose limit
     is the processor's number. */
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(0, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) {
    CPU_ZERO(&set);
    CPU_SET(sched_getcpu(), &set);
    sched_setaffinity(0, sizeof set, &set);
  }
  child = fork();
  if (child < 0) lacks("fork");
  if (child == 0) run_child(fd);
  wait_stop();

  struct user_regs_struct r;
  struct user_fpregs_struct fx;
  if (ptrace(PTRACE_GETREGS, child, 0, &r) != 0) lacks("PTRACE_GETREGS");
  struct header in;
  while (fread(&in, sizeof in, 1, stdin) == 1) {
    static uint8_t code[65536];
    if (in.code_bytes > sizeof code) exit(3);
    need(code, in.code_bytes);
    if (in.control & FRESH) fill(in.seed);
    put(in.code_at, code, in.code_bytes);
    for (uint32_t i = 0; i < in.pokes; i++) {
      uint32_t poke[2];
      need(poke, sizeof poke);
      put(poke[0], &poke[1], 4);
    }
    if (in.control & FPU_SET) {
      need(&fx, sizeof fx);
      if (ptrace(PTRACE_SETFPREGS, child, 0, &fx) != 0) lacks("PTRACE_SETFPREGS");
    }
    unsigned long long *where[8] = {&r.rax, &r.rcx, &r.rdx, &r.rbx, &r.rsp, &r.rbp, &r.rsi, &r.rdi};
    unsigned long long *selector[6] = {&r.es, &r.cs, &r.ss, &r.ds, &r.fs, &r.gs};
    for (int i = 0; i < 8; i++) *where[i] = in.registers[i];
    for (int i = 0; i < 6; i++) *selector[i] = in.selectors[i];
    r.rip = in.eip;
    r.eflags = in.eflags;
    r.orig_rax = -1;
    r.fs_base = base_of(in.selectors[4]);
    r.gs_base = base_of(in.selectors[5]);
    if (ptrace(PTRACE_SETREGS, child, 0, &r) != 0) lacks("PTRACE_SETREGS");
    struct result out;
    siginfo_t info;
    for (uint32_t step = 0;;) {
      if (ptrace(in.control & STRAIGHT ? PTRACE_CONT : PTRACE_SINGLESTEP, child, 0, 0) != 0) lacks("PTRACE_SINGLESTEP");
      out.signal = wait_stop();
      if (ptrace(PTRACE_GETREGS, child, 0, &r) != 0) lacks("PTRACE_GETREGS");
      if (ptrace(PTRACE_GETSIGINFO, child, 0, &info) != 0) lacks("PTRACE_GETSIGINFO");
      if (in.control & STRAIGHT || out.signal != SIGTRAP || info.si_code != TRAP_TRACE) break;
      if ((uint32_t)r.rip != in.eip || ++step >= in.limit) break;
    }
    out.code = info.si_code;
    out.address = (uint32_t)(uintptr_t)info.si_addr;
    out.eip = r.rip;
    out.eflags = r.eflags;
    for (int i = 0; i < 8; i++) out.registers[i] = *where[i];
    for (int i = 0; i < 6; i++) out.selectors[i] = *selector[i];
    static uint32_t changes[PAGES * PAGE / 4][2];
    out.changes = 0;
    for (unsigned page = 0; page < PAGES; page++) {
      if (memcmp(memory + page * PAGE, shadow + page * PAGE, PAGE) == 0) continue;
      for (uint32_t at = page * PAGE; at < (page + 1) * PAGE; at += 4) {
        if (memcmp(memory + at, shadow + at, 4) == 0) continue;
        changes[out.changes][0] = page_address[page] + at % PAGE;
        memcpy(&changes[out.changes++][1], memory + at, 4);
      }
      memcpy(shadow + page * PAGE, memory + page * PAGE, PAGE);
    }
    fwrite(&out, sizeof out, 1, stdout);
    fwrite(changes, sizeof *changes, out.changes, stdout);
    if (in.control & FPU_GET) {
      if (ptrace(PTRACE_GETFPREGS, child, 0, &fx) != 0) lacks("PTRACE_GETFPREGS");
      fwrite(&fx, sizeof fx, 1, stdout);
    }
  }
  kill(child, SIGKILL);
  return 0;
}
