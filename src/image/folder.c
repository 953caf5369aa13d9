/* See image/folder.h. */
#include "image/folder.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

/* A file with several names on the host, and the first of them in the image. */
struct seen {
    dev_t dev;
    ino_t ino;
    char *path;
};

struct walk {
    const struct folder_copy *copy;
    VEC(struct seen) linked;
};

static int refuse(const struct walk *w, const char *path, const char *source, const char *what)
{
    const struct folder_copy *copy = w->copy;
    if (copy->is_named && copy->is_named(copy->user, path))
        return 0;
    return diag_error(copy->tree->diags, copy->pos,
                      "\"%s\" is %s; give the image an entry \"%s\" of its own that says what it is to be",
                      source, what, path);
}

static int copy_link(const struct walk *w, const char *source, const char *path, const struct tree_attr *attr)
{
    char target[PATH_MAX];
    ssize_t n = readlink(source, target, sizeof(target) - 1);
    if (n < 0)
        return diag_errno(w->copy->tree->diags, -errno, "cannot read \"%s\"", source);
    target[n] = '\0';
    return tree_symlink(w->copy->tree, path, target, attr, w->copy->pos);
}

static int copy_file(struct walk *w, const char *source, const char *path, const struct stat *st,
                     const struct tree_attr *attr)
{
    struct tree *t = w->copy->tree;
    if (st->st_mode & (S_ISUID | S_ISGID))
        return refuse(w, path, source, "setuid or setgid");
    if (st->st_nlink > 1) {
        VEC_EACH(it, &w->linked)
            if (it->dev == st->st_dev && it->ino == st->st_ino)
                return tree_hardlink(t, path, it->path, w->copy->pos);
        struct seen *seen = VEC_ADD(&w->linked);
        *seen = (struct seen){st->st_dev, st->st_ino, xstrdup(path)};
    }
    return tree_file(t, path, source, attr, w->copy->pos);
}

static int copy_dir(struct walk *w, const char *from, const char *to);

static int copy_one(struct walk *w, const char *source, const char *path)
{
    const struct folder_copy *copy = w->copy;
    struct stat st;
    if (lstat(source, &st) < 0)
        return diag_errno(copy->tree->diags, -errno, "cannot read \"%s\"", source);
    struct tree_attr attr = {.mode = st.st_mode & 01777, .uid = copy->uid, .gid = copy->gid};
    switch (st.st_mode & S_IFMT) {
    case S_IFREG:
        return copy_file(w, source, path, &st, &attr);
    case S_IFLNK:
        return copy_link(w, source, path, &attr);
    case S_IFIFO:
        return tree_node(copy->tree, path, S_IFIFO, 0, 0, &attr, copy->pos);
    case S_IFDIR: {
        const struct tree_entry *there = tree_find(copy->tree, path);
        int r = there && S_ISDIR(there->inode->mode) && !there->implied
                    ? 0
                    : tree_dir(copy->tree, path, &attr, copy->pos);
        return r < 0 ? r : copy_dir(w, source, path);
    }
    default:
        return refuse(w, path, source, "a device or a socket");
    }
}

static int no_dots(const struct dirent *entry)
{
    return !str_eq(entry->d_name, ".") && !str_eq(entry->d_name, "..");
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int copy_dir(struct walk *w, const char *from, const char *to)
{
    struct dirent **list;
    int n = scandir(from, &list, no_dots, by_name);
    if (n < 0)
        return diag_errno(w->copy->tree->diags, -errno, "cannot read the folder \"%s\"", from);
    int r = 0;
    for (int i = 0; i < n; i++) {
        if (r == 0) {
            cleanup_free char *source = xasprintf("%s/%s", from, list[i]->d_name);
            cleanup_free char *path = xasprintf("%s/%s", str_eq(to, "/") ? "" : to, list[i]->d_name);
            r = copy_one(w, source, path);
        }
        free(list[i]);
    }
    free(list);
    return r;
}

int folder_copy(const struct folder_copy *copy, const char *from, const char *to)
{
    struct walk w = {.copy = copy};
    cleanup_free char *path = NULL;
    const char *why;
    int r = tree_path(to, strlen(to), &path, &why) < 0
                ? diag_error(copy->tree->diags, copy->pos, "path \"%.200s\" %s", to, why)
                : copy_dir(&w, from, path);
    VEC_EACH(it, &w.linked)
        free(it->path);
    VEC_FREE(&w.linked);
    return r;
}
