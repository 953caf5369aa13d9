/* `menu:` of a profile. */
#include "base/str.h"
#include "config/documents.h"

#include <ctype.h>
#include <errno.h>

/* Every boot program shows it as it is, and none takes a part of it for its own. */
static int parse_title(const struct type *type, const char *text, void *target)
{
    size_t n = strlen(text);
    if (n == 0 || n > MENU_TITLE_MAX || text[0] == ' ')
        return -EINVAL;
    for (const char *p = text; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr(" _.,:()/+-", *p))
            return -EINVAL;
    return parse_text(type, text, target);
}

static const struct type type_title = {.what = "title",
                                       .expected = "1 to 60 letters, digits, blanks and _ . , : ( ) / + -",
                                       .parse = parse_title,
                                       .size = sizeof(char *)};

static int read_menu_entry(struct mapper *m, const struct yaml_node *node, struct menu *menu)
{
    static const struct field fields[] = {
        FIELD("title", type_title, struct menu_entry, title, .required = true),
        FIELD("profile", type_label, struct menu_entry, profile),
        FIELD("file", type_boot_file, struct menu_entry, file),
        FIELD("local_disk", type_bool, struct menu_entry, local),
        {0},
    };
    if (menu->entries.n == MENU_ENTRIES)
        return map_error(m, &node->pos, "this entry is one too many; expected at most %d", MENU_ENTRIES);
    struct menu_entry *entry = VEC_ADD(&menu->entries);
    entry->pos = node->pos;
    int r = map_fields(m, node, fields, "menu entry", &entry->pos, entry);
    if (r == 0 && (entry->profile != NULL) + (entry->file != NULL) + entry->local != 1)
        return map_error(
            m, &node->pos,
            "entry %s boots nothing, or several things; expected one of profile, file and local_disk: yes",
            entry->title);
    if (r == 0 && is_url(entry->file))
        return map_error(m, &node->pos, "entry %s: a URL; expected a file of the loader folders",
                         entry->title);
    return r;
}

static int read_entries(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                        void *object)
{
    int r = 0;
    if (value->kind != YAML_SEQUENCE || !value->items.n)
        return wrong_shape(m, key->text, value, "a list, each item a mapping with a \"title\"");
    VEC_EACH(item, &value->items)
        if (read_menu_entry(m, *item, object) < 0)
            r = -EINVAL;
    return r;
}

int read_menu(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value, void *object)
{
    static const struct field fields[] = {
        FIELD("timeout", type_seconds, struct menu, timeout_s),
        {.key = "entries", .read = read_entries, .required = true, .expected = "what may be chosen"},
        {0},
    };
    struct profile *profile = object;
    profile->menu.shown = true;
    return map_fields(m, value, fields, "menu", &key->pos, &profile->menu);
}
