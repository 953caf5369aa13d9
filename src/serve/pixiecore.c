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
    struct boot_initrd initrds[BOOT_INITRDS_MAX];
    size_t n = boot_initrds(d, initrds);
    char kernel[ARTIFACT_PATH_MAX + 1];
    if (strstr(d->cmdline, "{{") || !is_utf8(d->cmdline)) /* JSON cannot say what is no UTF-8 */
        return -EINVAL;
    snprintf(kernel, sizeof(kernel), "/%s", d->kernel);
    json_t *object = json_pack("{s:s, s:[], s:s}", "kernel", kernel, "initrd", "cmdline", d->cmdline);
    bool complete = object != NULL;
    for (size_t i = 0; i < n; i++) {
        char path[ARTIFACT_PATH_MAX + 1];
        snprintf(path, sizeof(path), "/%s", initrds[i].path);
        complete =
            complete && json_array_append_new(json_object_get(object, "initrd"), json_string(path)) == 0;
    }
    char *text = complete ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    if (!text)
        return -ENOMEM;
    *ret_text = text;
    *ret_size = strlen(text);
    return 0;
}
