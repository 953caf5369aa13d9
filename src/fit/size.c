/* See fit/size.h. */
#include "fit/size.h"
#include "base/file.h"
#include "base/process.h"
#include "base/str.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

/* Folders whose objects do not become part of vmlinux: programs of the build, and what runs before it. */
static const char *const apart[] = {"scripts/",
                                    "tools/",
                                    "usr/gen_init_cpio",
                                    "arch/x86/boot/",
                                    "arch/x86/realmode/rm/",
                                    "arch/x86/purgatory/",
                                    "arch/x86/entry/vdso/",
                                    "arch/x86/tools/",
                                    "certs/extract"};

void kernel_size_free(struct kernel_size *s)
{
    VEC_EACH(part, &s->parts)
        free(part->folder);
    VEC_FREE(&s->parts);
}

static struct size_part *part_of(struct kernel_size *s, const char *folder, size_t length)
{
    VEC_EACH(part, &s->parts)
        if (strlen(part->folder) == length && strncmp(part->folder, folder, length) == 0)
            return part;
    struct size_part *part = VEC_ADD(&s->parts);
    part->folder = xstrndup(folder, length);
    return part;
}

/* The length of `net/ipv4` in `net/ipv4/netfilter/x.o` for a depth of 2. */
static size_t folder_length(const char *path, unsigned depth)
{
    size_t length = 0;
    for (size_t i = 0; path[i] && depth; i++)
        if (path[i] == '/') {
            length = i;
            depth--;
        }
    return length;
}

int kernel_size_add_line(struct kernel_size *s, const char *line, const char *build_folder, unsigned depth)
{
    unsigned long long text, data, bss;
    int at = 0;
    if (sscanf(line, " %20llu %20llu %20llu %*u %*x %n", &text, &data, &bss, &at) != 3 || at == 0)
        return -EINVAL;
    const char *path = line + at;
    size_t root = strlen(build_folder);
    if (strncmp(path, build_folder, root) == 0 && path[root] == '/')
        path += root + 1;
    struct size_part *part = part_of(s, path, folder_length(path, depth));
    part->bytes += text + data;
    part->zeroed += bss;
    s->bytes += text + data;
    s->zeroed += bss;
    return 0;
}

static _Thread_local struct {
    char **items;
    size_t n, cap;
} objects;
static _Thread_local size_t root_length;

static int take_object(const char *path, const struct stat *st, int type, struct FTW *where)
{
    const char *inside = path + root_length + 1;
    (void)st;
    (void)where;
    if (type != FTW_F || !str_ends(path, ".o") || !strchr(inside, '/'))
        return 0; /* vmlinux.o and alike lie at the top */
    for (size_t i = 0; i < ARRAY_SIZE(apart); i++)
        if (str_starts(inside, apart[i]))
            return 0;
    VEC_PUSH(&objects, xstrdup(path));
    return 0;
}

struct reading {
    struct kernel_size *size;
    const char *folder;
    unsigned depth;
};

static void take_line(void *user, const char *line)
{
    struct reading *r = user;
    (void)kernel_size_add_line(r->size, line, r->folder, r->depth); /* the heading is no line of it */
}

static int compare_parts(const void *a, const void *b)
{
    const struct size_part *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return strcmp(x->folder, y->folder);
}

int kernel_size_read(const char *build_folder, unsigned depth, struct diags *diags,
                     struct kernel_size *ret_size)
{
    struct kernel_size size = {0};
    cleanup_free char *image = xasprintf("%s/arch/x86/boot/bzImage", build_folder);
    struct reading reading = {.size = &size, .folder = build_folder, .depth = depth};
    VEC(const char *) argv = {0};
    struct stat st;
    if (stat(image, &st) < 0)
        return -ENOENT;
    size.image = (uint64_t)st.st_size;
    root_length = strlen(build_folder);
    int r = nftw(build_folder, take_object, 32, FTW_PHYS) < 0 ? -errno : 0;
    VEC_PUSH(&argv, "size");
    VEC_EACH(path, &objects)
        VEC_PUSH(&argv, *path);
    VEC_PUSH(&argv, NULL);
    if (r == 0)
        r = process_run(&(struct process_spec){.argv = argv.items, .on_line = take_line, .user = &reading});
    VEC_EACH(path, &objects)
        free(*path);
    VEC_FREE(&objects);
    VEC_FREE(&argv);
    if (size.parts.n)
        qsort(size.parts.items, size.parts.n, sizeof(struct size_part), compare_parts);
    if (r < 0) {
        kernel_size_free(&size);
        return diag_errno(diags, r, "cannot measure the objects in %s", build_folder);
    }
    *ret_size = size;
    return 0;
}
