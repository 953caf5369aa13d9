/* What a profile says on the kernel's command line, whoever writes the rest of it. */
#pragma once

#include "model/profile.h"

#include <stddef.h>

/* H21, H23, H24: where the root is, and the console: `rambox console=ttyS0,115200`. The first serial port of
 * an arm64 machine is a PL011, which has a name of its own: in a profile that is for both architectures ttyS
 * stands for it. `buf` is the result, "" when the profile says neither; NULL when it does not fit `size`
 * bytes. */
const char *profile_words(const struct profile *profile, enum cpu_arch arch, char *buf, size_t size);

/* COMMAND_LINE_SIZE of the kernel on x86, with the final NUL. */
enum { UNIFIED_CMDLINE_MAX = 2048 };
/* The command line of a unified image. It is the same for all its nodes, so it names none, and no server: the
 * node takes its address by DHCP, and reports to the `http_port` of the server that its lease names
 * (`rambox.server=:PORT`). 0; -E2BIG: it is longer than the kernel takes. */
int profile_unified_cmdline(const struct profile *profile, enum cpu_arch arch, uint16_t http_port,
                            char ret_cmdline[static UNIFIED_CMDLINE_MAX]);
