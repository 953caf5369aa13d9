/* See build/fetch.h. */
#include "build/fetch.h"
#include "base/file.h"
#include "base/process.h"
#include "base/str.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

void input_clear(struct input *input)
{
    free(input->path);
    input->path = NULL;
}

/* ---- a folder that is either whole or not there ---- */

/* Begins whatever is made under a temporary name beside `final`: what two builders want is fetched or
 * unpacked by one of them, while the other waits and then looks again. What a builder that was killed left
 * there goes. A descriptor that holds it until it is closed, or -errno with a diagnostic. */
static int hold(const struct build_env *env, const char *final)
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

/* Makes an empty temporary folder beside `final`; the caller's. NULL after a diagnostic. */
static char *folder_begin(const struct build_env *env, const char *final)
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

/* Puts it in its place, at one stroke. What is there was to be fetched again, or is no good. */
static int folder_end(const struct build_env *env, const char *temp, const char *final)
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

/* Runs a program quietly; its output is shown when it fails. */
static int run_tool(const struct build_env *env, const char *what, const char *const *argv)
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

/* ---- apt ---- */

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

/* Debian calls the architectures by names of its own. */
static const char *const debian_archs[ARCHS] = {[ARCH_X86_64] = "amd64", [ARCH_ARM64] = "arm64"};

/* apt with lists, cache and record of installed packages in a folder of ours, for another architecture. */
static int run_foreign_apt(const struct build_env *env, const char *name, const char *apt, const char *folder)
{
    const char *arch = debian_archs[env->arch];
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
    r = run_tool(env, what, (const char *const[]){"apt-get", APT_OPTIONS, "update", NULL});
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
    cleanup_close int lock = hold(env, final);
    if (lock < 0)
        return lock;
    if (find_input(env, final, suffix, ret_input))
        return 0; /* by the one we waited for */
    cleanup_free char *temp = folder_begin(env, final);
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
    r = folder_end(env, temp, final);
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
    cleanup_free char *kind = xasprintf("deb-%s", debian_archs[env->arch]);
    return fetch_by_apt(env, kind, name, ".deb", fetch_foreign, ret_input);
}

int fetch_source_package(const struct build_env *env, const char *name, struct input *ret_input)
{
    return fetch_by_apt(env, "dsc", name, ".dsc", fetch_source, ret_input);
}

/* ---- URLs and files ---- */

struct download {
    const struct build_env *env;
    const char *name;
    int fd;
    int error; /* of writing: -errno */
    struct hash hash;
};

static size_t take_bytes(char *data, size_t size, size_t count, void *user)
{
    struct download *d = user;
    hash_add(&d->hash, data, size * count);
    d->error = write_all(d->fd, data, size * count);
    return d->error < 0 ? 0 : size * count;
}

static int take_progress(void *user, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up_now)
{
    struct download *d = user;
    (void)up_total;
    (void)up_now;
    progress_update(d->env->progress, "fetch", (uint64_t)now, (uint64_t)total, d->name);
    return 0;
}

/* Fetches into d->fd. 0 or -errno with a diagnostic. */
static int download(struct download *d, const char *url)
{
    char message[CURL_ERROR_SIZE] = "";
    CURL *curl = curl_easy_init();
    if (!curl)
        return diag_errno(d->env->diags, -ENOMEM, "cannot fetch %s", url);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 10L);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 20L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 100L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, 60L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, d);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, take_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, d);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_cleanup(curl);
    if (code == CURLE_OK)
        return 0;
    if (d->error < 0)
        return diag_errno(d->env->diags, d->error, "cannot keep what %s sends", url);
    diag_error(d->env->diags, NULL, "cannot fetch %s: %s", url,
               message[0] ? message : curl_easy_strerror(code));
    return -EIO;
}

static int wrong_sum(const struct build_env *env, const char *what, const struct digest *expected,
                     const struct digest *found)
{
    char a[DIGEST_TEXT_MAX], b[DIGEST_TEXT_MAX];
    diag_error(env->diags, NULL, "%s has the SHA-256 %s, but %s was expected", what, digest_format(found, a),
               digest_format(expected, b));
    return -EBADMSG;
}

