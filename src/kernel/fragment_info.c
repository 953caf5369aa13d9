/* See kernel/fragment_info.h. */
#include "kernel/fragment_info.h"
#include "base/file.h"
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>

#define FRAGMENT_LIMIT (4u << 20)

void fragment_info_clear(struct fragment_info *info)
{
    free(info->name);
    free(info->file);
    free(info->purpose);
    VEC_EACH(need, &info->needs)
        free(*need);
    VEC_FREE(&info->needs);
}

void fragment_list_free(struct fragment_list *list)
{
    VEC_EACH(info, &list->items)
        fragment_info_clear(info);
    VEC_FREE(&list->items);
}

/* ---- the comment ---- */

/* The comment's lines as one, words separated by one blank; the caller's. */
static char *comment_of(const char *text)
{
    struct str out = {0};
    while (*text == '#') {
        size_t length = strcspn(text, "\n");
        for (const char *at = text + 1, *end = text + length; at < end;) {
            size_t blank = strspn(at, " \t\r"), word;
            at += blank < (size_t)(end - at) ? blank : (size_t)(end - at);
            word = strcspn(at, " \t\r\n");
            if (word == 0)
                break;
            str_add(&out, out.len ? " " : "");
            str_add_n(&out, at, word);
            at += word;
        }
        text += length + (text[length] == '\n');
    }
    return str_steal(&out);
}

/* Cuts the sentence that begins with `word` and ends with a full stop out of `text`. What stands between
 * them; the caller's. NULL: there is none. */
static char *take_sentence(char *text, const char *word)
{
    size_t length = strlen(word);
    char *at = text;
    while ((at = strstr(at, word)) && at != text && (at - text < 2 || at[-1] != ' ' || at[-2] != '.'))
        at += length;
    char *end = at ? strchr(at, '.') : NULL;
    if (!end)
        return NULL;
    char *inner = xstrndup(at + length, (size_t)(end - at) - length);
    const char *rest = end + 1 + strspn(end + 1, " ");
    memmove(at, rest, strlen(rest) + 1);
    return inner;
}

/* `inet, virtio and efi` */
static void take_needs(struct fragment_info *info, char *words)
{
    for (char *save = NULL, *word = strtok_r(words, ", ", &save); word; word = strtok_r(NULL, ", ", &save))
        if (!str_eq(word, "and"))
            VEC_PUSH(&info->needs, xstrdup(word));
}

/* A number with or without a sign, and `after` behind it. */
static bool take_number(const char **text, const char *after, int64_t *ret_number)
{
    bool negative = **text == '-';
    const char *digits = *text + negative;
    size_t length = strspn(digits, "0123456789");
    cleanup_free char *copy = xstrndup(digits, length);
    uint64_t number;
    if (parse_u64(copy, 0, INT64_MAX, &number) < 0 || !str_starts(digits + length, after))
        return false;
    *ret_number = negative ? -(int64_t)number : (int64_t)number;
    *text = digits + length + strlen(after);
    return true;
}

static void take_cost(struct fragment_info *info, const char *words)
{
    bool about = str_starts(words, "about ");
    words += about ? strlen("about ") : 0;
    if (take_number(&words, " bytes of bzImage and ", &info->image_bytes) &&
        take_number(&words, " bytes of RAM", &info->ram_bytes) && *words == '\0')
        info->cost = about ? COST_ESTIMATED : COST_MEASURED;
}

void fragment_info_parse(const char *text, struct fragment_info *ret_info)
{
    struct fragment_info info = {0};
    cleanup_free char *comment = comment_of(text);
    cleanup_free char *needs = take_sentence(comment, "Needs ");
    cleanup_free char *cost = take_sentence(comment, "Costs ");
    if (needs)
        take_needs(&info, needs);
    if (cost)
        take_cost(&info, cost);
    /* `NAME: ` and `NAME for ARCH: `; the file has it, too. */
    const char *colon = strstr(comment, ": ");
    const char *purpose = colon ? colon + 2 : "";
    size_t length = strlen(purpose);
    while (length && purpose[length - 1] == ' ')
        length--;
    if (length && purpose[length - 1] == '.')
        length--;
    if (length)
        info.purpose = xstrndup(purpose, length);
    *ret_info = info;
}

/* ---- all of them ---- */

static struct fragment_info *find(struct fragment_list *list, const char *name)
{
    VEC_EACH(info, &list->items)
        if (str_eq(info->name, name))
            return info;
    return NULL;
}

static int add_file(const struct build_env *env, const char *folder, const char *file, bool own,
                    struct fragment_list *list)
{
    cleanup_free char *path = xasprintf("%s/%s", folder, file);
    cleanup_free char *text = NULL;
    struct fragment_info info;
    int r = file_read(path, FRAGMENT_LIMIT, &text, NULL);
    if (r < 0)
        return diag_errno(env->diags, r, "cannot read the fragment %s", path);
    fragment_info_parse(text, &info);
    info.name = xstrndup(file, strlen(file) - strlen(".config"));
    info.file = TAKE_PTR(path);
    info.own = own;
    struct fragment_info *known = find(list, info.name);
    if (known)
        fragment_info_clear(known);
    else
        known = VEC_ADD(&list->items);
    *known = info;
    return 0;
}

/* The user need not have a folder for them. */
static int add_folder(const struct build_env *env, const char *folder, bool own, struct fragment_list *list)
{
    char **names = NULL;
    int r = dir_names(folder, ".config", &names);
    if (r == -ENOENT && own)
        return 0;
    if (r < 0)
        return diag_errno(env->diags, r, "cannot read %s", folder);
    for (char **name = names; r == 0 && *name; name++)
        r = add_file(env, folder, *name, own, list);
    names_free(names);
    return r;
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct fragment_info *)a)->name, ((const struct fragment_info *)b)->name);
}

int fragment_list_read(const struct build_env *env, struct fragment_list *ret_list)
{
    struct fragment_list list = {0};
    cleanup_free char *shared = xasprintf("%s/fragments", env->share_dir);
    cleanup_free char *own = env->config_dir ? xasprintf("%s/kernels", env->config_dir) : NULL;
    int r = add_folder(env, shared, false, &list);
    if (r == 0 && own)
        r = add_folder(env, own, true, &list);
    if (r < 0) {
        fragment_list_free(&list);
        return r;
    }
    if (list.items.n)
        qsort(list.items.items, list.items.n, sizeof(*list.items.items), compare);
    *ret_list = list;
    return 0;
}
