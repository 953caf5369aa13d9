/* daemon/tls: certificates that are read, and those that are made (W4). */
#include "test.h"

#include "base/file.h"
#include "base/str.h"
#include "daemon/tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define NOW INT64_C(1764000000)

static char dir[64];
static const ipv4_t addresses[] = {0x0a070001u, 0xc0a80701u};

static int setup(void **state)
{
    snprintf(dir, sizeof(dir), "/tmp/rambox-test-XXXXXX");
    assert_non_null(mkdtemp(dir));
    return 0;
}

static int teardown(void **state)
{
    return dir_remove(dir);
}

static struct tls_identity *own(const char *name, size_t n, int64_t now, bool made)
{
    cleanup_diags struct diags diags = {0};
    cleanup_free char *folder = xasprintf("%s/%s", dir, name);
    struct tls_identity *t = NULL;
    bool was_made = !made;
    assert_int_equal(tls_identity_own(folder, addresses, n, now, &diags, &t, &was_made), 0);
    assert_int_equal(was_made, made);
    assert_int_equal(diags.list.n, 0);
    return t;
}

static void test_own(void **state) /* W4: made once, renewed when near its end or for a new address */
{
    struct stat st;
    CLEANUP(tls_identity_free) struct tls_identity *first = own("tls", 1, NOW, true);
    assert_int_equal(first->chain_n, 1);
    assert_int_equal(first->expires, NOW + TLS_VALID_S);
    assert_int_equal(strlen(first->fingerprint), 32 * 3 - 1);
    cleanup_free char *key = xasprintf("%s/tls/key.pem", dir), *folder = xasprintf("%s/tls", dir);
    assert_int_equal(stat(key, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(folder, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    CLEANUP(tls_identity_free) struct tls_identity *again = own("tls", 1, NOW + 86400, false);
    assert_true(tls_identity_equal(first, again));
    CLEANUP(tls_identity_free) struct tls_identity *wider = own("tls", 2, NOW, true);
    assert_false(tls_identity_equal(first, wider));
    CLEANUP(tls_identity_free) struct tls_identity *fewer = own("tls", 1, NOW, false);
    assert_true(tls_identity_equal(wider, fewer));
    CLEANUP(tls_identity_free)
    struct tls_identity *later = own("tls", 2, NOW + TLS_VALID_S - TLS_RENEW_S + 1, true);
    assert_false(tls_identity_equal(wider, later));
}

static int read_pair(const char *certificate, const char *key, int64_t now, const char *said)
{
    cleanup_diags struct diags diags = {0};
    cleanup_free char *c = xasprintf("%s/%s", dir, certificate), *k = xasprintf("%s/%s", dir, key);
    CLEANUP(tls_identity_free) struct tls_identity *t = NULL;
    int r = tls_identity_read(c, k, now, &diags, &t);
    assert_int_equal(t != NULL, r == 0);
    assert_int_equal(diags.list.n, r < 0);
    if (r < 0)
        assert_non_null(strstr(diags.list.items[0].text, said));
    return r;
}

static void test_read(void **state)
{
    tls_identity_free(own("a", 1, NOW, true));
    tls_identity_free(own("b", 1, NOW, true));
    cleanup_free char *key = xasprintf("%s/a/key.pem", dir);
    assert_int_equal(read_pair("a/cert.pem", "a/key.pem", NOW, ""), 0);
    assert_int_equal(read_pair("a/cert.pem", "b/key.pem", NOW, "not the one of the certificate"),
                     -EKEYREJECTED);
    assert_int_equal(read_pair("a/key.pem", "a/key.pem", NOW, "no certificate"), -EKEYREJECTED);
    assert_int_equal(read_pair("a/cert.pem", "a/cert.pem", NOW, "read by everybody"), -EACCES);
    assert_int_equal(read_pair("a/none.pem", "a/key.pem", NOW, "cannot read"), -ENOENT);
    assert_int_equal(read_pair("a/cert.pem", "a/none.pem", NOW, "cannot read"), -ENOENT);
    assert_int_equal(read_pair("a/cert.pem", "a/key.pem", NOW + TLS_VALID_S, "has ended"), -EKEYREJECTED);
    assert_int_equal(chmod(key, 0640), 0); /* a group such as ssl-cert may read it */
    assert_int_equal(read_pair("a/cert.pem", "a/key.pem", NOW, ""), 0);
    assert_int_equal(chmod(key, 0644), 0); /* hostile: a secret file readable by others */
    assert_int_equal(read_pair("a/cert.pem", "a/key.pem", NOW, "read by everybody"), -EACCES);
    assert_int_equal(file_write_atomic(key, "x", 1, 0600), 0);
    assert_int_equal(read_pair("a/cert.pem", "a/key.pem", NOW, "no private key"), -EKEYREJECTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_own, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
