/* See import/import.h: files and folders to their readers. */
#include "import/import.h"
#include "base/file.h"
#include "import/input.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

const char *const import_format_names[] = {"dnsmasq", "isc", "kea", "pxelinux", NULL};

static int (*const readers[])(struct input *s) = {
    [IMPORT_DNSMASQ] = read_dnsmasq,
    [IMPORT_ISC] = read_isc,
    [IMPORT_KEA] = read_kea,
    [IMPORT_PXELINUX] = read_pxelinux,
};

void import_free(struct import *import)
{
    VEC_EACH(host, &import->hosts)
        host_clear(host);
    VEC_FREE(&import->hosts);
    VEC_EACH(file, &import->files)
        free(*file);
    VEC_FREE(&import->files);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Detection. */

#define BIT(format) (1U << (format))

static bool is_one_of(const char *word, const char *const *words)
{
    for (; *words; words++)
        if (strcasecmp(word, *words) == 0)
            return true;
    return false;
}

/* What one line is a sign of, as BITs. */
static unsigned line_signs(const char *text, size_t size)
{
    static const char *const isc[] = {
        "authoritative",  "class",  "default-lease-time", "group",    "hardware", "host", "include", "lease",
        "max-lease-time", "option", "shared-network",     "subclass", "subnet",   NULL};
    static const char *const pxelinux[] = {"append",    "default", "display",   "include", "initrd",
                                           "ipappend",  "kernel",  "label",     "linux",   "localboot",
                                           "menu",      "prompt",  "ontimeout", "say",     "serial",
                                           "sysappend", "timeout", "ui",        NULL};
    char word[32];
    size_t n = 0, end;
    while (n < size && (isalnum((unsigned char)text[n]) || text[n] == '-'))
        n++;
    for (end = n; end < size && isspace((unsigned char)text[end]);)
        end++;
    if (end < size && n && text[end] == '=')
        return BIT(IMPORT_DNSMASQ);
    if (n == 2 && n < size && text[n] == ':' && memchr(text, ',', size))
        return BIT(IMPORT_DNSMASQ); /* `52:54:...,n1`: a file of hosts */
    if (n == 0 || n >= sizeof(word) || (n < size && end == n && text[n] != ';' && text[n] != '{'))
        return 0;
    memcpy(word, text, n);
    word[n] = '\0';
    while (size && isspace((unsigned char)text[size - 1]))
        size--;
    bool c_like = text[size - 1] == ';' || text[size - 1] == '{' || text[size - 1] == '}';
    if (c_like || memchr(text, '{', size))
        return is_one_of(word, isc) ? BIT(IMPORT_ISC) : 0;
    return is_one_of(word, pxelinux) ? BIT(IMPORT_PXELINUX) : 0;
}

/* What the text is a sign of. JSON is known by its first character, which begins no line of the others. */
static unsigned text_signs(const char *text, size_t size)
{
    const struct input s = {.text = text, .size = size};
    struct lines line = {0};
    unsigned signs = 0;
    bool comment = false;
    while (lines_next(&s, &line)) {
        while (line.size && isspace((unsigned char)*line.text))
            line.text++, line.size--;
        if (line.size == 0 || line.text[0] == '#')
            continue;
        if (comment ||
            (line.size > 1 && line.text[0] == '/' && (line.text[1] == '*' || line.text[1] == '/'))) {
            comment = (comment || line.text[1] == '*') && !memmem(line.text, line.size, "*/", 2);
            continue;
        }
        if (!signs && (line.text[0] == '{' || (line.text[0] == '[' && !memchr(line.text, ',', line.size))))
            return BIT(IMPORT_KEA);
        signs |= line_signs(line.text, line.size);
    }
    return signs;
}

static unsigned name_signs(const char *path)
{
    static const struct {
        const char *part;
        enum import_format format;
    } parts[] = {{"dnsmasq", IMPORT_DNSMASQ}, {"dhcpd", IMPORT_ISC}, {"kea", IMPORT_KEA}};
    unsigned signs = 0;
    if (is_pxelinux_name(base_name(path)))
        return BIT(IMPORT_PXELINUX);
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        if (strstr(base_name(path), parts[i].part))
            signs |= BIT(parts[i].format);
    return signs;
}

enum import_format import_detect(const char *name, const char *text, size_t size)
{
    unsigned by_text = text_signs(text, size), by_name = name_signs(name);
    unsigned both = by_text ? (by_text & by_name ? by_text & by_name : by_text) : by_name;
    for (enum import_format format = IMPORT_DNSMASQ; format < IMPORT_FORMATS; format++)
        if (both == BIT(format))
            return format;
    return IMPORT_DETECT;
}

/* Files. */

/* Reads the text, which it makes fit for that, by the reader of its format. */
static int parse(enum import_format format, struct input *s, const char *name, char *text, size_t size)
{
    s->name = *VEC_ADD(&s->into->files) = xstrdup(name);
    s->text = text;
    s->size = size;
    if (clean_text(text, size) < 0)
        return input_error(s, &(struct pos){.file = s->name}, "this is no text: it holds NUL bytes");
    s->into->files_read++;
    return readers[format](s);
}

int import_parse(enum import_format format, const char *name, const char *text, size_t size,
                 struct import *into, struct diags *diags)
{
    cleanup_free char *copy = xmalloc(size + 1);
    struct input s = {.root = -1, .into = into, .diags = diags};
    memcpy(copy, text, size);
    copy[size] = '\0';
    return parse(format, &s, name, copy, size);
}

/* One operand, or a file of one. */
struct reading {
    enum import_format format;
    bool in_folder; /* not named by itself: a file that is something else is passed over */
    int root;       /* PXELINUX: the TFTP server's folder */
    const char *root_path;
    struct import *into;
    struct diags *diags;
};

static int unknown_format(const struct reading *reading, const char *path)
{
    const struct pos at = {.file = path};
    if (reading->in_folder)
        return diag_warning(reading->diags, &at,
                            "not read: neither its name nor its text says what it is; name it with --from");
    return diag_error(
        reading->diags, &at,
        "neither its name nor its text says what it is; say --from dnsmasq, isc, kea or pxelinux");
}

static int read_file(const struct reading *reading, const char *path)
{
    struct input s = {.root = reading->root,
                      .root_path = reading->root_path,
                      .into = reading->into,
                      .diags = reading->diags};
    enum import_format format = reading->format;
    cleanup_free char *text = NULL;
    size_t size;
    int r = file_read(path, IMPORT_SIZE_MAX, &text, &size);
    if (r == -EFBIG)
        return diag_error(reading->diags, &(struct pos){.file = path}, "longer than %zu MiB",
                          IMPORT_SIZE_MAX >> 20);
    if (r < 0)
        return diag_errno(reading->diags, r, "cannot read %s", path);
    if (format == IMPORT_DETECT)
        format = import_detect(path, text, size);
    return format == IMPORT_DETECT ? unknown_format(reading, path) : parse(format, &s, path, text, size);
}

/* The folder that a path is in; the caller's. */
static char *parent_of(const char *path)
{
    const char *base = base_name(path);
    if (str_eq(base, ".") || str_eq(base, ".."))
        return xasprintf("%s/..", path);
    if (base == path)
        return xstrdup(".");
    return xstrndup(path, base - path > 1 ? (size_t)(base - path) - 1 : 1);
}

/* Reads a folder's files, in the order of their names. Folders in it and backup copies are passed over. */
static int read_files(const struct reading *reading, const char *folder)
{
    char **names = NULL;
    int r = dir_names(folder, NULL, &names);
    if (r < 0)
        return diag_errno(reading->diags, r, "cannot read the folder %s", folder);
    for (char **name = names; *name; name++) {
        cleanup_free char *path = xasprintf("%s/%s", folder, *name);
        struct stat st;
        if (str_ends(*name, "~") || (stat(path, &st) == 0 && !S_ISREG(st.st_mode)))
            continue;
        int failed = read_file(reading, path);
        r = r < 0 ? r : failed;
    }
    names_free(names);
    return r;
}

/* Reads a file or folder of PXELINUX, with the TFTP server's folder for what is included. */
static int read_pxelinux_path(struct reading *reading, const char *path, bool folder)
{
    cleanup_free char *parent = parent_of(path);
    bool inside = !folder && str_eq(base_name(parent), "pxelinux.cfg");
    cleanup_free char *root_path = inside ? parent_of(parent) : xstrdup(parent);
    cleanup_close int root = open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    reading->format = IMPORT_PXELINUX;
    reading->root = root;
    reading->root_path = root_path;
    return folder ? read_files(reading, path) : read_file(reading, path);
}

/* A folder of PXELINUX's files is known by its name, or by the name of a file in it. */
static bool is_pxelinux_folder(const char *path)
{
    char **names = NULL;
    bool found = str_eq(base_name(path), "pxelinux.cfg");
    if (found || dir_names(path, NULL, &names) < 0)
        return found;
    for (char **name = names; *name && !found; name++)
        found = str_starts(*name, "01-") && is_pxelinux_name(*name);
    names_free(names);
    return found;
}

static int read_folder(struct reading *reading, const char *path)
{
    cleanup_free char *inner = xasprintf("%s/pxelinux.cfg", path);
    bool maybe_pxelinux = reading->format == IMPORT_DETECT || reading->format == IMPORT_PXELINUX;
    reading->in_folder = true;
    if (maybe_pxelinux && file_exists(inner))
        return read_pxelinux_path(reading, inner, true);
    if (reading->format == IMPORT_PXELINUX || (maybe_pxelinux && is_pxelinux_folder(path)))
        return read_pxelinux_path(reading, path, true);
    return read_files(reading, path);
}

int import_read(const char *path, enum import_format format, struct import *into, struct diags *diags)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    cleanup_free char *clean = xstrndup(path, n);
    struct reading reading = {.format = format, .root = -1, .into = into, .diags = diags};
    struct stat st;
    if (stat(clean, &st) < 0)
        return diag_errno(diags, -errno, "cannot read %s", clean);
    if (S_ISDIR(st.st_mode))
        return read_folder(&reading, clean);
    if (!S_ISREG(st.st_mode))
        return diag_error(diags, &(struct pos){.file = clean}, "neither a file nor a folder");
    bool pxelinux =
        format == IMPORT_PXELINUX || (format == IMPORT_DETECT && is_pxelinux_name(base_name(clean)));
    return pxelinux ? read_pxelinux_path(&reading, clean, false) : read_file(&reading, clean);
}
