/* See image/tree.h. */
#include "image/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <search.h>
#include <sys/stat.h>

enum { PAGE = 4096, ENTRY_COST = 1024, MAJOR_LIMIT = 1 << 12, MINOR_LIMIT = 1 << 20, PERMISSIONS = 07777 };

static void inode_unref(struct tree_inode *inode)
{
    if (!inode || --inode->links)
        return;
    free(inode->target);
    free(inode->data);
    free(inode->source);
    free(inode);
}

static struct tree_inode *inode_new(mode_t type, const struct tree_attr *attr)
{
    struct tree_inode *inode = xcalloc(1, sizeof(*inode));
    inode->links = 1;
    inode->mode = type | (attr->mode & PERMISSIONS);
    inode->uid = attr->uid;
    inode->gid = attr->gid;
    return inode;
}
DEFINE_CLEANUP(struct tree_inode *, inode_unref);

static int compare_entries(const void *a, const void *b)
{
    return strcmp(((const struct tree_entry *)a)->path, ((const struct tree_entry *)b)->path);
}

static struct tree_entry *find(const struct tree *t, const char *path)
{
    struct tree_entry key = {.path = (char *)(uintptr_t)path};
    void **found = tfind(&key, &t->index, compare_entries);
    return found ? *found : NULL;
}

const struct tree_entry *tree_find(const struct tree *t, const char *path)
{
    return find(t, path);
}

/* The folder that holds a normalised path other than `/`; the caller's. */
static char *parent_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

/* Adds a name that is not there yet, whose parent is. Takes path and inode over. */
static struct tree_entry *add(struct tree *t, char *path, struct tree_inode *inode)
{
    struct tree_entry *entry = xcalloc(1, sizeof(*entry));
    entry->path = path;
    entry->inode = inode;
    if (!str_eq(path, "/")) {
        cleanup_free char *parent = parent_of(path);
        find(t, parent)->children++;
    }
    VEC_PUSH(&t->entries, entry);
    if (!tsearch(entry, &t->index, compare_entries))
        abort();
    return entry;
}

struct tree *tree_new(struct diags *diags)
{
    struct tree *t = xcalloc(1, sizeof(*t));
    t->diags = diags;
    add(t, xstrdup("/"), inode_new(S_IFDIR, &(struct tree_attr){.mode = 0755}))->implied = true;
    return t;
}

static void keep_entry(void *entry)
{
    (void)entry;
}

void tree_free(struct tree *t)
{
    if (!t)
        return;
    tdestroy(t->index, keep_entry);
    VEC_EACH(it, &t->entries) {
        inode_unref((*it)->inode);
        free((*it)->path);
        free(*it);
    }
    VEC_FREE(&t->entries);
    free(t);
}

/* Appends one part of a name; NULL, or why it cannot be one. */
static const char *add_part(struct str *path, const char *part, size_t n)
{
    if (n == 0 || (n == 1 && part[0] == '.'))
        return NULL;
    if (n == 2 && part[0] == '.' && part[1] == '.')
        return "holds \"..\"";
    if (n > NAME_MAX)
        return "has a part longer than 255 bytes, which no file system takes";
    str_add(path, "/");
    str_add_n(path, part, n);
    return NULL;
}

int tree_path(const char *path, size_t n, char **ret_path, const char **ret_why)
{
    cleanup_str struct str result = {0};
    const char *why = NULL;
    if (n == 0)
        why = "is empty";
    else if (memchr(path, '\0', n))
        why = "holds a NUL byte";
    else if (path[0] != '/')
        why = "is not absolute: it must begin with \"/\"";
    for (size_t i = 1; !why && i <= n;) {
        const char *slash = i < n ? memchr(path + i, '/', n - i) : NULL;
        size_t end = slash ? (size_t)(slash - path) : n;
        why = add_part(&result, path + i, end - i);
        i = end + 1;
    }
    if (!why && result.len >= PATH_MAX)
        why = "is longer than 4095 bytes, and the kernel would skip it";
    if (!why && str_eq(str_text(&result), "/TRAILER!!!"))
        why = "is the name that ends a cpio archive: what follows would be lost";
    if (why) {
        *ret_why = why;
        return -EINVAL;
    }
    if (result.len == 0)
        str_add(&result, "/");
    *ret_path = str_steal(&result);
    return 0;
}

static int normalise(struct tree *t, const char *path, const struct pos *pos, char **ret_path)
{
    const char *why;
    int r = tree_path(path, strlen(path), ret_path, &why);
    if (r < 0)
        diag_error(t->diags, pos, "path \"%.200s\" %s", path, why);
    return r;
}

