/* See serve/ipxe.h. */
#include "serve/ipxe.h"
#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <stdio.h>

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
    char *text;
    if (!is_plain(d->cmdline))
        return -EINVAL;
    /* Named, because kernel and image may be called the same; `initrd=` is how UEFI finds it (P11). */
    int n = asprintf(&text,
                     "#!ipxe\n"
                     "# %s, generation %u\n"
                     "imgfree\n"
                     "kernel --name kernel /%s %s%s || goto failed\n"
                     "%s%s%s"
                     "boot || goto failed\n"
                     ":failed\n"
                     "echo rambox: this did not work; trying again in 5 s\n"
                     "sleep 5\n"
                     "chain --replace --autofree " ASK " || goto failed\n",
                     d->name, d->generation, d->kernel, d->image[0] ? "initrd=image " : "", d->cmdline,
                     d->image[0] ? "initrd --name image /" : "", d->image,
                     d->image[0] ? " || goto failed\n" : "");
    if (n < 0)
        return -ENOMEM;
    *ret_text = text;
    *ret_size = (size_t)n;
    return 0;
}
