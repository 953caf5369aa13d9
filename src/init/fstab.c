/* fstab and mount options; the contract is in fstab.h. */
#include "init/fstab.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>

#include "init/text.h"

static bool is_octal(char c)
{
    return c >= '0' && c <= '7';
}

/* Copies one field, turning \040 and its like (fstab(5)) into the byte they stand for. NUL is never produced.
 */
static int unescape(char *to, size_t size, const char *from, size_t length)
{
    size_t used = 0;

    for (size_t i = 0; i < length; i++) {
        unsigned c = (unsigned char)from[i];

        if (c == '\\' && length - i > 3 && is_octal(from[i + 1]) && is_octal(from[i + 2]) &&
            is_octal(from[i + 3])) {
            unsigned byte = (unsigned)(from[i + 1] - '0') << 6 | (unsigned)(from[i + 2] - '0') << 3 |
                            (unsigned)(from[i + 3] - '0');
            if (byte > 0 && byte < 256) {
                c = byte;
                i += 3;
            }
        }
        if (used + 1 >= size)
            return -ENAMETOOLONG;
        to[used++] = (char)c;
    }
    to[used] = '\0';
    return 0;
}

/* Reads the fields of one line that ends at `end`. */
static int read_line(const char *s, const char *end, struct fstab_entry *entry)
{
    struct {
        char *to;
        size_t size;
    } fields[] = {
        {entry->source, sizeof(entry->source)},
        {entry->target, sizeof(entry->target)},
        {entry->type, sizeof(entry->type)},
        {entry->options, sizeof(entry->options)},
    };
    size_t count = 0;

    memcpy(entry->options, "defaults", sizeof("defaults"));
    while (count < sizeof(fields) / sizeof(fields[0])) {
        while (s < end && strchr(" \t\r", *s))
            s++;
        if (s == end)
            break;
        const char *from = s;
        while (s < end && !strchr(" \t\r", *s))
            s++;
        int r = unescape(fields[count].to, fields[count].size, from, (size_t)(s - from));
        if (r < 0)
            return r;
        count++;
    }
    return count < 3 ? -EINVAL : 0;
}

int fstab_next(struct fstab_cursor *cursor, struct fstab_entry *ret)
{
    while (*cursor->at) {
        const char *s = cursor->at;
        const char *end = s + strcspn(s, "\n");
        struct fstab_entry entry;

        cursor->at = *end ? end + 1 : end;
        cursor->line++;
        while (s < end && strchr(" \t\r", *s))
            s++;
        if (s == end || *s == '#')
            continue;
        int r = read_line(s, end, &entry);
        if (r < 0)
            return r;
        if (entry.target[0] != '/' && strcmp(entry.type, "swap") != 0)
            return -EINVAL;
        *ret = entry;
        return 1;
    }
    return 0;
}

/* The flag of mount(2) that each option sets or clears; 0: known, but no business of the kernel. */
static const struct {
    const char *name;
    unsigned long set;
    unsigned long clear;
} flags[] = {
    {"ro", MS_RDONLY, 0},
    {"rw", 0, MS_RDONLY},
    {"nosuid", MS_NOSUID, 0},
    {"suid", 0, MS_NOSUID},
    {"nodev", MS_NODEV, 0},
    {"dev", 0, MS_NODEV},
    {"noexec", MS_NOEXEC, 0},
    {"exec", 0, MS_NOEXEC},
    {"sync", MS_SYNCHRONOUS, 0},
    {"async", 0, MS_SYNCHRONOUS},
    {"dirsync", MS_DIRSYNC, 0},
    {"remount", MS_REMOUNT, 0},
    {"bind", MS_BIND, 0},
    {"rbind", MS_BIND | MS_REC, 0},
    {"noatime", MS_NOATIME, 0},
    {"atime", 0, MS_NOATIME},
    {"nodiratime", MS_NODIRATIME, 0},
    {"relatime", MS_RELATIME, 0},
    {"norelatime", 0, MS_RELATIME},
    {"strictatime", MS_STRICTATIME, 0},
    {"silent", MS_SILENT, 0},
    {"defaults", 0, 0},
    {"auto", 0, 0},
    {"noauto", 0, 0},
    {"nofail", 0, 0},
    {"user", 0, 0},
    {"nouser", 0, 0},
    {"_netdev", 0, 0},
};

/* Applies one option that is a flag to *value. Returns false when it is not one. */
static bool apply_flag(const char *option, size_t length, unsigned long *value)
{
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        if (strlen(flags[i].name) == length && memcmp(flags[i].name, option, length) == 0) {
            *value = (*value | flags[i].set) & ~flags[i].clear;
            return true;
        }
    return false;
}

bool fstab_has(const char *options, const char *name)
{
    size_t length = strlen(name);

    for (;;) {
        size_t option = strcspn(options, ",");

        if (option >= length && memcmp(options, name, length) == 0 &&
            (option == length || options[length] == '='))
            return true;
        if (!options[option])
            return false;
        options += option + 1;
    }
}

int fstab_options(const char *options, unsigned long *ret_flags, char *ret_data, size_t size)
{
    unsigned long value = 0;
    char data[sizeof(((struct fstab_entry *)0)->options)];
    struct text text;

    text_start(&text, data, sizeof(data));
    for (;;) {
        size_t length = strcspn(options, ",");

        if (length && !apply_flag(options, length, &value))
            text_addf(&text, "%s%.*s", text.used ? "," : "", (int)length, options);
        if (!options[length])
            break;
        options += length + 1;
    }
    if (text.cut || text.used >= size)
        return -ENAMETOOLONG;
    memcpy(ret_data, data, text.used + 1);
    *ret_flags = value;
    return 0;
}