/* Sees to it that every folder above `path` is a folder, making those that are missing. */
static int make_parents(struct tree *t, const char *path, const struct pos *pos)
{
    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        cleanup_free char *above = xstrndup(path, (size_t)(slash - path));
        const struct tree_entry *entry = find(t, above);
        if (!entry)
            add(t, TAKE_PTR(above), inode_new(S_IFDIR, &(struct tree_attr){.mode = 0755}))->implied = true;
        else if (S_ISLNK(entry->inode->mode))
            return diag_error(t->diags, pos,
                              "\"%s\" leads through \"%s\", a symbolic link to \"%s\": name the place itself",
                              path, above, entry->inode->target);
        else if (!S_ISDIR(entry->inode->mode))
            return diag_error(t->diags, pos, "\"%s\" cannot be in \"%s\", which is no folder", path, above);
    }
    return 0;
}

/* Gives `path` the inode, which is taken over in any case. */
static int put(struct tree *t, const char *path, struct tree_inode *inode, const struct pos *pos)
{
    CLEANUP(inode_unref) struct tree_inode *owned = inode;
    cleanup_free char *name = NULL;
    int r = normalise(t, path, pos, &name);
    if (r == 0)
        r = make_parents(t, name, pos);
    if (r < 0)
        return r;
    struct tree_entry *entry = find(t, name);
    if (!entry) {
        add(t, TAKE_PTR(name), TAKE_PTR(owned));
        return 0;
    }
    if (!S_ISDIR(inode->mode) && str_eq(name, "/"))
        return diag_error(t->diags, pos, "\"/\" is the root folder and cannot be anything else");
    if (!S_ISDIR(inode->mode) && entry->children)
        return diag_error(t->diags, pos, "\"%s\" is a folder with something in it and cannot be replaced",
                          name);
    inode_unref(entry->inode);
    entry->inode = TAKE_PTR(owned);
    entry->implied = false;
    return 0;
}

int tree_dir(struct tree *t, const char *path, const struct tree_attr *attr, const struct pos *pos)
{
    return put(t, path, inode_new(S_IFDIR, attr), pos);
}

int tree_data(struct tree *t, const char *path, const void *data, size_t size, const struct tree_attr *attr,
              const struct pos *pos)
{
    if (size > TREE_FILE_MAX)
        return diag_error(t->diags, pos, "\"%s\" is 4 GiB or more, which a newc archive cannot hold", path);
    struct tree_inode *inode = inode_new(S_IFREG, attr);
    struct hash hash;
    inode->size = size;
    inode->data = xmalloc(size);
    if (size)
        memcpy(inode->data, data, size);
    hash_init(&hash);
    if (size)
        hash_add(&hash, data, size);
    hash_end(&hash, &inode->digest);
    return put(t, path, inode, pos);
}

/* Says that a source cannot be read, with its place. */
static int source_error(struct tree *t, const struct pos *pos, const char *source, int r)
{
    diag_error(t->diags, pos, "cannot read \"%s\": %s", source, strerror(-r));
    return r;
}

int tree_file(struct tree *t, const char *path, const char *source, const struct tree_attr *attr,
              const struct pos *pos)
{
    struct stat st;
    if (stat(source, &st) < 0)
        return source_error(t, pos, source, -errno);
    if (!S_ISREG(st.st_mode))
        return diag_error(t->diags, pos, "\"%s\" is no regular file", source);
    if (st.st_size > (off_t)TREE_FILE_MAX)
        return diag_error(t->diags, pos, "\"%s\" is 4 GiB or more, which a newc archive cannot hold", source);
    CLEANUP(inode_unref) struct tree_inode *inode = inode_new(S_IFREG, attr);
    inode->size = (uint64_t)st.st_size;
    inode->source = xstrdup(source);
    int r = hash_file(source, &inode->digest);
    return r < 0 ? source_error(t, pos, source, r) : put(t, path, TAKE_PTR(inode), pos);
}

int tree_symlink(struct tree *t, const char *path, const char *target, const struct tree_attr *attr,
                 const struct pos *pos)
{
    size_t n = strlen(target);
    if (n == 0 || n >= PATH_MAX)
        return diag_error(t->diags, pos,
                          "the target of the symbolic link \"%s\" has %zu bytes; allowed are 1 to 4095", path,
                          n);
    struct tree_attr any = {.mode = 0777, .uid = attr->uid, .gid = attr->gid};
    struct tree_inode *inode = inode_new(S_IFLNK, &any);
    inode->target = xstrdup(target);
    return put(t, path, inode, pos);
}

