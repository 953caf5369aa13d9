/* The reading half of image/cpio.h. Two passes: the headers are read into an array and checked one by one,
 * then the tree is made of them, since the content of a file with several names may stand at any of them. */
#include "base/bytes.h"
#include "image/cpio.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

enum { HEADER = 110, MAGIC = 6, ALIGN = 4 };

/* The numbers of a header in their order. */
enum field {
    F_INO,
    F_MODE,
    F_UID,
    F_GID,
    F_NLINK,
    F_MTIME,
    F_FILESIZE,
    F_DEVMAJOR,
    F_DEVMINOR,
    F_RDEVMAJOR,
    F_RDEVMINOR,
    F_NAMESIZE,
    F_CHECK,
    FIELDS
};

struct member {
    size_t offset; /* of its header */
    uint32_t f[FIELDS];
    const char *name; /* in the archive */
    const uint8_t *content;
    size_t index;
};

struct cpio_parse {
    struct reader in;
    size_t size;
    struct diags *diags;
    VEC(struct member) members;
    VEC(struct member *) linked; /* regular files with several names, those of one inode together */
};

static int refuse(const struct cpio_parse *p, size_t offset, const char *name, const char *why)
{
    cleanup_str struct str shown = {0};
    tree_manifest_name(&shown, name ? name : "");
    diag_error(p->diags, NULL, "archive entry at byte %zu%s%.200s: %s", offset, name ? ", " : "",
               str_text(&shown), why);
    return -EBADMSG;
}

/* The value of a hexadecimal digit, or 16. */
static unsigned hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - (unsigned)'0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - (unsigned)'a' + 10 : 16;
}

/* Eight hexadecimal digits, nothing else. */
static bool parse_number(const uint8_t *digits, uint32_t *ret)
{
    uint32_t value = 0;
    for (size_t i = 0; i < 8; i++) {
        unsigned digit = hex_digit(digits[i]);
        if (digit > 15)
            return false;
        value = value << 4 | digit;
    }
    *ret = value;
    return true;
}

/* Skips to the next multiple of four from the archive's start. */
static void align(struct cpio_parse *p)
{
    size_t done = p->size - p->in.left;
    reader_take(&p->in, (ALIGN - done % ALIGN) % ALIGN);
}

static int read_name(struct cpio_parse *p, struct member *m)
{
    uint32_t n = m->f[F_NAMESIZE];
    if (n == 0)
        return refuse(p, m->offset, NULL, "its name has no byte, not even the NUL; the kernel skips it");
    if (n > PATH_MAX)
        return refuse(p, m->offset, NULL, "its name is longer than PATH_MAX; the kernel skips it");
    const char *name = (const char *)reader_take(&p->in, n);
    align(p);
    if (!name || p->in.failed)
        return refuse(p, m->offset, NULL, "its name goes past the end of the archive");
    if (strnlen(name, n) != n - 1)
        return refuse(p, m->offset, NULL, "its name does not end in the only NUL");
    m->name = name;
    return 0;
}

/* What the type says about the size of the content. */
static const char *check_content(const struct member *m)
{
    uint32_t size = m->f[F_FILESIZE];
    switch (m->f[F_MODE] & S_IFMT) {
    case S_IFREG:
        return NULL;
    case S_IFLNK:
        if (size == 0 || size >= PATH_MAX || memchr(m->content, '\0', size))
            return "its target is empty, too long or holds a NUL";
        return NULL;
    case S_IFDIR:
    case S_IFCHR:
    case S_IFBLK:
    case S_IFIFO:
        return size ? "it has content, but is no file" : NULL;
    default:
        return "its type is none that the kernel unpacks";
    }
}

/* Reads one entry. 1, 0 for the trailer, or -EBADMSG. */
static int read_member(struct cpio_parse *p, struct member *m)
{
    m->offset = p->size - p->in.left;
    const uint8_t *header = reader_take(&p->in, HEADER);
    if (!header)
        return refuse(p, m->offset, NULL, "the archive ends without TRAILER!!!");
    if (memcmp(header, "070701", MAGIC) != 0)
        return refuse(p, m->offset, NULL, "its magic is not 070701 (newc)");
    for (size_t i = 0; i < FIELDS; i++)
        if (!parse_number(header + MAGIC + 8 * i, &m->f[i]))
            return refuse(p, m->offset, NULL, "its header holds something else than hexadecimal digits");
    int r = read_name(p, m);
    if (r < 0)
        return r;
    m->content = reader_take(&p->in, m->f[F_FILESIZE]);
    align(p);
    if (!m->content || p->in.failed)
        return refuse(p, m->offset, m->name, "its content goes past the end of the archive");
    if (str_eq(m->name, "TRAILER!!!"))
        return m->f[F_FILESIZE] ? refuse(p, m->offset, m->name, "the trailer has content") : 0;
    const char *why = check_content(m);
    return why ? refuse(p, m->offset, m->name, why) : 1;
}

static int read_members(struct cpio_parse *p)
{
    for (;;) {
        struct member m = {.index = p->members.n};
        int r = read_member(p, &m);
        if (r < 0)
            return r;
        if (r == 0)
            break;
        VEC_PUSH(&p->members, m);
    }
    for (size_t i = 0; i < p->in.left; i++)
        if (p->in.p[i])
            return refuse(p, p->size - p->in.left + i, NULL, "there is something behind the trailer");
    return 0;
}

