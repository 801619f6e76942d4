/*
 * Runs short pieces of user code natively and writes down what they did: the oracle of hostconform.ts. 32-bit x86 Linux.
 *
 *   runner < cases > results
 *
 * A case is struct input, a result is struct output. The code runs at CODE with its data around DATA and its stack around
 * STACK; both areas are filled from the case's seed before, and a window of each is in the result. It ends by reaching the
 * end of its bytes, where a jump back stands, or by a signal, whose number is in the result.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define CODE 0x100000u
#define DATA 0x200000u
#define STACK 0x300000u
#define AREA 0x10000u
#define WINDOW 2048u
/* The window is the middle of the area. */
#define WINDOW_START (AREA / 2 - WINDOW / 2)

struct state {
  uint32_t reg[8];
  uint32_t eflags;
};

struct input {
  uint32_t length;
  uint32_t seed;
  struct state state;
  uint8_t code[64];
};

struct output {
  uint32_t signal;
  uint32_t eip;
  struct state state;
  uint8_t data[WINDOW];
  uint8_t stack[WINDOW];
};

/* The assembly below reaches these by name. */
struct state in_state __asm__("in_state");
struct state out_state __asm__("out_state");
uint32_t host_esp __asm__("host_esp");
uint32_t flags_stack[16] __asm__("flags_stack");

void enter_code(void) __asm__("enter_code");
void leave_code(void) __asm__("leave_code");

__asm__(
    ".text\n"
    "enter_code:\n"
    "  pushal\n"
    "  mov %esp, host_esp\n"
    "  pushl in_state+32\n"
    "  popfl\n"
    "  mov in_state+0, %eax\n"
    "  mov in_state+4, %ecx\n"
    "  mov in_state+8, %edx\n"
    "  mov in_state+12, %ebx\n"
    "  mov in_state+20, %ebp\n"
    "  mov in_state+24, %esi\n"
    "  mov in_state+28, %edi\n"
    "  mov in_state+16, %esp\n"
    "  jmp *code_address\n"
    "leave_code:\n"
    "  mov %esp, out_state+16\n"
    "  mov $flags_stack+32, %esp\n"
    "  pushfl\n"
    "  popl out_state+32\n"
    "  mov %eax, out_state+0\n"
    "  mov %ecx, out_state+4\n"
    "  mov %edx, out_state+8\n"
    "  mov %ebx, out_state+12\n"
    "  mov %ebp, out_state+20\n"
    "  mov %esi, out_state+24\n"
    "  mov %edi, out_state+28\n"
    "  mov host_esp, %esp\n"
    "  cld\n"
    "  popal\n"
    "  ret\n"
    ".data\n"
    "code_address: .long 0x100000\n"
    "  .globl leave_address\n"
    "leave_address:\n"
    "  .long leave_code\n"
    ".text\n");

extern uint32_t leave_address;

static sigjmp_buf back;
static struct output result;

static void on_signal(int number, siginfo_t *info, void *context) {
  (void)info;
  greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
  result.signal = number;
  result.eip = g[REG_EIP];
  result.state.reg[0] = g[REG_EAX];
  result.state.reg[1] = g[REG_ECX];
  result.state.reg[2] = g[REG_EDX];
  result.state.reg[3] = g[REG_EBX];
  result.state.reg[4] = g[REG_ESP];
  result.state.reg[5] = g[REG_EBP];
  result.state.reg[6] = g[REG_ESI];
  result.state.reg[7] = g[REG_EDI];
  result.state.eflags = g[REG_EFL];
  siglongjmp(back, 1);
}

static void fill(uint8_t *area, uint32_t seed) {
  uint32_t x = seed | 1;
  for (uint32_t i = 0; i < WINDOW; i += 4) {
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    memcpy(area + WINDOW_START + i, &x, 4);
  }
}

static void map(uint32_t address, int protection) {
  void *at = mmap((void *)address, AREA, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  if (at != (void *)address) _exit(3);
}

int main(void) {
  static uint8_t signal_stack[65536];
  stack_t alternate = {.ss_sp = signal_stack, .ss_size = sizeof signal_stack};
  sigaltstack(&alternate, NULL);
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  int signals[] = {SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGBUS};
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, NULL);
  map(CODE, PROT_READ | PROT_WRITE | PROT_EXEC);
  map(DATA, PROT_READ | PROT_WRITE);
  map(STACK, PROT_READ | PROT_WRITE);

  static struct input input;
  while (fread(&input, sizeof input, 1, stdin) == 1) {
    memset(&result, 0, sizeof result);
    fill((uint8_t *)DATA, input.seed);
    fill((uint8_t *)STACK, input.seed ^ 0x5a5a5a5a);
    uint8_t *code = (uint8_t *)CODE;
    memcpy(code, input.code, input.length);
    /* jmp *leave_address */
    code[input.length] = 0xff;
    code[input.length + 1] = 0x25;
    uint32_t pointer = (uint32_t)&leave_address;
    memcpy(code + input.length + 2, &pointer, 4);
    in_state = input.state;
    if (sigsetjmp(back, 1) == 0) {
      enter_code();
      result.state = out_state;
      result.eip = CODE + input.length;
    }
    memcpy(result.data, (uint8_t *)DATA + WINDOW_START, WINDOW);
    memcpy(result.stack, (uint8_t *)STACK + WINDOW_START, WINDOW);
    fwrite(&result, sizeof result, 1, stdout);
  }
  return 0;
}
