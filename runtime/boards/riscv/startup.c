// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reset, faults and the instruction counter of RISC-V processors in machine mode.

#include "startup.h"

#include "semihosting.h"

// The C library has no build whose name says so.
__asm__(".option arch, +zicsr");

#define READ_CSR(name)                                                                             \
  ({                                                                                               \
    uint32_t value_;                                                                               \
    __asm__ volatile("csrr %0, " name : "=r"(value_));                                             \
    value_;                                                                                        \
  })
#define WRITE_CSR(name, value) __asm__ volatile("csrw " name ", %0" ::"r"(value) : "memory")

int main(void);

uint64_t counter_ticks(void) {
  uint32_t high, low;
  do {
    high = READ_CSR("minstreth");
    low = READ_CSR("minstret");
  } while (high != READ_CSR("minstreth"));
  return (uint64_t)high << 32 | low;
}

static void print_hexadecimal(const char *name, uint32_t value) {
  char digits[] = "0x00000000";
  for (int i = 9; i > 1; --i, value >>= 4)
    digits[i] = "0123456789abcdef"[value & 15];
  semihosting_print(name);
  semihosting_print(digits);
}

__attribute__((used)) static _Noreturn void report_fault(const uint32_t *stack, uint32_t link) {
  if (stack < stack_bottom) {
    semihosting_print("fault: stack overflow\n");
  } else {
    print_hexadecimal("fault: pc ", READ_CSR("mepc"));
    print_hexadecimal(" ra ", link);
    print_hexadecimal(" mcause ", READ_CSR("mcause"));
    semihosting_print("\n");
  }
  semihosting_exit(3);
}

// The old stack may have overflowed: report on a fresh one.
__attribute__((naked, aligned(4))) static void trap_handler(void) {
  __asm__("mv a0, sp\n"
          "mv a1, ra\n"
          "la sp, stack_top\n"
          "j report_fault\n");
}

enum { PMP_READ_EXECUTE = 0x8D, PMP_NO_ACCESS = 0x88 }; // locked, from the address before

// Machine mode may do everything: only locked regions make writes to flash,
// and a stack that grows out of SRAM, fault.
static void protect_memory(void) {
  WRITE_CSR("pmpaddr0", (uint32_t)flash_begin >> 2);
  WRITE_CSR("pmpaddr1", (uint32_t)flash_end >> 2);
  WRITE_CSR("pmpaddr2", (uint32_t)stack_bottom >> 2);
  WRITE_CSR("pmpcfg0", PMP_NO_ACCESS << 16 | PMP_READ_EXECUTE << 8);
}

__attribute__((used)) static _Noreturn void start(void) {
  initialise_data();
  WRITE_CSR("mtvec", (uint32_t)trap_handler);
  protect_memory();
  semihosting_exit(main());
}

// Enables the FPU and paints the stack before any C code runs.
__attribute__((naked)) void reset_handler(void) {
  __asm__("li t0, 0x2000\n"
          "csrs mstatus, t0\n"
          "la t0, stack_bottom\n"
          "la sp, stack_top\n"
          "li t1, %0\n"
          "1: sw t1, 0(t0)\n"
          "addi t0, t0, 4\n"
          "bltu t0, sp, 1b\n"
          "j start\n"
          :
          : "i"(STACK_PAINT));
}

// Where the processor begins.
__attribute__((naked, section(".vectors"), used)) static void begin(void) {
  __asm__("j reset_handler");
}
