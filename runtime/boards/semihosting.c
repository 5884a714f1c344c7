// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "semihosting.h"

#include <stdint.h>

enum {
  SYS_OPEN = 0x01,
  SYS_WRITE0 = 0x04,
  SYS_WRITE = 0x05,
  SYS_READ = 0x06,
  SYS_GET_CMDLINE = 0x15,
  SYS_EXIT_EXTENDED = 0x20,
  APPLICATION_EXIT = 0x20026,
};

static int32_t call(uint32_t operation, const void *arguments) {
#ifdef __riscv
  register uint32_t a0 __asm__("a0") = operation;
  register const void *a1 __asm__("a1") = arguments;
  // The three instructions are what marks the call; they must lie in one page.
  __asm__ volatile(".balign 16\n"
                   ".option push\n"
                   ".option norvc\n"
                   "slli x0, x0, 0x1f\n"
                   "ebreak\n"
                   "srai x0, x0, 7\n"
                   ".option pop"
                   : "+r"(a0)
                   : "r"(a1)
                   : "memory");
  return (int32_t)a0;
#else
  register uint32_t r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = arguments;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return (int32_t)r0;
#endif
}

int semihosting_open(const char *path, semihosting_mode mode) {
  size_t length = 0;
  while (path[length])
    ++length;
  const uintptr_t arguments[] = {(uintptr_t)path, mode, length};
  return call(SYS_OPEN, arguments);
}

size_t semihosting_read(int file, void *data, size_t size) {
  const uintptr_t arguments[] = {(uintptr_t)file, (uintptr_t)data, size};
  return (size_t)call(SYS_READ, arguments);
}

size_t semihosting_write(int file, const void *data, size_t size) {
  const uintptr_t arguments[] = {(uintptr_t)file, (uintptr_t)data, size};
  return (size_t)call(SYS_WRITE, arguments);
}

int semihosting_command_line(char *buffer, size_t capacity) {
  const uintptr_t arguments[] = {(uintptr_t)buffer, capacity};
  return call(SYS_GET_CMDLINE, arguments) == 0;
}

void semihosting_print(const char *text) { call(SYS_WRITE0, text); }

_Noreturn void semihosting_exit(int code) {
  const uintptr_t arguments[] = {APPLICATION_EXIT, (uintptr_t)code};
  for (;;)
    call(SYS_EXIT_EXTENDED, arguments);
}
