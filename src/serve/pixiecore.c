/* See serve/pixiecore.h. */
#include "serve/pixiecore.h"
#include "base/str.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static bool is_utf8(const char *text)
{
    size_t left = strlen(text), n = 1;
    for (; left && n; text += n, left -= n)
        n = utf8_size(text, left);
    return n > 0;
}

int pixiecore_render(const struct boot_description *d, char **ret_text, size_t *ret_size)
{
    char kernel[ARTIFACT_PATH_MAX + 1], image[ARTIFACT_PATH_MAX + 1];
    if (strstr(d->cmdline, "{{") || !is_utf8(d->cmdline)) /* JSON cannot say what is no UTF-8 */
        return -EINVAL;
    snprintf(kernel, sizeof(kernel), "/%s", d->kernel);
    snprintf(image, sizeof(image), "/%s", d->image);
    json_t *object =
        d->image[0] ? json_pack("{s:s, s:[s], s:s}", "kernel", kernel, "initrd", image, "cmdline", d->cmdline)
                    : json_pack("{s:s, s:[], s:s}", "kernel", kernel, "initrd", "cmdline", d->cmdline);
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    if (!text)
        return -ENOMEM;
    *ret_text = text;
    *ret_size = strlen(text);
    return 0;
}
