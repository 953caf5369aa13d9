/* See serve/ipxe.h. */
#include "serve/ipxe.h"
#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* netX is the card that iPXE uses, whatever its number. */
#define ASK "/ipxe?mac=${netX/mac:hexhyp}&uuid=${uuid}&arch=${buildarch}&platform=${platform}"

int ipxe_render_entry(const char *base, char **ret_text, size_t *ret_size)
{
    char *text;
    int n = asprintf(&text,
                     "#!ipxe\n"
                     ":again\n"
                     "chain --replace --autofree %s" ASK " ||\n"
                     "echo rambox has nothing to boot for ${netX/mac}; asking again in 5 s\n"
                     "sleep 5\n"
                     "goto again\n",
                     base);
    if (n < 0)
        return -ENOMEM;
    *ret_text = text;
    *ret_size = (size_t)n;
    return 0;
}

/* Whether iPXE leaves it as it is. Its words are what blanks divide. */
static bool is_plain(const char *cmdline)
{
    static const char *const own[] = {"||", "&&", ";"};
    if (strstr(cmdline, "${"))
        return false;
    for (const char *word = cmdline; *word; word += strspn(word, " ")) {
        size_t n = strcspn(word, " ");
        for (size_t i = 0; i < ARRAY_SIZE(own); i++)
            if (n == strlen(own[i]) && memcmp(word, own[i], n) == 0)
                return false;
        word += n;
    }
    return true;
}

int ipxe_render(const struct boot_description *d, char **ret_text, size_t *ret_size)
{
    struct boot_initrd initrds[BOOT_INITRDS_MAX];
    size_t n = boot_initrds(d, initrds);
    char *text = NULL;
    size_t size;
    if (!is_plain(d->cmdline))
        return -EINVAL;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return -ENOMEM;
    /* Named, because kernel and image may be called the same; `initrd=` is how UEFI finds them (P11). */
    fprintf(out,
            "#!ipxe\n"
            "# %s, generation %u\n"
            "imgfree\n"
            "kernel --name kernel /%s ",
            d->name, d->generation, d->kernel);
    for (size_t i = 0; i < n; i++)
        fprintf(out, "initrd=%s ", initrds[i].name);
    fprintf(out, "%s || goto failed\n", d->cmdline);
    for (size_t i = 0; i < n; i++)
        fprintf(out, "initrd --name %s /%s || goto failed\n", initrds[i].name, initrds[i].path);
    fputs("boot || goto failed\n"
          ":failed\n"
          "echo rambox: this did not work; trying again in 5 s\n"
          "sleep 5\n"
          "chain --replace --autofree " ASK " || goto failed\n",
          out);
    if (fclose(out) != 0) {
        free(text);
        return -ENOMEM;
    }
    *ret_text = text;
    *ret_size = size;
    return 0;
}
