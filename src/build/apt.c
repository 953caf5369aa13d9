/* Packages, binary and source, by the machine's own apt: see build/fetch.h. A cached one is a folder with the
 * file and, in `SHA256`, its digest, so that it is not read again. */
#include "base/file.h"
#include "base/process.h"
#include "base/str.h"
#include "build/fetch.h"
#include "build/whole.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

/* A package or version as apt takes it: no option, no path, no blank. */
static bool is_package_name(const char *s)
{
    if (!isalnum((unsigned char)s[0]))
        return false;
    for (; *s; s++)
        if (!isalnum((unsigned char)*s) && !strchr("+-.=:~", *s))
            return false;
    return true;
}

/* The one file of a folder with this suffix; the caller's, or NULL. */
static char *only_file(const char *folder, const char *suffix)
{
    char **names = NULL;
    char *path = NULL;
    if (dir_names(folder, suffix, &names) < 0)
        return NULL;
    if (names[0] && !names[1])
        path = xasprintf("%s/%s", folder, names[0]);
    names_free(names);
    return path;
}

/* ---- what is in the cache ---- */

/* A cached input is a folder with the file and, in `SHA256`, its digest, so that it is not read again. */
static int load_input(const char *folder, const char *suffix, struct input *ret_input)
{
    cleanup_free char *path = only_file(folder, suffix);
    cleanup_free char *sum_path = xasprintf("%s/SHA256", folder);
    cleanup_free char *sum = NULL;
    struct digest digest;
    if (!path || file_read(sum_path, 128, &sum, NULL) < 0)
        return -ENOENT;
    sum[strcspn(sum, "\n")] = '\0';
    if (digest_parse(sum, &digest) < 0)
        return -ENOENT;
    *ret_input = (struct input){.path = TAKE_PTR(path), .digest = digest, .cached = true};
    return 0;
}

/* Whether it was sealed since `moment` (ns); a time to come is one of a clock that was wrong. */
static bool is_since(const char *folder, int64_t moment)
{
    cleanup_free char *sum_path = xasprintf("%s/SHA256", folder);
    struct timespec now;
    struct stat st;
    if (stat(sum_path, &st) < 0 || clock_gettime(CLOCK_REALTIME, &now) < 0)
        return false;
    int64_t sealed = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
    return sealed >= moment && sealed <= now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* A cached input that need not be fetched again. */
static bool find_input(const struct build_env *env, const char *folder, const char *suffix,
                       struct input *ret_input)
{
    return (!env->refresh || is_since(folder, env->refresh)) && load_input(folder, suffix, ret_input) == 0;
}

static int sync_files(const char *folder)
{
    char **names = NULL;
    int r = dir_names(folder, NULL, &names);
    for (char **name = names; r == 0 && name && *name; name++) {
        cleanup_free char *path = xasprintf("%s/%s", folder, *name);
        cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || fsync(fd) < 0)
            r = -errno;
    }
    names_free(names);
    return r;
}

/* The digest is believed from now on, so what it is of must be on the disk before it. */
static int seal_input(const char *folder, const char *suffix)
{
    cleanup_free char *path = only_file(folder, suffix);
    cleanup_free char *sum_path = xasprintf("%s/SHA256", folder);
    char hex[DIGEST_TEXT_MAX + 1];
    struct digest digest;
    if (!path)
        return -ENOENT;
    int r = hash_file(path, &digest);
    if (r == 0)
        r = sync_files(folder);
    if (r < 0)
        return r;
    digest_format(&digest, hex);
    hex[64] = '\n';
    return file_write_atomic(sum_path, hex, 65, 0644);
}

/* ---- apt ---- */

/* Writes the `deb-src` form of a one-line list: every `deb` entry, nothing else. */
static void sources_of_list(const char *text, struct str *out)
{
    cleanup_free char *copy = xstrdup(text);
    char *save = NULL;
    for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        line += strspn(line, " \t");
        if (str_starts(line, "deb ") || str_starts(line, "deb\t"))
            str_printf(out, "deb-src %s\n", line + 4);
    }
}

/* The same for the format of stanzas: every `Types:` becomes deb-src. */
static void sources_of_stanzas(const char *text, struct str *out)
{
    for (const char *line = text; *line;) {
        size_t length = strcspn(line, "\n");
        if (strncasecmp(line, "Types:", 6) == 0)
            str_add(out, "Types: deb-src");
        else
            str_add_n(out, line, length);
        str_add(out, "\n");
        line += length + (line[length] == '\n');
    }
}

