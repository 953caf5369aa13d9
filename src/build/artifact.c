/* See build/artifact.h. A record is one file of `key value` lines; unknown keys are skipped, so that later
 * versions may add some. */
#include "build/artifact.h"
#include "base/file.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#define TEMPORARY ".new." /* begins the names of what is being written */

enum { LEFT_S = 3600 }; /* what nobody wrote to for so long is left over */

char *artifact_path(const char *store, const struct digest *digest)
{
    char hex[DIGEST_TEXT_MAX];
    return xasprintf("%s/%s", store, digest_format(digest, hex));
}

static bool is_file(const char *path, uint64_t *ret_size)
{
    struct stat st;
    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return false;
    if (ret_size)
        *ret_size = (uint64_t)st.st_size;
    return true;
}

bool artifact_has(const char *store, const struct digest *digest)
{
    cleanup_free char *path = artifact_path(store, digest);
    return is_file(path, NULL);
}

void artifact_remove_left(const char *store)
{
    CLEANUP(closedir) DIR *dir = opendir(store);
    struct stat st;
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (str_starts(entry->d_name, TEMPORARY) &&
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            time(NULL) - st.st_mtime > LEFT_S)
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
}

/* Where the bytes of an artifact come from: a file, or memory. */
struct source_bytes {
    int fd; /* -1: memory */
    const uint8_t *data;
    size_t left;
};

