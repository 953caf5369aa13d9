/* The writing half of image/cpio.h. */
#include "image/cpio.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

enum { HEADER = 110, ALIGN = 4 };

static const char zeros[CPIO_BLOCK];

/* Bytes that fill `size` up to a multiple of `unit`. */
static size_t padding(uint64_t size, unsigned unit)
{
    return (size_t)((unit - size % unit) % unit);
}

/* The archive being written. */
struct cpio_writer {
    struct tree *tree;
    struct sink *out;
    uint32_t mtime;
    uint64_t offset;
};

static int emit(struct cpio_writer *w, const void *data, size_t n)
{
    int r = n ? w->out->write(w->out, data, n) : 0;
    w->offset += n;
    return r;
}

/* The name as it stands in the archive: relative, and `.` for the root, whose mode would otherwise be the
 * 1777 of the kernel's tmpfs. */
static const char *archive_name(const char *path)
{
    return path[1] ? path + 1 : ".";
}

static int write_header(struct cpio_writer *w, const char *name, const struct tree_inode *inode,
                        uint32_t size)
{
    char header[HEADER + 1];
    size_t name_size = strlen(name) + 1;
    unsigned links = S_ISDIR(inode->mode) ? 2 : inode->links;
    snprintf(header, sizeof(header), "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
             inode->number, (unsigned)inode->mode, (unsigned)inode->uid, (unsigned)inode->gid, links,
             w->mtime, size, 0U, 0U, inode->major, inode->minor, (unsigned)name_size, 0U);
    int r = emit(w, header, HEADER);
    if (r == 0)
        r = emit(w, name, name_size);
    return r < 0 ? r : emit(w, zeros, padding(HEADER + name_size, ALIGN));
}

static int changed(struct cpio_writer *w, const struct tree_inode *inode)
{
    diag_error(w->tree->diags, NULL, "\"%s\" changed while the image was being built: build again",
               inode->source);
    return -ESTALE;
}

/* Copies a source into the archive, and checks that it is what was promised. */
static int write_source(struct cpio_writer *w, const struct tree_inode *inode)
{
    cleanup_close int fd = open(inode->source, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    uint8_t buffer[65536];
    uint64_t left = inode->size;
    struct hash hash;
    struct digest digest;
    hash_init(&hash);
    if (fd < 0)
        return diag_errno(w->tree->diags, -errno, "cannot read \"%s\"", inode->source);
    for (;;) {
        ssize_t n = read(fd, buffer, sizeof(buffer));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return diag_errno(w->tree->diags, -errno, "cannot read \"%s\"", inode->source);
        if (n == 0)
            break;
        if ((uint64_t)n > left)
            return changed(w, inode);
        left -= (uint64_t)n;
        hash_add(&hash, buffer, (size_t)n);
        int r = emit(w, buffer, (size_t)n);
        if (r < 0)
            return r;
    }
    hash_end(&hash, &digest);
    return left || !digest_equal(&digest, &inode->digest) ? changed(w, inode) : 0;
}

static int write_content(struct cpio_writer *w, const struct tree_inode *inode)
{
    int r;
    if (inode->target)
        r = emit(w, inode->target, strlen(inode->target));
    else if (inode->data)
        r = emit(w, inode->data, (size_t)inode->size);
    else if (inode->source)
        r = write_source(w, inode);
    else
        return 0;
    return r < 0 ? r : emit(w, zeros, padding(w->offset, ALIGN));
}

/* Bytes of content that an entry has in the archive; `last` tells whether it is the last name of its inode.
 */
static uint64_t content_size(const struct tree_inode *inode, bool last)
{
    if (inode->target)
        return strlen(inode->target);
    return S_ISREG(inode->mode) && last ? inode->size : 0;
}

/* For each inode number the index of the last entry that has it; the caller's. Sorts. */
static size_t *last_names(struct tree *t)
{
    tree_sort(t);
    size_t *last = xcalloc(t->entries.n + 1, sizeof(*last));
    for (size_t i = 0; i < t->entries.n; i++)
        last[t->entries.items[i]->inode->number] = i;
    return last;
}

/* Whether the archive has the entry. */
static bool is_written(const struct tree *t, const struct tree_entry *entry)
{
    return !t->partial || !entry->implied;
}

int cpio_write(struct tree *t, uint32_t mtime, struct sink *out)
{
    static const struct tree_inode trailer = {.links = 1};
    struct cpio_writer w = {.tree = t, .out = out, .mtime = mtime};
    cleanup_free size_t *last = last_names(t);
    int r = 0;
    for (size_t i = 0; r == 0 && i < t->entries.n; i++) {
        const struct tree_entry *entry = t->entries.items[i];
        if (!is_written(t, entry))
            continue;
        uint64_t size = content_size(entry->inode, last[entry->inode->number] == i);
        r = write_header(&w, archive_name(entry->path), entry->inode, (uint32_t)size);
        if (r == 0 && size)
            r = write_content(&w, entry->inode);
    }
    w.mtime = 0;
    if (r == 0)
        r = write_header(&w, "TRAILER!!!", &trailer, 0);
    return r < 0 ? r : emit(&w, zeros, padding(w.offset, CPIO_BLOCK));
}

static uint64_t entry_size(const char *name, uint64_t content)
{
    uint64_t head = HEADER + strlen(name) + 1;
    return head + padding(head, ALIGN) + content + padding(content, ALIGN);
}

uint64_t cpio_size(struct tree *t)
{
    cleanup_free size_t *last = last_names(t);
    uint64_t size = 0;
    for (size_t i = 0; i < t->entries.n; i++) {
        const struct tree_entry *entry = t->entries.items[i];
        if (is_written(t, entry))
            size += entry_size(archive_name(entry->path),
                               content_size(entry->inode, last[entry->inode->number] == i));
    }
    size += entry_size("TRAILER!!!", 0);
    return size + padding(size, CPIO_BLOCK);
}
