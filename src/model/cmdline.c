/* See model/cmdline.h. */
#include "model/cmdline.h"
#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

const char *profile_words(const struct profile *profile, enum cpu_arch arch, char *buf, size_t size)
{
    const char *root = profile->root_mode == ROOT_RAM     ? "rambox"
                       : profile->root_mode == ROOT_SHELL ? "shell"
                       : profile->root                    ? profile->root
                                                          : "";
    const char *console = profile->console, *port = "";
    if (console && arch == ARCH_ARM64 && arch_in(profile_archs(profile), ARCH_X86_64) &&
        strncmp(console, "ttyS", 4) == 0) {
        port = "ttyAMA";
        console += strlen("ttyS");
    }
    int n =
        snprintf(buf, size, "%s%s%s%s%s%s", profile->root_mode == ROOT_OTHER && *root ? "root=" : "", root,
                 *root && console ? " " : "", console ? "console=" : "", port, console ? console : "");
    return n >= 0 && (size_t)n < size ? buf : NULL;
}

int profile_unified_cmdline(const struct profile *profile, enum cpu_arch arch, uint16_t http_port,
                            char ret_cmdline[static UNIFIED_CMDLINE_MAX])
{
    char words[UNIFIED_CMDLINE_MAX], line[UNIFIED_CMDLINE_MAX];
    const char *more = profile->cmdline ? profile->cmdline : "";
    if (!profile_words(profile, arch, words, sizeof(words)))
        return -E2BIG;
    int n = snprintf(line, sizeof(line), "rw%s%s%s rambox.server=:%u%s%s",
                     profile->ip == IP_NONE ? "" : " ip=dhcp", *words ? " " : "", words, http_port,
                     *more ? " " : "", more);
    if (n < 0 || (size_t)n >= sizeof(line))
        return -E2BIG;
    memcpy(ret_cmdline, line, (size_t)n + 1);
    return 0;
}
