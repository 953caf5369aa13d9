/* See build/env.h. */
#include "build/env.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/process.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>

unsigned build_jobs(const struct build_env *env)
{
    cpu_set_t set;
    if (env->jobs)
        return env->jobs;
    if (sched_getaffinity(0, sizeof(set), &set) < 0)
        return 1;
    return (unsigned)CPU_COUNT(&set);
}

/* The lock's file, not locked yet. A descriptor or -errno. */
static int open_lock(const struct build_env *env, const char *name)
{
    cleanup_free char *folder = xasprintf("%s/work", env->cache_dir);
    cleanup_free char *path = xasprintf("%s/%s.lock", folder, name);
    int r = dir_make(folder);
    int fd = r < 0 ? -1 : open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    return r < 0 ? r : fd < 0 ? -errno : fd;
}

int build_try_lock(const struct build_env *env, const char *name)
{
    cleanup_close int fd = open_lock(env, name);
    if (fd < 0)
        return fd;
    return flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : TAKE_FD(fd);
}

int build_lock(const struct build_env *env, const char *name)
{
    int r = build_try_lock(env, name);
    if (r >= 0)
        return r;
    cleanup_close int fd = open_lock(env, name);
    if (fd < 0)
        return diag_errno(env->diags, fd, "cannot write to the cache folder %s", env->cache_dir);
    progress_say(env->progress, "%s: another rambox is busy with it; waiting", name);
    while (flock(fd, LOCK_EX) < 0)
        if (errno != EINTR)
            return diag_errno(env->diags, -errno, "cannot lock %s/work/%s.lock", env->cache_dir, name);
    return TAKE_FD(fd);
}

int build_need(const struct build_env *env, const char *what, const struct build_tool *tools)
{
    cleanup_str struct str programs = {0}, packages = {0};
    for (; tools->program; tools++) {
        cleanup_free char *path = find_program(tools->program);
        if (path)
            continue;
        str_printf(&programs, "%s%s", programs.len ? ", " : "", tools->program);
        str_printf(&packages, " %s", tools->package);
    }
    if (programs.len == 0)
        return 0;
    diag_error(env->diags, NULL, "%s: not installed: %s; install with: apt-get install%s", what,
               str_text(&programs), str_text(&packages));
    return -ENOENT;
}

int build_hash_compiler(const struct build_env *env, const char *compiler, struct hash *hash,
                        char **ret_version)
{
    cleanup_free char *text = NULL;
    int r = process_output((const char *const[]){compiler, "--version", NULL}, &text);
    if (r < 0)
        return diag_errno(env->diags, r, "cannot run the compiler %s", compiler);
    hash_field(hash, compiler);
    hash_field(hash, text);
    if (ret_version)
        *ret_version = xstrndup(text, strcspn(text, "\n"));
    return 0;
}

int build_run_tool(const struct build_env *env, const char *what, const char *const *argv)
{
    cleanup_free char *output = NULL;
    int r = process_output(argv, &output);
    if (r == 0)
        return 0;
    if (r == -ENOENT)
        return diag_errno(env->diags, r, "%s: %s is not installed", what, argv[0]);
    if (r < 0)
        return diag_errno(env->diags, r, "%s: cannot run %s", what, argv[0]);
    diag_error(env->diags, NULL, "%s: %s failed with status %d:\n%s", what, argv[0], r, output);
    return -EIO;
}
