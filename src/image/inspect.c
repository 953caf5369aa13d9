/* See image/inspect.h. */
#include "image/inspect.h"
#include "base/file.h"
#include "image/cpio.h"

#include <errno.h>
#include <sys/stat.h>

void inspected_clear(struct inspected *inspected)
{
    tree_free(inspected->tree);
    *inspected = (struct inspected){0};
}

int inspect(const char *path, struct diags *diags, struct inspected *ret_inspected)
{
    cleanup_free char *data = NULL;
    struct memory_sink archive = memory_sink_of(INSPECT_MAX);
    struct inspected result = {0};
    size_t size;
    int r = file_read(path, INSPECT_MAX, &data, &size);
    if (r < 0)
        return diag_errno(diags, r, "cannot read the image %s", path);
    r = decompress(data, size, INSPECT_MAX, &archive.sink, &result.compression);
    if (r == -EBADMSG)
        diag_error(diags, NULL, "%s is damaged: it does not decompress", path);
    else if (r < 0)
        diag_errno(diags, r, "cannot decompress %s", path);
    if (r == 0)
        r = cpio_read(str_text(&archive.bytes), archive.bytes.len, diags, &result.tree);
    result.size = size;
    result.archive = archive.bytes.len;
    str_free(&archive.bytes);
    if (r == 0)
        *ret_inspected = result;
    return r;
}

static char type_letter(mode_t mode)
{
    static const struct {
        mode_t type;
        char letter;
    } types[] = {{S_IFDIR, 'd'}, {S_IFLNK, 'l'}, {S_IFCHR, 'c'}, {S_IFBLK, 'b'}, {S_IFIFO, 'p'}};
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if ((mode & S_IFMT) == types[i].type)
            return types[i].letter;
    return '-';
}

const char *mode_format(mode_t mode, char buf[static MODE_TEXT_MAX])
{
    buf[0] = type_letter(mode);
    for (unsigned i = 0; i < 9; i++)
        buf[1 + i] = mode & (0400U >> i) ? "rwx"[i % 3] : '-';
    if (mode & S_ISUID)
        buf[3] = mode & 0100 ? 's' : 'S';
    if (mode & S_ISGID)
        buf[6] = mode & 0010 ? 's' : 'S';
    if (mode & S_ISVTX)
        buf[9] = mode & 0001 ? 't' : 'T';
    buf[10] = '\0';
    return buf;
}

static void add_words(struct str *text, const char *what, const char *from, const char *to)
{
    str_printf(text, "%s%s %s -> %s", text->len ? ", " : "", what, from, to);
}

void entry_diff(const struct tree_entry *a, const struct tree_entry *b, struct str *text)
{
    const struct tree_inode *x = a->inode, *y = b->inode;
    char from[SIZE_TEXT_MAX], to[SIZE_TEXT_MAX];
    if (x->mode != y->mode)
        add_words(text, "mode", mode_format(x->mode, from), mode_format(y->mode, to));
    if (x->uid != y->uid || x->gid != y->gid) {
        snprintf(from, sizeof(from), "%u:%u", x->uid, x->gid);
        snprintf(to, sizeof(to), "%u:%u", y->uid, y->gid);
        add_words(text, "owner", from, to);
    }
    if (x->major != y->major || x->minor != y->minor) {
        snprintf(from, sizeof(from), "%u:%u", x->major, x->minor);
        snprintf(to, sizeof(to), "%u:%u", y->major, y->minor);
        add_words(text, "device", from, to);
    }
    if (!str_eq(x->target, y->target)) {
        cleanup_str struct str one = {0}, other = {0};
        tree_manifest_name(&one, x->target ? x->target : "(none)");
        tree_manifest_name(&other, y->target ? y->target : "(none)");
        add_words(text, "target", str_text(&one), str_text(&other));
    }
    if (!digest_equal(&x->digest, &y->digest))
        add_words(text, "content", format_size(x->size, from), format_size(y->size, to));
    if (x->links != y->links && S_ISREG(x->mode) && S_ISREG(y->mode)) {
        snprintf(from, sizeof(from), "%u", x->links);
        snprintf(to, sizeof(to), "%u", y->links);
        add_words(text, "links", from, to);
    }
}