/* The next piece: its length, 0 at the end, or -errno. */
static ssize_t next_piece(struct source_bytes *source, void *buffer, size_t size)
{
    if (source->fd < 0) {
        size_t n = source->left < size ? source->left : size;
        if (n)
            memcpy(buffer, source->data, n);
        source->data += n;
        source->left -= n;
        return (ssize_t)n;
    }
    ssize_t n;
    do
        n = read(source->fd, buffer, size);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

/* Writes all pieces to `fd`, syncs it, and yields the digest of exactly what was written. */
static int write_pieces(struct source_bytes *source, int fd, struct digest *ret_digest)
{
    struct hash hash;
    uint8_t buffer[65536];
    hash_init(&hash);
    for (;;) {
        ssize_t n = next_piece(source, buffer, sizeof(buffer));
        if (n < 0)
            return (int)n;
        if (n == 0)
            break;
        hash_add(&hash, buffer, (size_t)n);
        int r = write_all(fd, buffer, (size_t)n);
        if (r < 0)
            return r;
    }
    if (fchmod(fd, 0644) < 0 || fsync(fd) < 0)
        return -errno;
    hash_end(&hash, ret_digest);
    return 0;
}

static int put(const char *store, struct source_bytes *source, struct digest *ret_digest)
{
    int r = dir_make(store);
    if (r < 0)
        return r;
    cleanup_free char *temp = xasprintf("%s/" TEMPORARY "XXXXXX", store);
    cleanup_close int fd = mkostemp(temp, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    struct digest digest;
    r = write_pieces(source, fd, &digest);
    cleanup_free char *path = r < 0 ? NULL : artifact_path(store, &digest);
    if (r == 0 && rename(temp, path) < 0)
        r = -errno;
    if (r < 0) {
        unlink(temp);
        return r;
    }
    r = dir_sync(store);
    if (r == 0)
        *ret_digest = digest;
    return r;
}

static int put_or_say(const char *store, struct source_bytes *source, struct diags *diags,
                      struct digest *ret_digest)
{
    int r = put(store, source, ret_digest);
    if (r == -ENOSPC || r == -EDQUOT)
        return diag_errno(diags, r, "cannot keep the built file in %s; what was there is untouched", store);
    return r < 0 ? diag_errno(diags, r, "cannot write to the artifact store %s", store) : 0;
}

int artifact_put_file(const char *store, const char *path, struct diags *diags, struct digest *ret_digest)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return diag_errno(diags, -errno, "cannot read the built file %s", path);
    return put_or_say(store, &(struct source_bytes){.fd = fd}, diags, ret_digest);
}

int artifact_put_data(const char *store, const void *data, size_t size, struct diags *diags,
                      struct digest *ret_digest)
{
    return put_or_say(store, &(struct source_bytes){.fd = -1, .data = data, .left = size}, diags, ret_digest);
}

static char *record_path(const char *cache_dir, const struct digest *key)
{
    char hex[DIGEST_TEXT_MAX];
    return xasprintf("%s/built/%s", cache_dir, digest_format(key, hex));
}

/* Reads one `key value` line into the record. */
static int parse_line(char *line, struct built *built)
{
    char *value = strchr(line, ' ');
    uint64_t number;
    if (!value)
        return -EINVAL;
    *value++ = '\0';
    if (str_eq(line, "artifact"))
        return digest_parse(value, &built->artifact);
    if (str_eq(line, "name")) {
        snprintf(built->name, sizeof(built->name), "%s", value);
        return 0;
    }
    if (!str_eq(line, "seconds") && !str_eq(line, "steps"))
        return 0;
    int r = parse_u64(value, 0, UINT32_MAX, &number);
    if (r == 0 && str_eq(line, "seconds"))
        built->seconds = (unsigned)number;
    else if (r == 0)
        built->steps = (unsigned)number;
    return r;
}

/* The cache keeps a copy of what it says was built, so that a second store (another state folder) gets it
 * without another build. */
static char *cached_path(const char *cache_dir, const struct digest *artifact)
{
    cleanup_free char *folder = xasprintf("%s/artifacts", cache_dir);
    return artifact_path(folder, artifact);
}

/* Puts the cache's copy into the store, if there is one and it still has its hash. */
static int restore(const char *cache_dir, const char *store, const struct digest *artifact)
{
    cleanup_free char *copy = cached_path(cache_dir, artifact);
    cleanup_diags struct diags unused = {0};
    struct digest digest;
    int r = hash_file(copy, &digest);
    if (r < 0 || !digest_equal(&digest, artifact))
        return -ENOENT;
    return artifact_put_file(store, copy, &unused, &digest);
}

int built_get(const char *cache_dir, const char *store, const struct digest *key, struct built *ret_built)
{
    cleanup_free char *path = record_path(cache_dir, key);
    cleanup_free char *text = NULL;
    struct built built = {0};
    char *save = NULL;
    if (file_read(path, 4096, &text, NULL) < 0)
        return -ENOENT;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        if (parse_line(line, &built) < 0)
            return -ENOENT;
    cleanup_free char *artifact = artifact_path(store, &built.artifact);
    if (!is_file(artifact, &built.size) &&
        (restore(cache_dir, store, &built.artifact) < 0 || !is_file(artifact, &built.size)))
        return -ENOENT;
    *ret_built = built;
    return 0;
}

/* A hard link where the two folders share a file system, else a copy. */
static int keep(const char *cache_dir, const char *store, const struct digest *artifact)
{
    cleanup_free char *folder = xasprintf("%s/artifacts", cache_dir);
    cleanup_free char *copy = cached_path(cache_dir, artifact);
    cleanup_free char *original = artifact_path(store, artifact);
    cleanup_diags struct diags unused = {0};
    struct digest digest;
    int r = dir_make(folder);
    if (r < 0 || link(original, copy) == 0 || errno == EEXIST)
        return r;
    return artifact_put_file(folder, original, &unused, &digest);
}

int built_put(const char *cache_dir, const char *store, const struct digest *key, const struct built *built)
{
    cleanup_free char *folder = xasprintf("%s/built", cache_dir);
    cleanup_free char *path = record_path(cache_dir, key);
    cleanup_str struct str text = {0};
    char hex[DIGEST_TEXT_MAX];
    int r = dir_make(folder);
    if (r == 0)
        r = keep(cache_dir, store, &built->artifact);
    if (r < 0)
        return r;
    str_printf(&text, "artifact %s\nname %s\nseconds %u\nsteps %u\n", digest_format(&built->artifact, hex),
               built->name, built->seconds, built->steps);
    return file_write_atomic(path, str_text(&text), text.len, 0644);
}