static bool is_linked(const struct member *m)
{
    return S_ISREG(m->f[F_MODE]) && m->f[F_NLINK] >= 2;
}

static int compare_linked(const void *a, const void *b)
{
    const struct member *x = *(struct member *const *)a, *y = *(struct member *const *)b;
    static const enum field key[] = {F_INO, F_DEVMAJOR, F_DEVMINOR};
    for (size_t i = 0; i < ARRAY_SIZE(key); i++)
        if (x->f[key[i]] != y->f[key[i]])
            return x->f[key[i]] < y->f[key[i]] ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static bool same_inode(const struct member *a, const struct member *b)
{
    return a->f[F_INO] == b->f[F_INO] && a->f[F_DEVMAJOR] == b->f[F_DEVMAJOR] &&
           a->f[F_DEVMINOR] == b->f[F_DEVMINOR];
}

/* Where the names of the inode of `m` begin in `linked`. */
static size_t group_of(const struct cpio_parse *p, const struct member *m)
{
    size_t low = 0, high = p->linked.n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct member *at = p->linked.items[middle];
        if (!same_inode(at, m) && compare_linked(&at, &m) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The name in the tree, the caller's. The kernel does not make parents: they must stand before. */
static int member_path(const struct cpio_parse *p, const struct member *m, char **ret_path)
{
    const char *name = m->name, *why = NULL;
    if (!name[0] || name[0] == '/')
        return refuse(p, m->offset, name, "its name is empty or absolute");
    while (name[0] == '.' && name[1] == '/')
        name += 2;
    cleanup_free char *full = xasprintf("/%s", name);
    return tree_path(full, strlen(full), ret_path, &why) < 0 ? refuse(p, m->offset, m->name, why) : 0;
}

static int check_place(const struct cpio_parse *p, const struct tree *t, const struct member *m,
                       const char *path)
{
    const struct tree_entry *there = tree_find(t, path);
    if (there && !there->implied)
        return refuse(p, m->offset, m->name, "the name stands twice");
    const char *slash = strrchr(path, '/');
    if (slash == path)
        return 0;
    cleanup_free char *parent = xstrndup(path, (size_t)(slash - path));
    if (!tree_find(t, parent))
        return refuse(p, m->offset, m->name, "its folder does not stand before it; the kernel skips it");
    return 0;
}

/* Adds a file: the content may stand at another name of its inode. */
static int add_file(const struct cpio_parse *p, struct tree *t, const struct member *m, const char *path,
                    const struct tree_attr *attr)
{
    if (!is_linked(m))
        return tree_data(t, path, m->content, m->f[F_FILESIZE], attr, NULL);
    size_t group = group_of(p, m);
    const struct member *first = p->linked.items[group], *content = m;
    if (m != first) {
        if (m->f[F_MODE] != first->f[F_MODE] || m->f[F_UID] != first->f[F_UID] ||
            m->f[F_GID] != first->f[F_GID])
            return refuse(p, m->offset, m->name, "mode or owner differ from the inode's other name");
        cleanup_free char *target = NULL;
        int r = member_path(p, first, &target);
        return r < 0 ? r : tree_hardlink(t, path, target, NULL);
    }
    for (size_t i = group + 1; i < p->linked.n && same_inode(p->linked.items[i], m); i++) {
        const struct member *other = p->linked.items[i];
        if (other->f[F_FILESIZE] && content->f[F_FILESIZE])
            return refuse(p, other->offset, other->name, "the content of its inode stands twice");
        if (other->f[F_FILESIZE])
            content = other;
    }
    return tree_data(t, path, content->content, content->f[F_FILESIZE], attr, NULL);
}

static int add_member(const struct cpio_parse *p, struct tree *t, const struct member *m)
{
    cleanup_free char *path = NULL;
    struct tree_attr attr = {.mode = m->f[F_MODE] & 07777, .uid = m->f[F_UID], .gid = m->f[F_GID]};
    mode_t type = m->f[F_MODE] & S_IFMT;
    int r = member_path(p, m, &path);
    if (r == 0)
        r = check_place(p, t, m, path);
    if (r < 0)
        return r;
    if (type == S_IFDIR)
        return tree_dir(t, path, &attr, NULL);
    if (type == S_IFREG)
        return add_file(p, t, m, path, &attr);
    if (type != S_IFLNK)
        return tree_node(t, path, type, m->f[F_RDEVMAJOR], m->f[F_RDEVMINOR], &attr, NULL);
    cleanup_free char *target = xstrndup((const char *)m->content, m->f[F_FILESIZE]);
    return tree_symlink(t, path, target, &attr, NULL);
}

int cpio_read(const void *data, size_t size, struct diags *diags, struct tree **ret_tree)
{
    struct cpio_parse p = {.in = reader_of(data, size), .size = size, .diags = diags};
    CLEANUP(tree_free) struct tree *t = tree_new(diags);
    int r = read_members(&p);
    if (r == 0) {
        VEC_EACH(m, &p.members)
            if (is_linked(m))
                VEC_PUSH(&p.linked, m);
        if (p.linked.n)
            qsort(p.linked.items, p.linked.n, sizeof(*p.linked.items), compare_linked);
    }
    for (size_t i = 0; r == 0 && i < p.members.n; i++)
        r = add_member(&p, t, &p.members.items[i]);
    VEC_FREE(&p.members);
    VEC_FREE(&p.linked);
    if (r < 0)
        return -EBADMSG;
    tree_sort(t);
    *ret_tree = TAKE_PTR(t);
    return 0;
}
