/* See build/whole.h. */
#include "build/whole.h"
#include "base/file.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

int whole_hold(const struct build_env *env, const char *final)
{
    cleanup_free char *name = xstrdup(final + strlen(env->cache_dir) + 1);
    const char *slash = strrchr(final, '/');
    cleanup_free char *parent = xstrndup(final, (size_t)(slash - final));
    cleanup_free char *left = xasprintf("%s.part.", slash + 1);
    char **names = NULL;
    for (char *c = name; *c; c++)
        *c = *c == '/' ? '-' : *c;
    int lock = build_lock(env, name);
    if (lock < 0 || dir_names(parent, NULL, &names) < 0)
        return lock;
    for (char **entry = names; *entry; entry++) {
        cleanup_free char *path = xasprintf("%s/%s", parent, *entry);
        if (str_starts(*entry, left))
            (void)dir_remove(path);
    }
    names_free(names);
    return lock;
}

char *whole_begin(const struct build_env *env, const char *final)
{
    cleanup_free char *temp = xasprintf("%s.part.XXXXXX", final);
    cleanup_free char *parent = xstrndup(final, (size_t)(strrchr(final, '/') - final));
    int r = dir_make(parent);
    if (r == 0 && !mkdtemp(temp))
        r = -errno;
    if (r < 0) {
        diag_errno(env->diags, r, "cannot make a folder in %s", parent);
        return NULL;
    }
    return TAKE_PTR(temp);
}

int whole_end(const struct build_env *env, const char *temp, const char *final)
{
    if (chmod(temp, 0755) == 0) {
        if (rename(temp, final) == 0)
            return 0;
        bool taken = errno == EEXIST || errno == ENOTEMPTY;
        if (taken && renameat2(AT_FDCWD, temp, AT_FDCWD, final, RENAME_EXCHANGE) == 0) {
            (void)dir_remove(temp);
            return 0;
        }
    }
    int r = -errno;
    (void)dir_remove(temp);
    return diag_errno(env->diags, r, "cannot put %s in its place", final);
}
