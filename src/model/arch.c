/* See model/arch.h. */
#include "model/arch.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "model/class_kernel.h"

#include <errno.h>
#include <stdio.h>

static const char *const names[] = {
    [ARCH_X86_64] = "x86_64", [ARCH_ARM64] = "arm64", [ARCH_UNKNOWN] = "unknown"};

const char *arch_name(enum cpu_arch arch)
{
    return names[arch <= ARCHS ? arch : ARCH_UNKNOWN];
}

int arch_parse(const char *name, enum cpu_arch *ret_arch)
{
    static const struct {
        const char *name;
        enum cpu_arch arch;
    } words[] = {
        {"x86_64", ARCH_X86_64}, {"amd64", ARCH_X86_64}, {"arm64", ARCH_ARM64}, {"aarch64", ARCH_ARM64}};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (str_eq(words[i].name, name)) {
            *ret_arch = words[i].arch;
            return 0;
        }
    return -EINVAL;
}

enum cpu_arch arch_first(arch_set set)
{
    for (enum cpu_arch arch = 0; arch < ARCHS; arch++)
        if (arch_in(set, arch))
            return arch;
    return ARCH_X86_64;
}

enum cpu_arch arch_of_firmware(uint16_t option_93)
{
    /* BIOS and 32-bit UEFI are of machines that are 64-bit ones today; the Raspberry Pi's ROM (41) is of
     * 64-bit ones since its third model. */
    static const struct {
        uint16_t value;
        enum cpu_arch arch;
    } values[] = {
        {0, ARCH_X86_64},  {6, ARCH_X86_64},  {7, ARCH_X86_64}, {9, ARCH_X86_64}, {15, ARCH_X86_64},
        {16, ARCH_X86_64}, {20, ARCH_X86_64}, {11, ARCH_ARM64}, {19, ARCH_ARM64}, {41, ARCH_ARM64},
    };
    for (size_t i = 0; i < ARRAY_SIZE(values); i++)
        if (values[i].value == option_93)
            return values[i].arch;
    return ARCH_UNKNOWN;
}

enum cpu_arch arch_of_ipxe(const char *buildarch)
{
    enum cpu_arch arch;
    return str_eq(buildarch, "i386") ? ARCH_X86_64 : arch_parse(buildarch, &arch) == 0 ? arch : ARCH_UNKNOWN;
}

const char *artifact_name_format(const char *definition, enum cpu_arch arch,
                                 char buf[static ARTIFACT_NAME_MAX])
{
    if (arch == ARCH_X86_64 || arch >= ARCHS)
        snprintf(buf, ARTIFACT_NAME_MAX, "%s", definition);
    else
        snprintf(buf, ARTIFACT_NAME_MAX, "%s.%s", definition, names[arch]);
    return buf;
}

int artifact_name_parse(const char *name, char ret_definition[static ARTIFACT_NAME_MAX],
                        enum cpu_arch *ret_arch)
{
    char definition[ARTIFACT_NAME_MAX];
    bool before;
    if (class_kernel_of(name, &before) && before) {
        snprintf(ret_definition, ARTIFACT_NAME_MAX, "%s", name);
        *ret_arch = ARCH_X86_64;
        return 0;
    }
    const char *dot = strchr(name, '.');
    enum cpu_arch arch = ARCH_X86_64;
    size_t n = dot ? (size_t)(dot - name) : strlen(name);
    if (n >= sizeof(definition))
        return -EINVAL;
    memcpy(definition, name, n);
    definition[n] = '\0';
    if (!is_host_label(definition))
        return -EINVAL;
    for (arch = dot ? ARCH_X86_64 + 1 : ARCH_X86_64; dot && arch < ARCHS && !str_eq(dot + 1, names[arch]);
         arch++)
        ;
    if (arch >= ARCHS)
        return -EINVAL;
    memcpy(ret_definition, definition, n + 1);
    *ret_arch = arch;
    return 0;
}
