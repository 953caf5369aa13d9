/* serve/bootpath: the table, and that every row of it is reached, by whom it says and by nobody else. */
#include "test.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "serve/bootpath.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct boot_path *choose(struct pxe_client client, enum loader loader, unsigned found,
                                      const char *unified, const struct boot_path **ret_missing)
{
    return boot_path_choose(
        &(struct boot_path_request){
            .client = &client, .loader = loader, .found = found, .unified = unified, .http = true},
        ret_missing);
}

static struct pxe_client client_of(enum boot_asker asker, unsigned archs_n, uint16_t arch)
{
    struct pxe_client client = {.class = asker == ASKER_HTTP ? PXE_HTTP_CLIENT : PXE_CLIENT,
                                .ipxe = asker == ASKER_IPXE || asker == ASKER_IPXE_HTTP,
                                .archs_n = archs_n,
                                .archs = {arch}};
    if (asker == ASKER_IPXE_HTTP)
        client.ipxe_features[0x13 / 8] |= 1 << 0x13 % 8;
    return client;
}

static void
test_every_row_is_reached(void **state) /* P1: with the row's own loader, everything being there */
{
    for (const struct boot_path *path = boot_paths; path->name; path++)
        for (unsigned asker = 1; asker <= ASKER_IPXE_HTTP; asker *= 2)
            for (unsigned i = 0; i < (path->archs_n ? path->archs_n : 1); i++) {
                const struct boot_path *missing;
                if (!(path->askers & asker))
                    continue;
                uint16_t arch = path->archs_n ? path->archs[i] : PXE_ARCH_BIOS;
                assert_ptr_equal(choose(client_of((enum boot_asker)asker, 1, arch), path->loader,
                                        BOOTFILE_ALL, "g1/unified/p.efi", &missing),
                                 path);
                assert_null(missing);
            }
}

static void test_names(void **state)
{
    for (const struct boot_path *path = boot_paths; path->name; path++) {
        for (const struct boot_path *other = path + 1; other->name; other++)
            assert_string_not_equal(path->name, other->name);
        const char *file = boot_path_file(path, "g1/unified/p.efi");
        if (path->program != PROGRAM_NONE) {
            assert_true(bootfile_is_loader(file));
            assert_true(bootfile_is_program(file));
        }
        assert_true(strlen(file) < 64);
    }
}

