/* See build/unpack.h. */
#include "build/unpack.h"
#include "base/file.h"
#include "base/str.h"
#include "build/whole.h"

#include <errno.h>

/* The folder that has `top` in it: `folder` itself, or one below it. */
static char *find_top(const char *folder, const char *top)
{
    cleanup_free char *here = xasprintf("%s/%s", folder, top);
    char *found = NULL;
    char **names = NULL;
    if (file_exists(here))
        return xstrdup(folder);
    if (dir_names(folder, NULL, &names) < 0)
        return NULL;
    for (char **name = names; *name && !found; name++) {
        cleanup_free char *below = xasprintf("%s/%s/%s", folder, *name, top);
        if (file_exists(below))
            found = xasprintf("%s/%s", folder, *name);
    }
    names_free(names);
    return found;
}

static int unpack_tarball(const struct build_env *env, const char *path, const char *folder)
{
    return build_run_tool(env, path,
                          (const char *const[]){"tar", "--no-same-owner", "-C", folder, "-xf", path, NULL});
}

/* The package's one tarball below usr/src, or its files when it has none. */
static int unpack_deb(const struct build_env *env, const char *path, const char *folder)
{
    cleanup_free char *content = xasprintf("%s/.deb", folder);
    cleanup_free char *src = xasprintf("%s/usr/src", content);
    int r = build_run_tool(env, path, (const char *const[]){"dpkg-deb", "-x", path, content, NULL});
    if (r < 0)
        return r;
    char **names = NULL;
    char *tarball = NULL;
    if (dir_names(src, NULL, &names) == 0)
        for (char **name = names; *name && !tarball; name++)
            if (strstr(*name, ".tar."))
                tarball = xasprintf("%s/%s", src, *name);
    names_free(names);
    if (!tarball) {
        diag_error(env->diags, NULL, "%s holds no source tarball below usr/src", path);
        return -EINVAL;
    }
    r = unpack_tarball(env, tarball, folder);
    free(tarball);
    if (r == 0)
        r = dir_remove(content);
    return r;
}

static int unpack_dsc(const struct build_env *env, const char *path, const char *folder)
{
    cleanup_free char *into = xasprintf("%s/source", folder);
    /* apt has verified the signature and the checksums of what it downloaded. */
    return build_run_tool(env, path,
                          (const char *const[]){"dpkg-source", "--no-check", "-x", path, into, NULL});
}

/* Where the files of an input are unpacked; the caller's. */
static char *tree_folder(const struct build_env *env, const struct input *input)
{
    char hex[DIGEST_TEXT_MAX];
    return xasprintf("%s/trees/%.16s", env->cache_dir, digest_format(&input->digest, hex));
}

static void say_unpack(const struct build_env *env, const struct input *input)
{
    const char *slash = strrchr(input->path, '/');
    progress_update(env->progress, "unpack", 0, 0, slash ? slash + 1 : input->path);
}

/* Unpacks a .deb, and has it finished. */
static int unpack_whole(const struct build_env *env, const struct input *input,
                        int (*finish)(const struct build_env *env, const char *folder), const char *final)
{
    cleanup_free char *temp = whole_begin(env, final);
    if (!temp)
        return -EIO;
    int r =
        build_run_tool(env, input->path, (const char *const[]){"dpkg-deb", "-x", input->path, temp, NULL});
    if (r == 0 && finish)
        r = finish(env, temp);
    if (r == 0)
        return whole_end(env, temp, final);
    (void)dir_remove(temp);
    return r;
}

int unpack_package(const struct build_env *env, const struct input *input,
                   int (*finish)(const struct build_env *env, const char *folder), char **ret_folder)
{
    cleanup_free char *final = tree_folder(env, input);
    if (!file_exists(final)) {
        say_unpack(env, input);
        cleanup_close int lock = whole_hold(env, final);
        if (lock < 0)
            return lock;
        int r = file_exists(final) ? 0 : unpack_whole(env, input, finish, final);
        if (r < 0)
            return r;
    }
    *ret_folder = TAKE_PTR(final);
    return 0;
}

static int unpack_source(const struct build_env *env, const struct input *input, const char *top,
                         const char *final)
{
    cleanup_free char *temp = whole_begin(env, final);
    if (!temp)
        return -EIO;
    int r = str_ends(input->path, ".deb")   ? unpack_deb(env, input->path, temp)
            : str_ends(input->path, ".dsc") ? unpack_dsc(env, input->path, temp)
                                            : unpack_tarball(env, input->path, temp);
    cleanup_free char *tree = r < 0 ? NULL : find_top(temp, top);
    if (r == 0 && !tree)
        r = diag_error(env->diags, NULL, "%s has no %s in it", input->path, top);
    if (r == 0)
        return whole_end(env, temp, final);
    (void)dir_remove(temp);
    return r;
}

int unpack_tree(const struct build_env *env, const struct input *input, const char *top, char **ret_tree)
{
    cleanup_free char *final = tree_folder(env, input);
    char *tree = find_top(final, top);
    if (!tree) {
        say_unpack(env, input);
        cleanup_close int lock = whole_hold(env, final);
        if (lock < 0)
            return lock;
        tree = find_top(final, top); /* by the one we waited for */
        int r = tree ? 0 : unpack_source(env, input, top, final);
        if (r < 0)
            return r;
        if (!tree)
            tree = find_top(final, top);
    }
    if (!tree)
        return diag_error(env->diags, NULL, "%s was removed while it was unpacked", final);
    *ret_tree = tree;
    return 0;
}