int tree_hardlink(struct tree *t, const char *path, const char *target, const struct pos *pos)
{
    cleanup_free char *name = NULL;
    int r = normalise(t, target, pos, &name);
    if (r == 0)
        r = make_parents(t, name, pos);
    if (r < 0)
        return r;
    const struct tree_entry *entry = find(t, name);
    if (!entry)
        return diag_error(t->diags, pos, "hard link \"%s\": \"%s\" is not in the image (yet)", path, name);
    if (!S_ISREG(entry->inode->mode))
        return diag_error(t->diags, pos, "hard link \"%s\": \"%s\" is no regular file", path, name);
    entry->inode->links++;
    return put(t, path, entry->inode, pos);
}

int tree_node(struct tree *t, const char *path, mode_t type, unsigned major, unsigned minor,
              const struct tree_attr *attr, const struct pos *pos)
{
    if (major >= MAJOR_LIMIT || minor >= MINOR_LIMIT)
        return diag_error(t->diags, pos, "device %u:%u of \"%s\": major must be below %d and minor below %d",
                          major, minor, path, MAJOR_LIMIT, MINOR_LIMIT);
    struct tree_inode *inode = inode_new(type, attr);
    inode->major = major;
    inode->minor = minor;
    return put(t, path, inode, pos);
}

static int compare_pointers(const void *a, const void *b)
{
    return compare_entries(*(struct tree_entry *const *)a, *(struct tree_entry *const *)b);
}

void tree_sort(struct tree *t)
{
    unsigned next = 1;
    qsort(t->entries.items, t->entries.n, sizeof(*t->entries.items), compare_pointers);
    VEC_EACH(it, &t->entries)
        (*it)->inode->number = 0;
    VEC_EACH(it, &t->entries)
        if (!(*it)->inode->number)
            (*it)->inode->number = next++;
}

void tree_hash(struct tree *t, struct hash *hash)
{
    tree_sort(t);
    VEC_EACH(it, &t->entries) {
        const struct tree_inode *inode = (*it)->inode;
        uint64_t numbers[] = {inode->number, inode->links, inode->mode,  inode->uid,
                              inode->gid,    inode->major, inode->minor, inode->size};
        hash_field(hash, (*it)->path);
        hash_field(hash, inode->target);
        hash_add(hash, numbers, sizeof(numbers));
        hash_add(hash, &inode->digest, sizeof(inode->digest));
    }
}

uint64_t tree_ram_size(struct tree *t)
{
    uint64_t bytes = 0;
    unsigned counted = 0;
    tree_sort(t);
    VEC_EACH(it, &t->entries) {
        const struct tree_inode *inode = (*it)->inode;
        bytes += ENTRY_COST;
        if (inode->number > counted && S_ISREG(inode->mode))
            bytes += (inode->size + PAGE - 1) / PAGE * PAGE;
        counted = inode->number > counted ? inode->number : counted;
    }
    return bytes;
}

void tree_manifest_name(struct str *text, const char *name)
{
    for (; *name; name++) {
        unsigned char c = (unsigned char)*name;
        if (c <= ' ' || c == '\\' || c >= 0x7f)
            str_printf(text, "\\%03o", c);
        else
            str_add_n(text, name, 1);
    }
}

static char type_letter(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFDIR:
        return 'd';
    case S_IFLNK:
        return 'l';
    case S_IFCHR:
        return 'c';
    case S_IFBLK:
        return 'b';
    case S_IFIFO:
        return 'p';
    default:
        return 'f';
    }
}

void tree_manifest(struct tree *t, struct str *text)
{
    tree_sort(t);
    VEC_EACH(it, &t->entries) {
        const struct tree_inode *inode = (*it)->inode;
        char hex[DIGEST_TEXT_MAX];
        tree_manifest_name(text, (*it)->path);
        str_printf(text, " %c %04o %u %u", type_letter(inode->mode), (unsigned)inode->mode & PERMISSIONS,
                   (unsigned)inode->uid, (unsigned)inode->gid);
        if (S_ISREG(inode->mode))
            str_printf(text, " %u %ju %s", inode->links, (uintmax_t)inode->size,
                       digest_format(&inode->digest, hex));
        else if (S_ISCHR(inode->mode) || S_ISBLK(inode->mode))
            str_printf(text, " %u:%u", inode->major, inode->minor);
        else if (inode->target) {
            str_add(text, " ");
            tree_manifest_name(text, inode->target);
        }
        str_add(text, "\n");
    }
}
