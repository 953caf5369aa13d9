/* URLs and files, see build/fetch.h; packages are in apt.c. */
#include "build/fetch.h"
#include "base/file.h"
#include "base/str.h"
#include "build/whole.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

void input_clear(struct input *input)
{
    free(input->path);
    input->path = NULL;
}

/* ---- URLs ---- */

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
        lock = whole_hold(env, final);
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