static int derive_one(const char *from, const char *to_folder, const char *name)
{
    cleanup_free char *text = NULL;
    cleanup_str struct str derived = {0};
    if (file_read(from, 1 << 20, &text, NULL) < 0)
        return 0; /* a list that is not there has no sources */
    if (str_ends(name, ".sources"))
        sources_of_stanzas(text, &derived);
    else
        sources_of_list(text, &derived);
    cleanup_free char *to = xasprintf("%s/%s", to_folder, name);
    return derived.len ? file_write_atomic(to, derived.s, derived.len, 0644) : 0;
}

/* The machine's apt sources as sources of source packages, below `folder`/parts. */
static int derive_sources(const char *folder)
{
    static const char *const suffixes[] = {".list", ".sources"};
    cleanup_free char *parts = xasprintf("%s/parts", folder);
    int r = dir_make(parts);
    if (r == 0)
        r = derive_one("/etc/apt/sources.list", parts, "machine.list");
    for (size_t i = 0; i < ARRAY_SIZE(suffixes) && r == 0; i++) {
        char **names = NULL;
        if (dir_names("/etc/apt/sources.list.d", suffixes[i], &names) < 0)
            continue;
        for (char **name = names; *name && r == 0; name++) {
            cleanup_free char *from = xasprintf("/etc/apt/sources.list.d/%s", *name);
            r = derive_one(from, parts, *name);
        }
        names_free(names);
    }
    return r;
}

/* Both leave what apt downloaded in `folder`. */
static int fetch_binary(const struct build_env *env, const char *name, const char *folder)
{
    int r = process_run(&(struct process_spec){
        .argv = (const char *const[]){"apt-get", "-qq", "-o", "APT::Sandbox::User=root", "-o",
                                      "Acquire::Retries=2", "download", name, NULL},
        .cwd = folder,
    });
    if (r == 0)
        return 0;
    if (r == -ENOENT)
        return diag_errno(env->diags, r,
                          "package %s: this machine has no apt; name the sources with `tarball:` or `tree:`",
                          name);
    diag_error(
        env->diags, NULL,
        "package %s: apt could not download it; try `apt-get update`, and `apt-get download %s` to see why",
        name, name);
    return -EIO;
}

const char *debian_arch(enum cpu_arch arch)
{
    static const char *const names[ARCHS] = {[ARCH_X86_64] = "amd64", [ARCH_ARM64] = "arm64"};
    return names[arch];
}

/* apt with lists, cache and record of installed packages in a folder of ours, for another architecture. */
static int run_foreign_apt(const struct build_env *env, const char *name, const char *apt, const char *folder)
{
    const char *arch = debian_arch(env->arch);
    cleanup_free char *own = xasprintf("APT::Architecture=%s", arch),
                      *all = xasprintf("APT::Architectures=%s", arch);
    cleanup_free char *lists = xasprintf("Dir::State::lists=%s/lists", apt);
    cleanup_free char *status = xasprintf("Dir::State::status=%s/status", apt);
    cleanup_free char *cache = xasprintf("Dir::Cache=%s/cache", apt);
    const char *const shared[] = {"apt-get", "-qq",
                                  "-o",      own,
                                  "-o",      all,
                                  "-o",      lists,
                                  "-o",      status,
                                  "-o",      cache,
                                  "-o",      "APT::Sandbox::User=root",
                                  "-o",      "Acquire::Retries=2"};
    enum { SHARED = ARRAY_SIZE(shared) };
    const char *update[SHARED + 2] = {0}, *download[SHARED + 3] = {0};
    memcpy(update, shared, sizeof(shared));
    memcpy(download, shared, sizeof(shared));
    update[SHARED] = "update";
    download[SHARED] = "download";
    download[SHARED + 1] = name;
    /* A source that has nothing for this architecture is no failure; whether the package came is what counts.
     */
    int r = process_run(&(struct process_spec){.argv = update, .cwd = folder});
    if (r >= 0)
        r = process_run(&(struct process_spec){.argv = download, .cwd = folder});
    if (r == -ENOENT)
        return diag_errno(env->diags, r, "package %s for %s: this machine has no apt", name, arch);
    if (r != 0) {
        diag_error(env->diags, NULL,
                   "package %s for %s: apt could not download it; do the machine's package sources have %s "
                   "(no `arch=` or `Architectures:` that leaves it out), and can they be reached?",
                   name, arch, arch);
        return -EIO;
    }
    return 0;
}

