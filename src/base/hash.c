/* See base/hash.h. */
#include "base/hash.h"
#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium/utils.h>
#include <string.h>

void hash_init(struct hash *h)
{
    crypto_hash_sha256_init(&h->state);
}

void hash_add(struct hash *h, const void *data, size_t size)
{
    crypto_hash_sha256_update(&h->state, data, size);
}

void hash_field(struct hash *h, const char *text)
{
    uint64_t size = text ? strlen(text) : UINT64_MAX;
    hash_add(h, &size, sizeof(size));
    if (text)
        hash_add(h, text, (size_t)size);
}

void hash_end(struct hash *h, struct digest *ret_digest)
{
    crypto_hash_sha256_final(&h->state, ret_digest->b);
}

int hash_file(const char *path, struct digest *ret_digest)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    struct hash h;
    hash_init(&h);
    uint8_t buffer[65536];
    for (;;) {
        ssize_t n = read(fd, buffer, sizeof(buffer));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        hash_add(&h, buffer, (size_t)n);
    }
    hash_end(&h, ret_digest);
    return 0;
}

const char *digest_format(const struct digest *d, char buf[static DIGEST_TEXT_MAX])
{
    return sodium_bin2hex(buf, DIGEST_TEXT_MAX, d->b, sizeof(d->b));
}

int digest_parse(const char *s, struct digest *ret_digest)
{
    struct digest d;
    size_t size;
    if (strlen(s) != 64 || sodium_hex2bin(d.b, sizeof(d.b), s, 64, NULL, &size, NULL) < 0 ||
        size != sizeof(d.b))
        return -EINVAL;
    *ret_digest = d;
    return 0;
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
    return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}
