// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Semihosting as Arm defined it: calls into the emulator or debugger that runs this image.

#ifndef TTE_SEMIHOSTING_H
#define TTE_SEMIHOSTING_H

#include <stddef.h>

typedef enum semihosting_mode { SEMIHOSTING_READ = 1, SEMIHOSTING_WRITE = 5 } semihosting_mode;

// A handle of a host file, or -1.
int semihosting_open(const char *path, semihosting_mode mode);
// Both return the number of bytes that were not transferred.
size_t semihosting_read(int file, void *data, size_t size);
size_t semihosting_write(int file, const void *data, size_t size);
// Copies the command line; returns 0 where there is none or it is too long.
int semihosting_command_line(char *buffer, size_t capacity);
void semihosting_print(const char *text);
_Noreturn void semihosting_exit(int code);

#endif // TTE_SEMIHOSTING_H
