/* What the tests of src/config share: a configuration folder to write into, and mistakes with the exact words
 * for them.
 */
#pragma once

#include "test.h"

#include "base/file.h"
#include "base/str.h"
#include "config/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A folder of its own for each test, and a share folder with a kernel and an image named `smallest`. */
struct folder {
    char *root, *config, *share;
};

static inline void put(const char *dir, const char *name, const char *text)
{
    cleanup_free char *path = xasprintf("%s/%s", dir, name);
    cleanup_free char *parent = xstrndup(path, (size_t)(strrchr(path, '/') - path));
    assert_int_equal(dir_make(parent), 0);
    assert_int_equal(file_write_atomic(path, text, strlen(text), 0644), 0);
}

static inline int setup(void **state)
{
    struct folder *f = xcalloc(1, sizeof(*f));
    f->root = xstrdup("/tmp/rambox-test-config-XXXXXX");
    if (!mkdtemp(f->root))
        return -1;
    f->config = xasprintf("%s/config", f->root);
    f->share = xasprintf("%s/share", f->root);
    put(f->share, "fragments/virtio.config", "CONFIG_VIRTIO_MENU=y\n");
    put(f->share, "images/smallest.yaml", "busybox: smallest\n");
    put(f->share, "kernels/smallest.yaml", "source: {package: linux-source}\n");
    put(f->share, "kernels/embedded.yaml", "source: {package: linux-source}\ninitramfs: smallest\n");
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct folder *f = *state;
    dir_remove(f->root);
    free(f->root);
    free(f->config);
    free(f->share);
    free(f);
    return 0;
}

/* Diagnostics as they are printed. */
static inline char *printed(const struct diags *diags)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    diags_print(diags, out);
    fclose(out);
    return text;
}

#define GOOD                                                                                                 \
    "subnets:\n"                                                                                             \
    "  lab:\n"                                                                                               \
    "    prefix: 192.168.7.0/24\n"                                                                           \
    "    router: 192.168.7.1\n"                                                                              \
    "    pools: [192.168.7.100-192.168.7.199]\n"                                                             \
    "profiles:\n"                                                                                            \
    "  default:\n"                                                                                           \
    "    kernel: smallest\n"                                                                                 \
    "    image: smallest\n"

/* A file with mistakes, and all that must be said about it. `file` is written into the folder; with another
 * file than rambox.yaml, that one is GOOD. */
struct mistake {
    const char *file, *text, *said;
};

static inline void check_mistake(struct folder *f, const struct mistake *m)
{
    cleanup_diags struct diags diags = {0};
    struct site *site = NULL;
    dir_remove(f->config);
    put(f->config, "rambox.yaml", GOOD);
    put(f->config, m->file, m->text);
    int r = config_load(f->config, f->share, &diags, &site);
    cleanup_free char *said = printed(&diags);
    assert_string_equal(said, m->said);
    assert_true(diags.errors ? r < 0 && !site : r == 0 && site);
    site_free(site);
}

static inline void check_mistakes(void **state, const struct mistake *mistakes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        check_mistake(*state, &mistakes[i]);
}

#define MAIN(text, said)                                                                                     \
    {                                                                                                        \
        "rambox.yaml", text, said                                                                            \
    }
#define NODE(text, said)                                                                                     \
    {                                                                                                        \
        "nodes.d/n.yaml", text, said                                                                         \
    }
#define PROFILES      "profiles: {default: {kernel: smallest, image: smallest}}\n"
#define SUBNETS       "subnets: {lab: {prefix: 192.168.7.0/24, pools: 192.168.7.100-192.168.7.199}}\n"
#define SUBNET(body)  PROFILES "subnets:\n  lab:\n    prefix: 192.168.7.0/24\n" body
#define PROFILE(body) SUBNETS "profiles:\n  default:\n    kernel: smallest\n" body
#define SERVER(body)  SUBNETS PROFILES "server:\n" body
#define MAC           "mac: 52:54:00:12:34:56\n"
#define EXPECTED_MAC  "expected six bytes like 52:54:00:12:34:56, not multicast, not all zero\n"
#define EXPECTED_NAME "expected 1 to 63 letters, digits and inner hyphens\n"
#define EXPECTED_TEXT "expected printable characters, without line breaks\n"
