/*
 * Runs single x87 instructions natively and writes down what they did: the oracle of conform.test.ts. x86-64 or i386, any system
 * with mmap.
 *
 *   runner < cases > results
 *
 * A case: an FNSAVE image that FRSTOR takes, the bytes at which a memory operand points, EAX and EFLAGS, the instruction (which
 * addresses memory by EDI/RDI alone). A result has the same shape, and the signal that ended it, or 0. The image is
 * taken by FNSAVE, so that an exception left pending is seen and kills nobody.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

struct record {
  uint8_t state[108];
  uint8_t memory[128];
  uint32_t eax;
  uint32_t eflags;
  /* In a case the length of the code, in a result the signal. */
  uint32_t number;
  uint8_t code[16];
};

/* What the generated code reaches by its registers. */
struct flags {
  unsigned long eax;
  unsigned long eflags;
};

static sigjmp_buf escape;

static void on_signal(int number) { siglongjmp(escape, number); }

static uint8_t *put(uint8_t *at, const void *bytes, size_t count) {
  memcpy(at, bytes, count);
  return at + count;
}

int main(void) {
  uint8_t *page = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  static struct record one;
  static uint8_t state[128] __attribute__((aligned(16)));
  static uint8_t after[128] __attribute__((aligned(16)));
  static uint8_t memory[128] __attribute__((aligned(16)));
  if (page == MAP_FAILED) return 2;
  signal(SIGFPE, on_signal);
  signal(SIGILL, on_signal);
  signal(SIGSEGV, on_signal);
  while (fread(&one, sizeof one, 1, stdin) == 1) {
    struct flags flags = {one.eax, one.eflags};
    uint8_t *at = page;
    int number;
    /* frstor [esi]; mov eax, [ecx]; push [ecx + long]; popf */
    at = put(at, sizeof(long) == 8 ? "\xdd\x26\x8b\x01\xff\x71\x08\x9d" : "\xdd\x26\x8b\x01\xff\x71\x04\x9d", 8);
    at = put(at, one.code, one.number);
    /* fnsave [edx]; pushf; pop [ecx + long]; mov [ecx], eax; ret */
    at = put(at, sizeof(long) == 8 ? "\xdd\x32\x9c\x8f\x41\x08\x89\x01\xc3" : "\xdd\x32\x9c\x8f\x41\x04\x89\x01\xc3", 9);
    memcpy(state, one.state, sizeof one.state);
    memcpy(memory, one.memory, sizeof memory);
    number = sigsetjmp(escape, 1);
    if (number == 0)
      __asm__ volatile("call *%%rax" : : "a"(page), "D"(memory), "S"(state), "d"(after), "c"(&flags) : "memory", "cc");
    else
      __asm__ volatile("fninit");
    memcpy(one.state, after, sizeof one.state);
    memcpy(one.memory, memory, sizeof memory);
    one.eax = (uint32_t)flags.eax;
    one.eflags = (uint32_t)flags.eflags;
    one.number = (uint32_t)number;
    fwrite(&one, sizeof one, 1, stdout);
  }
  return 0;
}
