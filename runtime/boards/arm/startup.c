// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reset, faults and the instruction counter of Cortex-M processors.

#include "startup.h"

#include "semihosting.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define SYST_CSR REGISTER(0xE000E010)
#define SYST_RVR REGISTER(0xE000E014)
#define SYST_CVR REGISTER(0xE000E018)
#define ICSR REGISTER(0xE000ED04)
#define CFSR REGISTER(0xE000ED28)
#define CPACR REGISTER(0xE000ED88)
#define MPU_CTRL REGISTER(0xE000ED94)
#define MPU_RBAR REGISTER(0xE000ED9C)
#define MPU_RASR REGISTER(0xE000EDA0) // Armv7-M
#define MPU_RLAR REGISTER(0xE000EDA0) // Armv8-M
#define MPU_MAIR0 REGISTER(0xE000EDC0)

#define ICSR_PENDSTSET (UINT32_C(1) << 26)
#define CFSR_STKOF (UINT32_C(1) << 20)
#define SYSTICK_RELOAD UINT32_C(0xFFFFFF)

int main(void);

static volatile uint32_t systick_wraps;

static void systick_handler(void) { ++systick_wraps; }

uint64_t counter_ticks(void) {
  uint32_t wraps, count;
  do {
    wraps = systick_wraps;
    count = SYST_CVR;
  } while (wraps != systick_wraps || (ICSR & ICSR_PENDSTSET));
  return (uint64_t)wraps * (SYSTICK_RELOAD + 1) + (SYSTICK_RELOAD - count);
}

static void print_hexadecimal(const char *name, uint32_t value) {
  char digits[] = "0x00000000";
  for (int i = 9; i > 1; --i, value >>= 4)
    digits[i] = "0123456789abcdef"[value & 15];
  semihosting_print(name);
  semihosting_print(digits);
}

__attribute__((used)) static _Noreturn void report_fault(const uint32_t *frame) {
  if (frame < stack_bottom || (CFSR & CFSR_STKOF)) {
    semihosting_print("fault: stack overflow\n");
  } else {
    print_hexadecimal("fault: pc ", frame[6]);
    print_hexadecimal(" lr ", frame[5]);
    print_hexadecimal(" cfsr ", CFSR);
    semihosting_print("\n");
  }
  semihosting_exit(3);
}

// The old stack may have overflowed: report on a fresh one.
__attribute__((naked)) static void fault_handler(void) {
  __asm__("mrs r0, msp\n"
          "ldr r1, =stack_top\n"
          "mov sp, r1\n"
          "b report_fault\n");
}

// The emulated board backs all addresses: only protection makes writes to
// flash, and a stack that grows out of SRAM, fault.
#if __ARM_ARCH >= 8

static void protect_memory(void) {
  MPU_MAIR0 = 0x44;                     // normal memory, not cached
  MPU_RBAR = (uint32_t)flash_begin | 6; // read-only
  MPU_RLAR = (((uint32_t)flash_end - 1) & ~UINT32_C(31)) | 1;
  MPU_CTRL = 5; // on, and the default map where there is no region
  __asm__ volatile("dsb\n isb\n msr msplim, %0" ::"r"(stack_bottom) : "memory");
}

#else

enum { MPU_NO_ACCESS = 0x10000000, MPU_READ_ONLY = 0x06020000 };

// `base` is a multiple of the region's 2^log2_size bytes.
static void protect(uint32_t region, uint32_t base, uint32_t log2_size, uint32_t access) {
  MPU_RBAR = base | 0x10 | region;
  MPU_RASR = access | (log2_size - 1) << 1 | 1;
}

static void protect_memory(void) {
  protect(0, (uint32_t)flash_begin, 22, MPU_READ_ONLY);
  protect(1, 0x10000000, 28, MPU_NO_ACCESS);
  MPU_CTRL = 5; // on, and the default map where there is no region
  __asm__ volatile("dsb\n isb" ::: "memory");
}

#endif

__attribute__((used)) static _Noreturn void start(void) {
  initialise_data();
  protect_memory();
  SYST_RVR = SYSTICK_RELOAD;
  SYST_CVR = 0;
  SYST_CSR = 7; // processor clock, interrupt, enabled
  semihosting_exit(main());
}

// Enables the FPU and paints the stack before any C code runs.
__attribute__((naked)) void reset_handler(void) {
  __asm__("ldr r0, =%c0\n"
          "ldr r1, [r0]\n"
          "orr r1, r1, #0xF00000\n"
          "str r1, [r0]\n"
          "dsb\n"
          "isb\n"
          "ldr r0, =stack_bottom\n"
          "ldr r1, =stack_top\n"
          "ldr r2, =%c1\n"
          "1: cmp r0, r1\n"
          "it lo\n"
          "strlo r2, [r0], #4\n"
          "blo 1b\n"
          "b start\n"
          :
          : "i"(&CPACR), "i"(STACK_PAINT));
}

typedef void (*vector)(void);

__attribute__((section(".vectors"), used)) static const vector vectors[16] = {
    (vector)stack_top,
    reset_handler,
    fault_handler,
    fault_handler,
    fault_handler,
    fault_handler,
    fault_handler,
    0,
    0,
    0,
    0,
    fault_handler,
    fault_handler,
    0,
    fault_handler,
    systick_handler,
};
