/* See serve/raspberry.h. */
#include "serve/raspberry.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "serve/render.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define CONFIG_LINE_MAX 98

static const struct {
    const char *begin, *end; /* of the name, with any characters but `/` between; end NULL: the whole name */
    enum raspberry_file file;
} names[] = {
    {RASPBERRY_CONFIG_NAME, NULL, RASPBERRY_CONFIG},
    {"cmdline.txt", NULL, RASPBERRY_CMDLINE},
    {"bootcode.bin", NULL, RASPBERRY_FIRMWARE},
    {"start", ".elf", RASPBERRY_FIRMWARE},
    {"fixup", ".dat", RASPBERRY_FIRMWARE},
    {"bcm27", ".dtb", RASPBERRY_TREE},
    {"overlays/", ".dtbo", RASPBERRY_TREE},
    {"overlays/", ".dtb", RASPBERRY_TREE}, /* overlay_map.dtb */
    {"recover", ".elf", RASPBERRY_OPTIONAL},
    {"bootsig.bin", NULL, RASPBERRY_OPTIONAL},
    {"bootcfg.txt", NULL, RASPBERRY_OPTIONAL},
    {"autoboot.txt", NULL, RASPBERRY_OPTIONAL},
    {"dt-blob.bin", NULL, RASPBERRY_OPTIONAL},
    {"armstub", ".bin", RASPBERRY_OPTIONAL},
    {"pieeprom.", "", RASPBERRY_OPTIONAL}, /* sig, upd, bin: a new bootloader for it */
    {"vl805.", "", RASPBERRY_OPTIONAL},
    {"boot.sig", NULL, RASPBERRY_OPTIONAL},
    {"boot.img", NULL, RASPBERRY_OPTIONAL},
};

static bool fits(const char *name, const char *begin, const char *end)
{
    size_t n = strlen(begin);
    if (!end)
        return str_eq(name, begin);
    return str_starts(name, begin) && str_ends(name + n, end) && !strchr(name + n, '/');
}

enum raspberry_file raspberry_file_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (fits(name, names[i].begin, names[i].end))
            return names[i].file;
    return RASPBERRY_NONE;
}

/* Eight hexadecimal digits, or six pairs of them with hyphens between. */
static bool is_folder(const char *name, size_t n)
{
    if (n != 8 && n != 17)
        return false;
    for (size_t i = 0; i < n; i++)
        if (n == 17 && i % 3 == 2 ? name[i] != '-' : hex_value(name[i]) < 0)
            return false;
    return true;
}

const char *raspberry_strip(const char *name)
{
    const char *slash = strchr(name, '/');
    unsigned generation;
    enum artifact_kind kind;
    char artifact[ARTIFACT_NAME_MAX];
    if (!slash || !is_folder(name, (size_t)(slash - name)))
        return name;
    bool known = raspberry_file_of(slash + 1) != RASPBERRY_NONE ||
                 artifact_path_parse(slash + 1, &generation, &kind, artifact) == 0;
    return known ? slash + 1 : name;
}

const char *raspberry_missing(enum raspberry_file file)
{
    switch (file) {
    case RASPBERRY_FIRMWARE:
        return "not in the loader folders: the Raspberry Pi's firmware is in the package raspi-firmware "
               "(non-free-firmware), or in a folder that server: loaders: names";
    case RASPBERRY_TREE:
        return "not in the loader folders: device trees come with the kernel (make dtbs, or "
               "/usr/lib/linux-image-*/broadcom of its package): copy them into a folder that server: "
               "loaders: "
               "names";
    case RASPBERRY_OPTIONAL:
        return "not in the loader folders, and the Raspberry Pi does without";
    default:
        return "no such file";
    }
}

/* One line, unless the firmware would cut it. */
static int line(FILE *out, const char *fmt, ...) PRINTF(2, 3);

static int line(FILE *out, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vfprintf(out, fmt, args);
    va_end(args);
    fputc('\n', out);
    return n < 0 ? -ENOMEM : n > CONFIG_LINE_MAX ? -ENAMETOOLONG : 0;
}

static int write_config(FILE *out, const struct boot_description *d)
{
    struct boot_initrd initrds[BOOT_INITRDS_MAX];
    size_t n = boot_initrds(d, initrds);
    int r = line(out, "# %s, generation %u", d->name, d->generation);
    if (r == 0)
        r = line(out, "arm_64bit=1");
    if (r == 0 && d->console && str_starts(d->console, "tty"))
        r = line(out, "enable_uart=1");
    if (r == 0)
        r = line(out, "kernel=%s", d->kernel);
    if (r == 0 && n)
        r = line(out, "initramfs %s%s%s followkernel", initrds[0].path, n > 1 ? "," : "",
                 n > 1 ? initrds[1].path : "");
    return r;
}

static int write_cmdline(FILE *out, const struct boot_description *d)
{
    return fprintf(out, "%s\n", d->cmdline) < 0 ? -ENOMEM : 0;
}

int raspberry_render_config(const struct boot_description *d, char **ret_text, size_t *ret_size)
{
    return render_text(write_config, d, ret_text, ret_size);
}

int raspberry_render_cmdline(const struct boot_description *d, char **ret_text, size_t *ret_size)
{
    return render_text(write_cmdline, d, ret_text, ret_size);
}