static void test_automatic(void **state) /* P1, P2, P9, P12, P15: what each firmware gets when nobody says */
{
    static const struct {
        enum boot_asker asker;
        unsigned archs_n;
        uint16_t arch;
        const char *unified, *path;
    } rows[] = {
        {ASKER_PXE, 1, 0, NULL, "bios-pxelinux"},
        {ASKER_PXE, 0, 0, NULL, "bios-pxelinux"}, /* P12 */
        {ASKER_IPXE_HTTP, 1, 0, NULL, "ipxe"},
        {ASKER_IPXE, 1, 0, NULL, "ipxe-tftp"},
        {ASKER_PXE, 1, 7, NULL, "uefi-grub"},
        {ASKER_PXE, 1, 9, NULL, "uefi-grub"},
        {ASKER_PXE, 1, 7, "u", "uefi-unified"},
        {ASKER_IPXE_HTTP, 1, 7, NULL, "ipxe"},
        {ASKER_HTTP, 1, 16, "u", "uefi-http-unified"},
        {ASKER_HTTP, 1, 16, NULL, "uefi-http-ipxe"},
        {ASKER_PXE, 1, 11, NULL, "arm64-grub"},
        {ASKER_HTTP, 1, 19, "u", "arm64-http-unified"},
        {ASKER_PXE, 1, 6, NULL, NULL},
        {ASKER_PXE, 1, 41, NULL, "raspberry-pi"},
        {ASKER_HTTP, 1, 15, NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct boot_path *missing;
        const struct boot_path *path = choose(client_of(rows[i].asker, rows[i].archs_n, rows[i].arch),
                                              LOADER_AUTO, BOOTFILE_ALL, rows[i].unified, &missing);
        assert_null(missing);
        if (!rows[i].path)
            assert_null(path);
        else
            assert_string_equal(path->name, rows[i].path);
    }
}

static void test_list_of_architectures(void **state) /* P1: the first that has a row */
{
    const struct boot_path *missing;
    struct pxe_client client = {.class = PXE_CLIENT, .archs_n = 2, .archs = {6, 7}};
    assert_string_equal(choose(client, LOADER_AUTO, BOOTFILE_ALL, NULL, &missing)->name, "uefi-grub");
}

static void test_no_iPXE_loads_itself(void **state) /* P9: else it would go round for ever */
{
    for (const struct boot_path *path = boot_paths; path->name; path++)
        if (path->program != PROGRAM_NONE && boot_programs[path->program].ipxe)
            assert_false(path->askers & (ASKER_IPXE | ASKER_IPXE_HTTP));
}

static void test_missing(void **state)
{
    const struct boot_path *missing, *path;
    struct pxe_client uefi = client_of(ASKER_PXE, 1, 7);
    path = choose(uefi, LOADER_AUTO, 1u << PROGRAM_SNPONLY, NULL, &missing);
    assert_string_equal(path->name, "uefi-ipxe");
    assert_null(missing); /* the next best is there, and nobody asked for more */
    assert_null(choose(uefi, LOADER_AUTO, 0, NULL, &missing));
    assert_string_equal(missing->name, "uefi-grub");
    path = choose(uefi, LOADER_UNIFIED, BOOTFILE_ALL, NULL, &missing);
    assert_string_equal(path->name, "uefi-grub");
    assert_string_equal(missing->name, "uefi-unified");
    path = choose(uefi, LOADER_PXELINUX, BOOTFILE_ALL, NULL,
                  &missing); /* not for this firmware: nothing is missing */
    assert_string_equal(path->name, "uefi-grub");
    assert_null(missing);
}

static void test_without_http(void **state)
{
    const struct boot_path *missing;
    struct pxe_client ipxe = client_of(ASKER_IPXE_HTTP, 1, 0), http = client_of(ASKER_HTTP, 1, 16);
    struct boot_path_request request = {.client = &ipxe, .found = BOOTFILE_ALL};
    assert_string_equal(boot_path_choose(&request, &missing)->name, "ipxe-tftp");
    request.client = &http;
    assert_null(boot_path_choose(&request, &missing));
}

static void test_beside_another_server(void **state) /* P7: where GRUB finds no configuration */
{
    const struct boot_path *missing;
    struct pxe_client uefi = client_of(ASKER_PXE, 1, 7), arm64 = client_of(ASKER_PXE, 1, 11);
    struct boot_path_request request = {.client = &uefi, .found = BOOTFILE_ALL, .http = true, .proxy = true};
    assert_string_equal(boot_path_choose(&request, &missing)->name, "uefi-ipxe");
    assert_null(missing);
    request.found &= ~(1u << PROGRAM_SNPONLY); /* else it is better than nothing: that server may name us */
    assert_string_equal(boot_path_choose(&request, &missing)->name, "uefi-grub");
    request.found = BOOTFILE_ALL;
    request.loader = LOADER_GRUB; /* whoever asks for it gets it */
    assert_string_equal(boot_path_choose(&request, &missing)->name, "uefi-grub");
    request.loader = LOADER_AUTO;
    request.unified = "u";
    assert_string_equal(boot_path_choose(&request, &missing)->name, "uefi-unified");
    request =
        (struct boot_path_request){.client = &arm64, .found = BOOTFILE_ALL, .http = true, .proxy = true};
    assert_string_equal(boot_path_choose(&request, &missing)->name, "arm64-grub");
    request.found = 0;
    assert_null(boot_path_choose(&request, &missing));
    assert_string_equal(missing->name, "arm64-grub");
}

static void test_check(void **state) /* said before a node asks */
{
    CLEANUP(site_free) struct site *site = site_new();
    cleanup_diags struct diags diags = {0};
    struct profile *profile = VEC_ADD(&site->profiles);
    profile->name = xstrdup("p");
    boot_paths_check(site, 0, &diags);
    assert_int_equal(diags.list.n, 0); /* auto takes what there is */
    profile->loader = LOADER_SHIM;
    boot_paths_check(site, BOOTFILE_ALL, &diags);
    assert_int_equal(diags.list.n, 0);
    boot_paths_check(site, BOOTFILE_ALL & ~(1u << PROGRAM_SHIM_X64), &diags);
    assert_int_equal(diags.list.n, 1);
    assert_non_null(strstr(diags.list.items[0].text, "profile p: loader shim needs shimx64.efi"));
    assert_non_null(strstr(diags.list.items[0].text, "package shim-signed"));
}

static void test_found(void **state)
{
    char dir[] = "/tmp/rambox-programs.XXXXXX";
    assert_non_null(mkdtemp(dir));
    int fd = open(dir, O_RDONLY | O_DIRECTORY);
    assert_int_equal(bootfile_found(&fd, 1), 0);
    close(openat(fd, "grubnetx64.efi.signed", O_CREAT | O_WRONLY, 0644)); /* the distribution's name */
    close(openat(fd, "lpxelinux.0", O_CREAT | O_WRONLY, 0644));
    assert_int_equal(mkdirat(fd, "pxelinux.0", 0755), 0);
    assert_int_equal(bootfile_found(&fd, 1), 1u << PROGRAM_GRUB_X64 | 1u << PROGRAM_LPXELINUX);
    unlinkat(fd, "grubnetx64.efi.signed", 0);
    unlinkat(fd, "lpxelinux.0", 0);
    unlinkat(fd, "pxelinux.0", AT_REMOVEDIR);
    close(fd);
    rmdir(dir);
}

int main(void)
{
#define TEST(name) cmocka_unit_test(test_##name)
    const struct CMUnitTest tests[] = {
        TEST(every_row_is_reached),
        TEST(names),
        TEST(automatic),
        TEST(list_of_architectures),
        TEST(no_iPXE_loads_itself),
        TEST(missing),
        TEST(without_http),
        TEST(beside_another_server),
        TEST(check),
        TEST(found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
