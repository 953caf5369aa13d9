/* Processor architectures of nodes. Definitions are free of them: a profile says which its nodes have, and
 * kernels and images are built for each. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cpu_arch {
    ARCH_X86_64,
    ARCH_ARM64,
    ARCHS,                /* how many there are */
    ARCH_UNKNOWN = ARCHS, /* nobody said: the first that the profile has is meant */
};

/* Several of them: a bit each, 1 << arch. */
typedef uint8_t arch_set;
static inline bool arch_in(arch_set set, enum cpu_arch arch)
{
    return arch < ARCHS && (set >> arch & 1);
}
/* The first of a set; ARCH_X86_64 of an empty one. */
enum cpu_arch arch_first(arch_set set);

/* As in the configuration: `x86_64`, `arm64`; `unknown`. */
const char *arch_name(enum cpu_arch arch);
/* The way back, also from other names in use: `amd64`, `aarch64`. 0 or -EINVAL. */
int arch_parse(const char *name, enum cpu_arch *ret_arch);

/* What the firmware's architecture (option 93, IANA's registry) says of the processor; ARCH_UNKNOWN for those
 * that nothing is built for. */
enum cpu_arch arch_of_firmware(uint16_t option_93);
/* The same of what iPXE calls `buildarch`, which is its own: a 32-bit one runs on 64-bit processors. */
enum cpu_arch arch_of_ipxe(const char *buildarch);

/* What a definition builds to, in publications and in the paths that nodes fetch: its own name on x86_64,
 * else NAME.ARCH (no definition has a dot in its name; `class-CLASS.before` is the one artifact of no
 * definition, see model/class_kernel.h). Returns buf. */
#define ARTIFACT_NAME_MAX (63 + sizeof(".arm64"))
const char *artifact_name_format(const char *definition, enum cpu_arch arch,
                                 char buf[static ARTIFACT_NAME_MAX]);
/* The way back. 0; -EINVAL: neither a label, nor a label with an architecture that is written so. */
int artifact_name_parse(const char *name, char ret_definition[static ARTIFACT_NAME_MAX],
                        enum cpu_arch *ret_arch);
