/* serve/ipxe, serve/grub, serve/pixiecore: what a node boots, in the words of its loader, and that no command
 * line breaks out of them. */
#include "serve_fixture.h"

#include "serve/grub.h"
#include "serve/ipxe.h"
#include "serve/pixiecore.h"
#include "serve/pxelinux.h"

#include <errno.h>
#include <jansson.h>

static struct boot_description described(const char *cmdline, bool image)
{
    struct boot_description d = {.generation = 12, .name = "n1", .kernel = "g12/kernel/k"};
    if (image)
        snprintf(d.image, sizeof(d.image), "g12/image/i");
    snprintf(d.cmdline, sizeof(d.cmdline), "%s", cmdline);
    return d;
}

typedef int render_fn(const struct boot_description *d, char **ret_text, size_t *ret_size);

static char *render(render_fn *fn, const char *cmdline, bool image)
{
    struct boot_description d = described(cmdline, image);
    char *text = NULL;
    size_t size = 0;
    assert_int_equal(fn(&d, &text, &size), 0);
    assert_int_equal(size, strlen(text));
    return text;
}

static void refuses(render_fn *fn, const char *cmdline)
{
    struct boot_description d = described(cmdline, true);
    char *text = NULL;
    size_t size = 0;
    assert_int_equal(fn(&d, &text, &size), -EINVAL);
    assert_null(text);
}

static void test_ipxe(void **state) /* P11 */
{
    cleanup_free char *text = render(ipxe_render, "rw rambox", true);
    assert_non_null(strstr(text, "#!ipxe\n# n1, generation 12\n"));
    assert_non_null(strstr(text,
                           "\nkernel --name kernel /g12/kernel/k initrd=image rw rambox || goto failed\n"
                           "initrd --name image /g12/image/i || goto failed\n"
                           "boot || goto failed\n"
                           ":failed\n"));
    cleanup_free char *alone = render(ipxe_render, "rw", false);
    assert_non_null(strstr(alone, "kernel --name kernel /g12/kernel/k rw || goto failed\nboot ||"));
    assert_null(strstr(alone, "initrd"));
}

/* Two ramdisks: the modules of a distribution's kernel come behind the image, in every language (P11). */
static void test_two_ramdisks(void **state)
{
    static const struct {
        render_fn *fn;
        const char *said;
    } languages[] = {
        {ipxe_render, "\nkernel --name kernel /g12/kernel/k initrd=image initrd=modules rw || goto failed\n"
                      "initrd --name image /g12/image/i || goto failed\n"
                      "initrd --name modules /g12/modules/k || goto failed\n"
                      "boot || goto failed\n"},
        {grub_render, "\n  initrd '/g12/image/i' '/g12/modules/k'\n}\n"},
        {pixiecore_render, ",\"initrd\":[\"/g12/image/i\",\"/g12/modules/k\"],"},
        {pxelinux_render, "\n  INITRD g12/image/i,g12/modules/k\n  APPEND rw\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(languages); i++) {
        struct boot_description d = described("rw", true);
        char *text;
        size_t size;
        snprintf(d.modules, sizeof(d.modules), "g12/modules/k");
        assert_int_equal(languages[i].fn(&d, &text, &size), 0);
        assert_int_equal(size, strlen(text));
        assert_non_null(strstr(text, languages[i].said));
        free(text);
    }
}

static void test_ipxe_words(void **state) /* NUL, CR and LF that break out are refused by describe */
{
    static const char *const own[] = {"${mac}",    "a=$${x}", "rw || shell", "|| shell", "rw &&",
                                      "a ; shell", ";"};
    for (size_t i = 0; i < ARRAY_SIZE(own); i++)
        refuses(ipxe_render, own[i]);
    static const char *const plain[] = {"a=||", "$", "a={b}", "a;b", "$a", "#x", "--name x", "a=\"b c\"", ""};
    for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
        cleanup_free char *text = render(ipxe_render, plain[i], true);
        cleanup_free char *line =
            xasprintf("\nkernel --name kernel /g12/kernel/k initrd=image %s || goto failed\n", plain[i]);
        assert_non_null(strstr(text, line));
    }
}

static void test_ipxe_entry(void **state)
{
    char *text;
    size_t size;
    assert_int_equal(ipxe_render_entry("http://10.7.0.1:8069", &text, &size), 0);
    assert_int_equal(size, strlen(text));
    assert_memory_equal(text, "#!ipxe\n", 7);
    assert_non_null(strstr(
        text, "chain --replace --autofree http://10.7.0.1:8069/ipxe?mac=${netX/mac:hexhyp}&uuid=${uuid}"));
    free(text);
}

static void test_grub(void **state)
{
    cleanup_free char *text = render(grub_render, "rw a=$b;c|d  e={f} g=\"h i\" #j", true);
    assert_non_null(strstr(
        text,
        "\n  linux '/g12/kernel/k' 'rw' 'a=$b;c|d' 'e={f}' 'g=h i' '#j'\n  initrd '/g12/image/i'\n}\n"));
    cleanup_free char *alone = render(grub_render, "", false);
    assert_non_null(strstr(alone, "\n  linux '/g12/kernel/k'\n}\n"));
    static const char *const altered[] = {"a='b'", "a\\b", "a=\"b", "it's"};
    for (size_t i = 0; i < ARRAY_SIZE(altered); i++)
        refuses(grub_render, altered[i]);
}

static void test_pixiecore(void **state)
{
    cleanup_free char *text = render(pixiecore_render, "rw a=\"b\" \\", true);
    json_t *o = json_loads(text, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(o, "kernel")), "/g12/kernel/k");
    assert_string_equal(json_string_value(json_array_get(json_object_get(o, "initrd"), 0)), "/g12/image/i");
    assert_string_equal(json_string_value(json_object_get(o, "cmdline")), "rw a=\"b\" \\");
    json_decref(o);
    cleanup_free char *alone = render(pixiecore_render, "", false);
    assert_string_equal(alone, "{\"kernel\":\"/g12/kernel/k\",\"initrd\":[],\"cmdline\":\"\"}");
    refuses(pixiecore_render, "a={{ URL \"x\" }}");
    refuses(pixiecore_render, "a=\xff");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ipxe),       cmocka_unit_test(test_two_ramdisks),
        cmocka_unit_test(test_ipxe_words), cmocka_unit_test(test_ipxe_entry),
        cmocka_unit_test(test_grub),       cmocka_unit_test(test_pixiecore),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
