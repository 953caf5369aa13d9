/* See fit/size.h. */
#include "fit/size.h"
#include "base/file.h"
#include "base/process.h"
#include "base/str.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

/* The archives that say which objects vmlinux has, since 6.1. The folder may hold others: those of drivers
 * that were left out since, or that the kernel it began as a copy of has. */
static const char *const archives[] = {"vmlinux.a", "lib/lib.a", "arch/x86/lib/lib.a",
                                       "arch/arm64/lib/lib.a"};

/* What is served, by architecture. */
static const char *const images[] = {"arch/x86/boot/bzImage", "arch/arm64/boot/vmlinuz.efi",
                                     "arch/arm64/boot/Image"};

/* Where there is no such archive: folders whose objects do not become part of vmlinux, programs of the build
 * and what runs before it. */
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

static void take_member(void *user, const char *line)
{
    const char *folder = user;
    if (str_ends(line, ".o"))
        VEC_PUSH(&objects, xasprintf("%s/%s", folder, line));
}

/* Fills `objects`. */
static int find_objects(const char *folder)
{
    cleanup_free char *all = xasprintf("%s/%s", folder, archives[0]);
    root_length = strlen(folder);
    if (!file_exists(all))
        return nftw(folder, take_object, 32, FTW_PHYS) < 0 ? -errno : 0;
    for (size_t i = 0; i < ARRAY_SIZE(archives); i++) {
        cleanup_free char *path = xasprintf("%s/%s", folder, archives[i]);
        if (!file_exists(path))
            continue;
        int r =
            process_run(&(struct process_spec){.argv = (const char *const[]){"ar", "t", archives[i], NULL},
                                               .cwd = folder,
                                               .on_line = take_member,
                                               .user = (void *)(uintptr_t)folder});
        if (r != 0)
            return r < 0 ? r : -EIO;
    }
    return 0;
}

/* The kernel's file; the caller's. NULL: it is not built. */
static char *find_image(const char *folder)
{
    for (size_t i = 0; i < ARRAY_SIZE(images); i++) {
        char *path = xasprintf("%s/%s", folder, images[i]);
        if (file_exists(path))
            return path;
        free(path);
    }
    return NULL;
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
    cleanup_free char *image = find_image(build_folder);
    struct reading reading = {.size = &size, .folder = build_folder, .depth = depth};
    VEC(const char *) argv = {0};
    struct stat st;
    if (!image || stat(image, &st) < 0)
        return -ENOENT;
    size.image = (uint64_t)st.st_size;
    int r = find_objects(build_folder);
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
    if (r > 0)
        r = diag_error(
            diags, NULL,
            "size failed with status %d on the objects in %s: is it being built? Try again then, or "
            "build it anew",
            r, build_folder);
    else if (r < 0)
        diag_errno(diags, r, "cannot measure the objects in %s", build_folder);
    if (r < 0) {
        kernel_size_free(&size);
        return r;
    }
    *ret_size = size;
    return 0;
}
