/* The source of a kernel, see kernel/work.h. */
#include "base/str.h"
#include "build/kernel_package.h"
#include "kernel/work.h"

#include <errno.h>
#include <ftw.h>

static _Thread_local struct hash *tree_hash;

static int hash_entry(const char *path, const struct stat *st, int type, struct FTW *where)
{
    if (type == FTW_D && str_eq(path + where->base, ".git"))
        return FTW_SKIP_SUBTREE;
    if (type != FTW_F)
        return FTW_CONTINUE;
    hash_field(tree_hash, path);
    hash_add(tree_hash, &st->st_size, sizeof(st->st_size));
    hash_add(tree_hash, &st->st_mtim, sizeof(st->st_mtim));
    return FTW_CONTINUE;
}

/* A tree of the user's is not read whole: names, sizes and times of its files stand for their content. */
static int hash_tree(const char *path, struct digest *ret_digest)
{
    struct hash hash;
    hash_init(&hash);
    tree_hash = &hash;
    int r = nftw(path, hash_entry, 32, FTW_PHYS | FTW_ACTIONRETVAL) < 0 ? -errno : 0;
    tree_hash = NULL;
    if (r == 0)
        hash_end(&hash, ret_digest);
    return r;
}

/* The name that a source has, and the beginning of its hash, since a name may stay. */
static char *words_of_source(const char *path, const struct digest *digest)
{
    char hex[DIGEST_TEXT_MAX];
    const char *slash = strrchr(path, '/');
    return xasprintf("%s (%.12s)", slash && slash[1] ? slash + 1 : path, digest_format(digest, hex));
}

int kernel_find_source(struct kernel_work *w, struct input *ret_input)
{
    const struct source *s = &w->def->source;
    const struct digest *sum = s->has_sha256 ? &s->sha256 : NULL;
    int r;
    if (s->kind == SOURCE_DISTRIBUTION)
        return diag_error(w->env->diags, &w->def->pos,
                          "%s: it is the distribution's, and its source is not here; a kernel from source: "
                          "{package: linux-source-6.1} has one",
                          w->label);
    if (s->kind == SOURCE_TREE) {
        w->tree = xstrdup(s->where);
        r = hash_tree(s->where, &w->source);
        w->source_words = r < 0 ? NULL : words_of_source(s->where, &w->source);
        return r < 0 ? diag_errno(w->env->diags, r, "%s: cannot read the tree %s", w->label, s->where) : 0;
    }
    if (s->kind == SOURCE_PACKAGE)
        r = fetch_package(w->env, s->where, ret_input);
    else if (is_url(s->where))
        r = fetch_url(w->env, s->where, sum, ret_input);
    else {
        cleanup_free char *path = source_path(w->env, s);
        r = fetch_file(w->env, path, sum, ret_input);
    }
    if (r == 0) {
        w->source = ret_input->digest;
        w->source_words = words_of_source(ret_input->path, &w->source);
    }
    return r;
}