static int fetch_foreign(const struct build_env *env, const char *name, const char *folder)
{
    cleanup_free char *apt = xasprintf("%s.apt", folder);
    cleanup_free char *lists = xasprintf("%s/lists/partial", apt);
    cleanup_free char *archives = xasprintf("%s/cache/archives/partial", apt);
    cleanup_free char *status = xasprintf("%s/status", apt);
    int r = dir_make(lists);
    if (r == 0)
        r = dir_make(archives);
    if (r == 0)
        r = file_write_atomic(status, "", 0, 0644);
    r = r < 0 ? diag_errno(env->diags, r, "package %s: cannot write apt's lists", name)
              : run_foreign_apt(env, name, apt, folder);
    (void)dir_remove(apt);
    return r;
}

static int fetch_source(const struct build_env *env, const char *name, const char *folder)
{
    cleanup_free char *apt = xasprintf("%s.apt", folder);
    cleanup_free char *parts = xasprintf("Dir::Etc::sourceparts=%s/parts", apt);
    cleanup_free char *lists = xasprintf("%s/lists/partial", apt);
    cleanup_free char *lists_option = xasprintf("Dir::State::lists=%s/lists", apt);
    cleanup_free char *cache_option = xasprintf("Dir::Cache=%s/cache", apt);
    cleanup_free char *archives = xasprintf("%s/cache/archives/partial", apt);
    cleanup_free char *what = xasprintf("source package %s", name);
    int r = derive_sources(apt);
    if (r == 0)
        r = dir_make(lists);
    if (r == 0)
        r = dir_make(archives);
    if (r < 0) {
        (void)dir_remove(apt);
        return diag_errno(env->diags, r, "%s: cannot write apt's lists", what);
    }
#define APT_OPTIONS                                                                                          \
    "-qq", "-o", "Dir::Etc::sourcelist=/dev/null", "-o", parts, "-o", lists_option, "-o", cache_option,      \
        "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=2"
    r = build_run_tool(env, what, (const char *const[]){"apt-get", APT_OPTIONS, "update", NULL});
    if (r == 0) {
        r = process_run(&(struct process_spec){
            .argv = (const char *const[]){"apt-get", APT_OPTIONS, "source", "--download-only", name, NULL},
            .cwd = folder,
        });
        if (r != 0) {
            diag_error(env->diags, NULL, "%s: apt could not download it from the machine's own sources",
                       what);
            r = -EIO;
        }
    }
#undef APT_OPTIONS
    (void)dir_remove(apt);
    return r;
}

/* What binary and source packages share: look in the cache, else fetch into a folder and seal it. */
static int fetch_by_apt(const struct build_env *env, const char *kind, const char *name, const char *suffix,
                        int (*fetch)(const struct build_env *, const char *, const char *),
                        struct input *ret_input)
{
    if (!is_package_name(name))
        return diag_error(env->diags, NULL, "\"%s\" is no package name", name);
    cleanup_free char *final = xasprintf("%s/inputs/%s/%s", env->cache_dir, kind, name);
    if (find_input(env, final, suffix, ret_input))
        return 0;
    if (env->only_cached)
        return -ENOENT;
    progress_update(env->progress, "fetch", 0, 0, name);
    cleanup_close int lock = whole_hold(env, final);
    if (lock < 0)
        return lock;
    if (find_input(env, final, suffix, ret_input))
        return 0; /* by the one we waited for */
    cleanup_free char *temp = whole_begin(env, final);
    if (!temp)
        return -EIO;
    int r = fetch(env, name, temp);
    if (r == 0) {
        r = seal_input(temp, suffix);
        if (r < 0)
            diag_errno(env->diags, r, "package %s: the download has no single %s file", name, suffix);
    }
    if (r < 0) {
        (void)dir_remove(temp);
        return r;
    }
    r = whole_end(env, temp, final);
    if (r == 0)
        r = load_input(final, suffix, ret_input);
    if (r == 0)
        ret_input->cached = false;
    return r;
}

int fetch_package(const struct build_env *env, const char *name, struct input *ret_input)
{
    return fetch_by_apt(env, "deb", name, ".deb", fetch_binary, ret_input);
}

int fetch_target_package(const struct build_env *env, const char *name, struct input *ret_input)
{
    if (env->arch == ARCH_X86_64)
        return fetch_package(env, name, ret_input);
    cleanup_free char *kind = xasprintf("deb-%s", debian_arch(env->arch));
    return fetch_by_apt(env, kind, name, ".deb", fetch_foreign, ret_input);
}

int fetch_source_package(const struct build_env *env, const char *name, struct input *ret_input)
{
    return fetch_by_apt(env, "dsc", name, ".dsc", fetch_source, ret_input);
}