int fetch_url(const struct build_env *env, const char *url, const struct digest *sha256,
              struct input *ret_input)
{
    char hex[DIGEST_TEXT_MAX];
    struct digest found;
    if (!sha256)
        return diag_error(env->diags, NULL, "%s: a URL needs its checksum; add `sha256:` beside it", url);
    cleanup_free char *folder = xasprintf("%s/inputs/url", env->cache_dir);
    cleanup_free char *final = xasprintf("%s/%s", folder, digest_format(sha256, hex));
    cleanup_close int lock = -1;
    if (!file_exists(final)) {
        if (env->only_cached)
            return -ENOENT;
        lock = hold(env, final);
        if (lock < 0)
            return lock;
    }
    if (file_exists(final)) {
        *ret_input = (struct input){.path = TAKE_PTR(final), .digest = *sha256, .cached = true};
        return 0;
    }
    cleanup_free char *temp = xasprintf("%s.part.XXXXXX", final);
    int r = dir_make(folder);
    cleanup_close int fd = r < 0 ? -1 : mkostemp(temp, O_CLOEXEC);
    if (fd < 0)
        return diag_errno(env->diags, r < 0 ? r : -errno, "cannot write to %s", folder);
    const char *slash = strrchr(url, '/');
    struct download d = {.env = env, .name = slash ? slash + 1 : url, .fd = fd};
    hash_init(&d.hash);
    r = download(&d, url);
    hash_end(&d.hash, &found);
    if (r == 0 && !digest_equal(&found, sha256))
        r = wrong_sum(env, url, sha256, &found);
    else if (r == 0 && (fchmod(fd, 0644) < 0 || fsync(fd) < 0 || rename(temp, final) < 0))
        r = diag_errno(env->diags, -errno, "cannot keep %s", final);
    if (r < 0) {
        unlink(temp);
        return r;
    }
    *ret_input = (struct input){.path = TAKE_PTR(final), .digest = *sha256};
    return 0;
}

int fetch_file(const struct build_env *env, const char *path, const struct digest *sha256,
               struct input *ret_input)
{
    struct digest found;
    int r = hash_file(path, &found);
    if (r < 0)
        return diag_errno(env->diags, r, "cannot read %s", path);
    if (sha256 && !digest_equal(&found, sha256))
        return wrong_sum(env, path, sha256, &found);
    *ret_input = (struct input){.path = xstrdup(path), .digest = found, .cached = true};
    return 0;
}

/* ---- trees ---- */

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
    return run_tool(env, path,
                    (const char *const[]){"tar", "--no-same-owner", "-C", folder, "-xf", path, NULL});
}

/* The package's one tarball below usr/src, or its files when it has none. */
static int unpack_deb(const struct build_env *env, const char *path, const char *folder)
{
    cleanup_free char *content = xasprintf("%s/.deb", folder);
    cleanup_free char *src = xasprintf("%s/usr/src", content);
    int r = run_tool(env, path, (const char *const[]){"dpkg-deb", "-x", path, content, NULL});
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
    return run_tool(env, path, (const char *const[]){"dpkg-source", "--no-check", "-x", path, into, NULL});
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
    cleanup_free char *temp = folder_begin(env, final);
    if (!temp)
        return -EIO;
    int r = run_tool(env, input->path, (const char *const[]){"dpkg-deb", "-x", input->path, temp, NULL});
    if (r == 0 && finish)
        r = finish(env, temp);
    if (r == 0)
        return folder_end(env, temp, final);
    (void)dir_remove(temp);
    return r;
}

int unpack_package(const struct build_env *env, const struct input *input,
                   int (*finish)(const struct build_env *env, const char *folder), char **ret_folder)
{
    cleanup_free char *final = tree_folder(env, input);
    if (!file_exists(final)) {
        say_unpack(env, input);
        cleanup_close int lock = hold(env, final);
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
    cleanup_free char *temp = folder_begin(env, final);
    if (!temp)
        return -EIO;
    int r = str_ends(input->path, ".deb")   ? unpack_deb(env, input->path, temp)
            : str_ends(input->path, ".dsc") ? unpack_dsc(env, input->path, temp)
                                            : unpack_tarball(env, input->path, temp);
    cleanup_free char *tree = r < 0 ? NULL : find_top(temp, top);
    if (r == 0 && !tree)
        r = diag_error(env->diags, NULL, "%s has no %s in it", input->path, top);
    if (r == 0)
        return folder_end(env, temp, final);
    (void)dir_remove(temp);
    return r;
}

int unpack_tree(const struct build_env *env, const struct input *input, const char *top, char **ret_tree)
{
    cleanup_free char *final = tree_folder(env, input);
    char *tree = find_top(final, top);
    if (!tree) {
        say_unpack(env, input);
        cleanup_close int lock = hold(env, final);
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
